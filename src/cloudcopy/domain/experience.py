"""What a machine has learnt about one store: how far away it is, and how many files at once
were best. Worth nothing but time: without it the next copy begins as the first one did."""

from dataclasses import dataclass, field, replace
from typing import Final

from cloudcopy.domain.connection import Backend
from cloudcopy.domain.pacing import Pacing
from cloudcopy.domain.tuning import Sizes

NEWEST: Final = 0.3  # how much of a smoothed time is the last one measured
# Options that say where a store is, and are no secret. A SAS URL is one, and is not here.
_PLACES: Final = ("endpoint", "host", "region")


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """Attributes:
    round_trip: Seconds, smoothed; None while unmeasured.
    paces: By the kind of work: `work_of`.
    """

    round_trip: float | None = None
    paces: dict[str, Pacing] = field(default_factory=dict)

    def measured(self, seconds: float) -> "Learnt":
        """A round trip took that long."""
        before = self.round_trip
        smoothed = seconds if before is None else before + NEWEST * (seconds - before)
        return replace(self, round_trip=smoothed)

    def paced(self, work: str, pacing: Pacing) -> "Learnt":
        return replace(self, paces={**self.paces, work: pacing})


def work_of(sizes: Sizes, *, upload: bool) -> str:
    """What is worth the same number of files, e.g. ``small up``."""
    return f"{'small' if sizes.small else 'large'} {'up' if upload else 'down'}"


def place_of(backend: Backend) -> str:
    """Names the store without a secret, e.g. ``s3 s3.example.org eu-1``: kind, host, region."""
    told = (backend.options.get(name, "") for name in _PLACES)
    return " ".join([backend.type, *(_host(each) for each in told if each)])


def _host(written: str) -> str:
    """Of a URL, whose user or path may be a secret."""
    return written.partition("://")[2].split("/")[0].split("@")[-1] if "://" in written else written
