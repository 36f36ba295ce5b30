"""How many files are in flight next: more while that makes it faster, half when the store says
"slow down".

A mover cannot change that number inside one of its calls, so a step is made between two calls,
and between two copies: the state is remembered for each machine and store. It doubles until
that gains less than `GAIN`, then goes back to the best and stays there, until the store is
clearly slower than it was. A refusal leaves a ceiling, which rises again by a quarter with each
call that was not refused.
"""

from dataclasses import dataclass, replace
from typing import Final

from cloudcopy.domain.providers import MIB
from cloudcopy.domain.tuning import MOST_FILES

GAIN: Final = 1.1  # less than this is noise
LOSS: Final = 0.5  # of the best rate: the store or the way to it is another one now
TELLING_SECONDS: Final = 2.0  # a shorter call says more about its beginning and end
TELLING_TURNS: Final = 8  # so many files for each that is in flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What came of one call.

    Attributes:
        in_flight: Files that were meant to be in flight.
        throttled: The store refused something because it was asked too much.
    """

    in_flight: int
    files: int
    bytes: int
    seconds: float
    throttled: bool = False

    @property
    def rate(self) -> float:
        """Work per second, where a file is as much work as a MiB."""
        return (self.files + self.bytes / MIB) / self.seconds if self.seconds > 0 else 0.0

    @property
    def telling(self) -> bool:
        return self.seconds >= TELLING_SECONDS and self.files >= TELLING_TURNS * self.in_flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """Where the climb stands.

    Attributes:
        files: To have in flight now.
        best, best_rate: The fastest so far; 0 for none.
        ceiling: Left by a refusal; None for none.
        settled: The best is found.
    """

    files: int
    best: int = 0
    best_rate: float = 0.0
    ceiling: int | None = None
    settled: bool = False


def paced(pacing: Pacing, sample: Sample, *, cap: int) -> Pacing:
    """The next step.

    Args:
        cap: Never more than this, at least 1.
    """
    if sample.throttled:
        half = max(1, min(sample.in_flight, pacing.files, cap) // 2)
        return Pacing(files=half, best=half, ceiling=half, settled=True)
    raised = _raised(pacing)
    top = max(1, min(cap, raised.ceiling or cap))
    if not sample.telling or sample.in_flight != pacing.files:
        return replace(raised, files=max(1, min(raised.files, top)))
    if pacing.settled and not _room_again(pacing, raised, sample):
        rate = max(pacing.best_rate, sample.rate)
        return replace(raised, files=max(1, min(raised.files, top)), best_rate=rate)
    if pacing.settled or sample.rate > pacing.best_rate * GAIN:
        following = min(top, sample.in_flight * 2)
        return replace(
            raised,
            files=following,
            best=sample.in_flight,
            best_rate=sample.rate,
            settled=following <= sample.in_flight,
        )
    return replace(raised, files=max(1, min(pacing.best, top)), settled=True)


def _raised(pacing: Pacing) -> Pacing:
    if pacing.ceiling is None:
        return pacing
    ceiling = pacing.ceiling + max(1, pacing.ceiling // 4)
    return replace(pacing, ceiling=None if ceiling >= MOST_FILES else ceiling)


def _room_again(pacing: Pacing, raised: Pacing, sample: Sample) -> bool:
    """Whether to climb anew: the ceiling has risen, or all has become much slower."""
    under_ceiling = pacing.ceiling is not None and (raised.ceiling or MOST_FILES) > pacing.files
    return under_ceiling or sample.rate < pacing.best_rate * LOSS
