"""What keeps a running copy from being faster, looked at about once a second."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from cloudcopy.adapters.rclone.speed import Speed
from cloudcopy.adapters.rclone.tuner import Tuner
from cloudcopy.domain import bandwidth
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.limits import Gauges, Limit, limited_by
from cloudcopy.domain.order import Direction
from cloudcopy.domain.progress import size
from cloudcopy.ports.engine import Copy
from cloudcopy.ports.experience import Load, Machine

_BWLIMIT: Final = "--bwlimit"
RECENT_SECONDS: Final = 30.0  # for which a refusal of the store explains what is seen


class Limiter:
    """Of one copy. Its answer for the end is what was true for most of the time."""

    def __init__(
        self,
        tuner: Tuner,
        machine: Machine,
        pid: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._tuner = tuner
        self._machine = machine
        self._pid = pid
        self._monotonic = monotonic
        self._files = Speed()
        self._before: tuple[float, Load] | None = None
        self._throttled: tuple[float, int] = (float("-inf"), 0)
        self._seen: Counter[Limit] = Counter()
        self._texts: dict[Limit, str] = {}

    async def look(self, *, rate: float, copied: int, in_flight: int) -> str:
        """One sentence about the second that has passed; empty for the first.

        Args:
            rate: Bytes per second.
            copied: Files, so far.
        """
        now, load = (
            self._monotonic(),
            await asyncio.to_thread(self._machine.load, self._pid),
        )
        self._files.at(now, copied)
        before, self._before = self._before, (now, load)
        if before is None or now <= before[0]:
            return ""
        passed, old = now - before[0], before[1]
        stalled = None
        if load.io_stalled_seconds is not None and old.io_stalled_seconds is not None:
            stalled = (load.io_stalled_seconds - old.io_stalled_seconds) / passed
        tuner = self._tuner
        cap, word = bandwidth_cap(tuner.copy)
        found = limited_by(
            Gauges(
                upload=tuner.copy.direction is Direction.TO_CLOUD,
                throttled=self._refusals(now),
                rate=rate,
                files_rate=self._files.rate,
                bandwidth=cap,
                bandwidth_word=word,
                cores=tuner.capacity.cores,
                busy=(load.busy_seconds - old.busy_seconds) / passed,
                io_stalled=stalled,
                in_flight=in_flight,
                transfers=tuner.tuning.transfers,
                files_cap=tuner.files_cap,
                round_trip=tuner.round_trip or tuner.learnt.round_trip,
            )
        )
        self._seen[found.kind] += 1
        self._texts[found.kind] = found.text
        return found.text

    @property
    def mostly(self) -> str:
        """What was seen most of the time, in its latest words; empty when nothing was."""
        return self._texts[self._seen.most_common(1)[0][0]] if self._seen else ""

    def _refusals(self, now: float) -> int:
        if self._tuner.throttled > self._throttled[1]:
            self._throttled = (now, self._tuner.throttled)
        at, count = self._throttled
        return count if now - at < RECENT_SECONDS else 0


def bandwidth_cap(copy: Copy) -> tuple[int, str]:
    """Bytes per second, 0 for no limit, and how the caller said it."""
    wanted = copy.pace()
    if wanted is not None:
        return wanted, f"bandwidth limit {size(wanted)}/s"
    own = dict(copy.flags.values).get(_BWLIMIT)
    if own is None:
        return 0, ""
    try:
        return bandwidth.parse(own).entries[0].rate, f"{_BWLIMIT} {own}"
    except Invalid:  # below what we would set ourselves, and rclone takes it
        return 0, ""
