"""What people do with schedules. `control.slots` is what runs them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cloudcopy.control import orders, slots
from cloudcopy.control.slots import Desk, Hints
from cloudcopy.domain import bandwidth
from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.order import Order
from cloudcopy.domain.schedule import (
    MAX_SCHEDULES,
    Arrived,
    NextAfter,
    Overlap,
    Pause,
    Schedule,
    ScheduleExists,
    ScheduleId,
    Terms,
    Timing,
    checked,
    overdue,
)
from cloudcopy.ports.schedules import RunSeen, ScheduleSeen
from cloudcopy.ports.store import Store

ASKED: Final = "Paused by its owner."
NEXT_SHOWN: Final = 5
RUNS_SHOWN: Final = 30
_NEW: Final = ScheduleId(0)  # until the store has drawn one


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A schedule that is asked for. `identity`: see `domain.schedule.Schedule`."""

    order: Order
    timing: Timing
    terms: Terms
    bwlimit: str = ""
    identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A schedule and what follows from it now.

    Attributes:
        coming: The next slots, at most `NEXT_SHOWN`; empty in a list.
    """

    seen: ScheduleSeen
    overdue: bool
    coming: Sequence[datetime] = ()


async def create(wish: Wish, *, caller: Caller, desk: Desk) -> Schedule:
    """Keep a schedule. Slots of the past are never run, wherever its start lies.

    Raises:
        Invalid: the cron line, the zone, a number or the order; or it would never have a slot
            (``never_due``).
        NotFound: the instance or the connection is not the caller's.
        ScheduleExists: one of the same identity does.
        Conflict: ``too_many_schedules``.
    """
    checked(wish.timing, wish.terms)
    orders.check(wish.order)
    now = desk.now()
    next_at = _first(wish.timing, now, desk.read_cron(wish.timing.cron, wish.timing.zone))
    schedule = Schedule(
        id=_NEW,
        account=caller.account,
        key=caller.key,
        order=wish.order,
        bwlimit=str(bandwidth.parse(wish.bwlimit)),
        timing=wish.timing,
        terms=wish.terms,
        created_at=now,
        counted_from=now,
        next_at=next_at,
        moved_at=now,
        identity=wish.identity,
    )
    async with desk.transfers.open_store() as store:
        await orders.placed(wish.order, caller=caller, store=store)
        await _alone(schedule, store)
        if await store.schedules.count(caller.account) >= MAX_SCHEDULES:
            raise Conflict(
                f"There are {MAX_SCHEDULES} schedules, and no more are kept.",
                code="too_many_schedules",
                next=("Delete those that have ended.",),
            )
        schedule = await store.schedules.add(schedule)
    desk.wake()
    return schedule


def _first(timing: Timing, now: datetime, next_after: NextAfter) -> datetime:
    slot = timing.following(now, next_after)
    if slot is None:
        raise Invalid(
            "end_at" if timing.end_at else "cron",
            "leaves no moment from now on at which it would run",
            code="never_due",
        )
    return slot


async def _alone(schedule: Schedule, store: Store) -> None:
    if schedule.identity is None:
        return
    same = await store.schedules.same(schedule.account, schedule.identity)
    if same is not None and same != schedule.id:
        raise ScheduleExists(same)


async def change(
    id: ScheduleId, edit: Callable[[Schedule], Schedule], *, caller: Caller, desk: Desk
) -> Schedule:
    """Change what is copied, when, or on which terms. From now on it runs with the caller's key.

    Args:
        edit: Gives `order`, `bwlimit`, `timing`, `terms` and `identity` other values, and may take
            away its pause.

    Raises:
        NotFound: no such schedule.
        Invalid, Conflict: as `create` does.
    """
    async with desk.transfers.open_store() as store:
        was = await _of(caller, id, store)
        now = desk.now()
        wanted = edit(was)
        checked(wanted.timing, wanted.terms)
        next_after = desk.read_cron(wanted.timing.cron, wanted.timing.zone)
        if wanted.order != was.order:
            orders.check(wanted.order)
            await orders.placed(wanted.order, caller=caller, store=store)
        await _alone(wanted, store)
        if (wanted.timing, wanted.paused) != (was.timing, was.paused):
            first = _first(wanted.timing, now, next_after)
            wanted = replace(wanted, next_at=None if wanted.paused else first, moved_at=now)
        limit = str(bandwidth.parse(wanted.bwlimit))
        wanted = replace(wanted, bwlimit=limit, key=caller.key, counted_from=now)
        if not await store.schedules.save(wanted, was=was):
            raise slots.beaten(id)
    desk.wake()
    return wanted


async def pause(id: ScheduleId, *, caller: Caller, desk: Desk) -> Schedule:
    """Run no slot until it is resumed. What runs goes on. Doing it twice is the same as once.

    Raises:
        NotFound: no such schedule.
    """
    async with desk.transfers.open_store() as store:
        was = await _of(caller, id, store)
        if was.paused is Pause.ASKED:
            return was
        return await slots.pause(was, was, Pause.ASKED, ASKED, now=desk.now(), store=store)


async def resume(id: ScheduleId, *, caller: Caller, desk: Desk) -> Schedule:
    """Go on with the next slot; those in between are not run. Its failures are forgotten, and it
    runs with the caller's key from now on. Doing it twice is the same as once.

    Raises:
        NotFound: no such schedule.
    """
    async with desk.transfers.open_store() as store:
        was = await _of(caller, id, store)
        if was.paused is None:
            return was
        now = desk.now()
        next_after = desk.read_cron(was.timing.cron, was.timing.zone)
        resumed = replace(
            was,
            key=caller.key,
            paused=None,
            paused_why="",
            counted_from=now,
            next_at=was.timing.following(now, next_after),
            moved_at=now,
        )
        if not await store.schedules.save(resumed, was=was):
            raise slots.beaten(id)
    desk.wake()
    return resumed


async def run_now(id: ScheduleId, *, caller: Caller, desk: Desk) -> RunSeen:
    """Run it once, now, also while it is paused; its slots stay as they are.

    Raises:
        NotFound: no such schedule.
        Conflict: ``schedule_running``: an earlier run is live, and the schedule skips overlaps.
    """
    hints = Hints()
    async with desk.transfers.open_store() as store:
        schedule = await _of(caller, id, store)
        now = desk.now()
        live = await store.schedules.live(id)
        if live and schedule.terms.overlap is Overlap.SKIP:
            raise Conflict(
                f"Schedule {id} is running: {live[-1]} has not ended.",
                code="schedule_running",
                next=(f"Wait for it: cloudcopy transfer watch {live[-1]}",),
            )
        await store.schedules.prune(id)  # before, so that the new one is there to be shown
        await slots.take(
            schedule, Arrived(now), now=now, desk=desk, store=store, hints=hints, manual=True
        )
        await slots.go_on(schedule, desk=desk, store=store, hints=hints)
    hints.give(desk)
    desk.wake()
    seen = await desk.reads.run(id, now)
    if seen is None:
        raise slots.beaten(id)  # somebody removed the schedule meanwhile
    return seen


async def remove(id: ScheduleId, *, caller: Caller, desk: Desk) -> None:
    """Forget it and its history. Transfers that it made stay, and go on.

    Raises:
        NotFound: no such schedule.
    """
    async with desk.transfers.open_store() as store:
        await _of(caller, id, store)
        await store.schedules.remove(id)


async def every(*, caller: Caller, desk: Desk) -> Sequence[Standing]:
    """All schedules of the account, newest first."""
    seen = await desk.reads.every(caller.account)
    return [
        _standing(each, desk) for each in seen if each.schedule.order.instance in caller.instances
    ]


async def one(id: ScheduleId, *, caller: Caller, desk: Desk) -> Standing:
    """Raises NotFound."""
    standing = _standing(await desk.reads.one(id, account=caller.account), desk)
    schedule = standing.seen.schedule
    caller.must_reach(schedule.order.instance)
    if schedule.next_at is None:
        return standing
    next_after = desk.read_cron(schedule.timing.cron, schedule.timing.zone)
    later = schedule.timing.coming(schedule.next_at, next_after, count=NEXT_SHOWN - 1)
    return replace(standing, coming=[schedule.next_at, *later])


async def history(id: ScheduleId, *, caller: Caller, desk: Desk) -> Sequence[RunSeen]:
    """Its last runs, the latest first, at most `RUNS_SHOWN`.

    Raises:
        NotFound: no such schedule.
    """
    await one(id, caller=caller, desk=desk)
    return await desk.reads.runs(id, limit=RUNS_SHOWN)


async def _of(caller: Caller, id: ScheduleId, store: Store) -> Schedule:
    """Raises NotFound; Forbidden where the caller's key is limited to other instances."""
    schedule = await store.schedules.get(id, account=caller.account)
    caller.must_reach(schedule.order.instance)
    return schedule


def _standing(seen: ScheduleSeen, desk: Desk) -> Standing:
    timing = seen.schedule.timing
    late = overdue(
        seen.schedule,
        last_success=seen.last_success,
        now=desk.now(),
        next_after=desk.read_cron(timing.cron, timing.zone),
    )
    return Standing(seen=seen, overdue=late)
