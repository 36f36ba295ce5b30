"""Copies that are ordered again and again: which slots have come, and what is run of them.

A slot is a moment that a schedule's cron line names. It is run at most once, whatever
happens. It is run up to `MAX_JITTER_SECONDS` later if the schedule says so, and it counts as
missed when nobody came to run it within `GRACE` of that.

Cron arithmetic is handed in as a function (`NextAfter`); this file only counts.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, Protocol

from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.order import Order, TransferId
from cloudcopy.domain.transfer import State

ScheduleId = NewType("ScheduleId", int)  # never used again

GRACE: Final = timedelta(minutes=10)  # a server that is updated or restarted is back within it
MAX_CAUGHT_UP: Final = 24  # missed slots that are run at most: a day of hours
MAX_WAITING: Final = 24  # runs of one schedule that wait for the one before them
MAX_WALK: Final = 1_000  # slots that are looked at one by one; later ones are passed over
MAX_JITTER_SECONDS: Final = 3600
MAX_PAUSE_AFTER: Final = 100
PAUSE_AFTER: Final = 5  # unless told otherwise
MAX_SCHEDULES: Final = 500  # of one account
LAST_MOMENT: Final = 4_133_980_800  # 2101-01-01 UTC: later than any `end_date` that clients send
_BEFORE: Final = timedelta(microseconds=1)


class NextAfter(Protocol):
    """One cron line in one time zone."""

    def __call__(self, moment: datetime, /) -> datetime | None:
        """The first slot later than `moment`, in UTC; None when there will be none."""
        ...


class Overlap(StrEnum):
    """What becomes of a slot that comes while an earlier run is still live."""

    SKIP = "skip"
    QUEUE = "queue"  # run once the earlier ones have ended
    CANCEL_OLD = "cancel_old"  # cancel the earlier one, and run once it has stopped


class CatchUp(StrEnum):
    """What becomes of missed slots."""

    NONE = "none"
    ONCE = "once"  # one run stands for all of them
    ALL = "all"  # each is run, the oldest first, `MAX_CAUGHT_UP` at most


class Pause(StrEnum):
    """Who paused a schedule."""

    ASKED = "asked"
    FAILURES = "failures"  # it paused itself


class Outcome(StrEnum):
    """What became of a slot."""

    ACCEPTED = "accepted"  # there is a transfer
    WAITING = "waiting"  # there will be one
    SKIPPED = "skipped"
    MISSED = "missed"
    REFUSED = "refused"  # the order cannot be carried out as things are


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a schedule has slots.

    Attributes:
        cron: Five fields.
        zone: An IANA name.
        start_at, end_at: No slot lies before or after; None is no bound. Aware, UTC.
        jitter_seconds: Each slot is run up to so much later, the same each time it is asked.
    """

    cron: str
    zone: str = "UTC"
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter_seconds: int = 0

    def following(self, moment: datetime, next_after: NextAfter) -> datetime | None:
        """The first slot later than `moment`; None when there is none."""
        if self.start_at is not None and self.start_at > moment:
            moment = self.start_at - _BEFORE
        slot = next_after(moment)
        return None if slot is None or (self.end_at and slot > self.end_at) else slot

    def coming(self, moment: datetime, next_after: NextAfter, *, count: int) -> list[datetime]:
        """The first slots later than `moment`, at most `count`."""
        slots: list[datetime] = []
        slot = self.following(moment, next_after)
        while slot is not None and len(slots) < count:
            slots.append(slot)
            slot = self.following(slot, next_after)
        return slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a schedule runs its slots.

    Attributes:
        pause_after: Pause after so many equal failures in a row; 0 is never.
    """

    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.NONE
    pause_after: int = PAUSE_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """An order and when to give it. All times are aware and in UTC.

    Attributes:
        key: The API key that runs it: who made it, or changed or resumed it last.
        identity: Two schedules of an account never have the same; None has none.
        paused_why: In words; empty unless it is paused.
        counted_from: Failures before this do not count towards a pause, nor does their silence
            make it overdue.
        next_at: The next slot; None when it is paused or has ended.
        moved_at: When `next_at` was set, by a server's clock.
    """

    id: ScheduleId
    account: AccountId
    key: KeyId
    order: Order
    bwlimit: str
    timing: Timing
    terms: Terms
    created_at: datetime
    counted_from: datetime
    next_at: datetime | None
    moved_at: datetime
    identity: str | None = None
    paused: Pause | None = None
    paused_why: str = ""

    @property
    def due_at(self) -> datetime | None:
        """When the next slot is run."""
        return None if self.next_at is None else due(self, self.next_at)

    @property
    def state(self) -> str:
        if self.paused is not None:
            return "paused"
        return "ended" if self.next_at is None else "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of one slot.

    Attributes:
        slot: For a run that was asked for by hand, the moment of asking.
        reason: Why there is no transfer; empty if there is one.
        missed: How many slots it stands for, from `slot` on, that are not run.
    """

    slot: datetime
    outcome: Outcome
    at: datetime
    manual: bool = False
    reason: str = ""
    transfer: TransferId | None = None
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A slot that has come.

    Attributes:
        late: It was missed, and is run all the same.
        missed: It was missed and is not run, and neither are those after it, so many in all.
    """

    slot: datetime
    late: bool = False
    missed: int = 0


def checked(timing: Timing, terms: Terms) -> None:
    """Raises Invalid: a number is out of its range, or the schedule ends before it starts."""
    if not 0 <= timing.jitter_seconds <= MAX_JITTER_SECONDS:
        raise Invalid("jitter_seconds", f"must be 0 to {MAX_JITTER_SECONDS}")
    if not 0 <= terms.pause_after <= MAX_PAUSE_AFTER:
        raise Invalid("pause_after", f"must be 0 (never) to {MAX_PAUSE_AFTER}")
    for field, moment in (("start_at", timing.start_at), ("end_at", timing.end_at)):
        if moment is not None and not 0 <= moment.timestamp() < LAST_MOMENT:
            raise Invalid(field, "must lie between the years 1970 and 2100")
    if timing.start_at and timing.end_at and timing.start_at >= timing.end_at:
        raise Invalid("end_at", "must be later than the start")


def due(schedule: Schedule, slot: datetime) -> datetime:
    """When the slot is run: the same whoever asks, and different for each schedule and slot."""
    if not schedule.timing.jitter_seconds:
        return slot
    drawn = hashlib.sha256(f"{schedule.id} {slot.timestamp():.0f}".encode()).digest()
    seconds = int.from_bytes(drawn[:8]) % (schedule.timing.jitter_seconds + 1)
    return slot + timedelta(seconds=seconds)


def spread_minute(identity: str) -> int:
    """A minute of the hour, always the same for one identity, and even over many."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]) % 60


