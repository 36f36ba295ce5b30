"""Schedules in the state of record, and as people look at them.

The contract suite is `tests/contracts/test_store_schedules.py`. Whatever belongs to another
account is not found.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.schedule import NextAfter, Run, Schedule, ScheduleId
from cloudcopy.domain.transfer import State

ReadCron = Callable[[str, str], NextAfter]
"""Reads a cron line in a time zone. Raises Invalid: ``bad_cron`` or ``bad_zone``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """A run and how its transfer is.

    Attributes:
        state: None where there is no transfer.
        failure: See `domain.schedule.failure`; None while the transfer is live, too.
    """

    run: Run
    state: State | None
    ended_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSeen:
    """A schedule with the names of what it joins, and the end of its last run that succeeded."""

    schedule: Schedule
    instance_label: str
    connection_name: str
    cloud_type: str
    last_success: datetime | None


class Schedules(Protocol):
    """Within one transaction of the store."""

    async def add(self, schedule: Schedule) -> Schedule:
        """Insert it under an id of its own; the one given is ignored."""
        ...

    async def count(self, account: AccountId) -> int: ...

    async def get(self, id: ScheduleId, *, account: AccountId | None = None) -> Schedule:
        """Read one and hold it against other writers until the end; None is any account.

        Raises:
            NotFound: no such schedule.
        """
        ...

    async def same(self, account: AccountId, identity: str) -> ScheduleId | None:
        """The schedule of the account that has this identity."""
        ...

    async def save(self, schedule: Schedule, *, was: Schedule) -> bool:
        """Write `schedule` if the row still has the `next_at` and `moved_at` of `was`.

        Returns:
            False when it has not: somebody else was first, and nothing was written.
        """
        ...

    async def remove(self, id: ScheduleId) -> None:
        """Forget it and its runs. The transfers stay."""
        ...

    async def claim(self, id: ScheduleId, run: Run) -> bool:
        """Keep what becomes of a slot, once.

        Returns:
            False when it was decided before, and nothing was written; also for a slot (not a
            run by hand) that is older than all that `prune` keeps. Only a slot that was missed
            can still be run: a clock that was ahead may have passed over it.
        """
        ...

    async def waiting(self, id: ScheduleId) -> Sequence[Run]:
        """The runs that wait for the one before them, oldest first."""
        ...

    async def settle(self, id: ScheduleId, run: Run) -> None:
        """Say what became of a run that waited."""
        ...

    async def live(self, id: ScheduleId) -> Sequence[TransferId]:
        """The transfers of its runs that have not ended, oldest first."""
        ...

    async def failures(self, id: ScheduleId, *, since: datetime, limit: int) -> Sequence[str]:
        """What its latest runs that were decided after `since` failed of, the latest first;
        empty for a success. Runs that say nothing about it are left out."""
        ...

    async def prune(self, id: ScheduleId) -> None:
        """Forget its oldest runs beyond a bound that is far above what is shown, but none that
        waits or whose transfer is live."""
        ...


class ScheduleReads(Protocol):
    """Read-only, never held against writers."""

    async def one(self, id: ScheduleId, *, account: AccountId) -> ScheduleSeen:
        """Raises NotFound."""
        ...

    async def every(self, account: AccountId) -> Sequence[ScheduleSeen]:
        """Newest first."""
        ...

    async def runs(self, id: ScheduleId, *, limit: int) -> Sequence[RunSeen]:
        """The latest first. The caller has proven that the schedule is theirs."""
        ...

    async def run(self, id: ScheduleId, slot: datetime) -> RunSeen | None:
        """The run of one slot. The caller has proven that the schedule is theirs."""
        ...

    async def due(self, now: datetime) -> Sequence[ScheduleId]:
        """Schedules that have something to do: the next slot is due, a run waits, or the next
        slot was set by a clock that is ahead of `now`. In the order in which they are due."""
        ...

    async def next_due(self, *, after: datetime | None = None) -> datetime | None:
        """When the first slot of all is due; of those that are due later than `after`."""
        ...