def arrived(
    schedule: Schedule, *, now: datetime, next_after: NextAfter
) -> tuple[Sequence[Arrived], datetime | None]:
    """The slots that have come since the last time, oldest first, and the next one.

    Of slots that lie further back than `MAX_WALK` can reach none is run.
    """
    fresh: list[datetime] = []
    missed: list[datetime] = []
    slot = schedule.next_at
    while slot is not None and due(schedule, slot) <= now and len(fresh) + len(missed) < MAX_WALK:
        (missed if now - due(schedule, slot) > GRACE else fresh).append(slot)
        slot = schedule.timing.following(slot, next_after)
    if slot is not None and now - slot > GRACE + timedelta(seconds=MAX_JITTER_SECONDS):
        slot = schedule.timing.following(now - GRACE, next_after)
    caught_up = _caught_up(schedule.terms.catch_up, missed, fresh)
    rest = missed[len(caught_up) :]
    found = [Arrived(each, late=True) for each in caught_up]
    if rest:
        found.append(Arrived(rest[0], missed=len(rest)))
    return [*found, *map(Arrived, fresh)], slot


def _caught_up(
    policy: CatchUp, missed: Sequence[datetime], fresh: Sequence[datetime]
) -> Sequence[datetime]:
    match policy:
        case CatchUp.NONE:
            return ()
        case CatchUp.ONCE:
            return () if fresh else missed[:1]  # a slot that is run anyway stands for them too
        case CatchUp.ALL:
            return missed[:MAX_CAUGHT_UP]


def clock_went_back(schedule: Schedule, *, now: datetime) -> bool:
    """Whether `next_at` was set by a clock that was ahead, and must be worked out anew."""
    return schedule.next_at is not None and schedule.moved_at - now > GRACE


def failure(state: State, reason: str, codes: Sequence[str]) -> str | None:
    """What a transfer failed of, the same text for equal failures; empty for a success, None
    for an end that says nothing about the schedule."""
    match state:
        case State.SUCCEEDED:
            return ""
        case State.FAILED | State.PARTIAL:
            return codes[0] if codes else reason or state.value
        case _:
            return None


def failing(failures: Sequence[str], pause_after: int) -> str | None:
    """The failure that came `pause_after` times in a row, if it did.

    Args:
        failures: The latest first; empty for a success.
    """
    last = failures[:pause_after]
    repeated = pause_after > 0 and len(last) == pause_after and len({*last}) == 1
    return last[0] if repeated and last[0] else None


def overdue(
    schedule: Schedule, *, last_success: datetime | None, now: datetime, next_after: NextAfter
) -> bool:
    """Whether a success is late: two slots have come since the last one, or since the schedule
    was made, changed or resumed, and the second was due more than `GRACE` ago.

    One that a person paused, or that has ended, owes nothing.
    """
    if schedule.state == "ended" or schedule.paused is Pause.ASKED:
        return False
    since = max(last_success or schedule.counted_from, schedule.counted_from)
    slot = schedule.timing.following(since, next_after)
    if slot is None or slot > now:
        return False
    slot = schedule.timing.following(slot, next_after)
    return slot is not None and now - due(schedule, slot) > GRACE


class ScheduleExists(Conflict):
    """There is a schedule of the same identity.

    Attributes:
        schedule: Its id.
    """

    code = "schedule_exists"

    def __init__(self, schedule: ScheduleId) -> None:
        super().__init__(
            f"Schedule {schedule} makes the same copy already.",
            code="schedule_exists",
            next=(f"Change schedule {schedule}, or delete it first.",),
        )
        self.schedule = schedule
