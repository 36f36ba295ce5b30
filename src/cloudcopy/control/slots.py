"""Runs what is due: each slot at most once, whichever server comes first.

What becomes of a slot, the transfer that it makes and the schedule's next slot are written in
one transaction. A crash leaves all of it or nothing, and a second server finds the slot taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from cloudcopy.control import accepting, orders, stops, transfers
from cloudcopy.domain.errors import Conflict, NotFound, Rejected
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.permissions import Category
from cloudcopy.domain.schedule import (
    MAX_WAITING,
    Arrived,
    Outcome,
    Overlap,
    Pause,
    Run,
    Schedule,
    ScheduleId,
    arrived,
    clock_went_back,
    failing,
)
from cloudcopy.domain.transfer import Transfer
from cloudcopy.ports.schedules import ReadCron, ScheduleReads
from cloudcopy.ports.store import Once, Store

MISSED: Final = "No server was there to run it in time."
STILL_LIVE: Final = "An earlier run was still live."
QUEUE_FULL: Final = f"{MAX_WAITING} runs were waiting already."
OVERTAKEN: Final = "A later slot took its place while it waited."
PAUSED: Final = "The schedule was paused while it waited."
KEY_GONE: Final = "The API key that runs this schedule is revoked, or has expired."


@dataclass(frozen=True, slots=True)
class Desk:
    """What schedules need, built once.

    Attributes:
        wake: Hints that a schedule has changed: the loop that runs what is due looks again.
    """

    transfers: transfers.Desk
    reads: ScheduleReads
    read_cron: ReadCron
    wake: Callable[[], None]

    @property
    def now(self) -> Callable[[], datetime]:
        return self.transfers.now


@dataclass(slots=True)
class Hints:
    """Whom to tell once the transaction is committed."""

    machines: list[MachineId] = field(default_factory=list)
    moved: list[TransferId] = field(default_factory=list)

    def give(self, desk: Desk) -> None:
        transfers.ring(desk.transfers, self.machines)
        for id in self.moved:
            desk.transfers.bus.moved(id)


async def run_due(*, desk: Desk) -> Sequence[tuple[ScheduleId, Exception]]:
    """Run every slot that is due now, and every run that waited and need not any longer.

    Returns:
        The schedules that could not be looked at, and why. They hold up no other, and are
        tried again the next time.
    """
    trouble: list[tuple[ScheduleId, Exception]] = []
    for id in await desk.reads.due(desk.now()):
        try:
            await _run(id, desk)
        except NotFound:
            continue  # somebody deleted it meanwhile
        except Exception as error:  # noqa: BLE001 - told to the caller, who logs it
            trouble.append((id, error))
    return trouble


async def _run(id: ScheduleId, desk: Desk) -> None:
    hints = Hints()
    async with desk.transfers.open_store() as store:
        was = await store.schedules.get(id)
        now = desk.now()
        next_after = desk.read_cron(was.timing.cron, was.timing.zone)
        schedule = was
        if clock_went_back(was, now=now):
            next_at = was.timing.following(now, next_after)
            schedule = replace(was, next_at=next_at, moved_at=now)
        slots, next_at = arrived(schedule, now=now, next_after=next_after)
        if any(not each.missed for each in slots):
            why = await _failing(schedule, store)
            if why:
                await pause(schedule, was, Pause.FAILURES, why, now=now, store=store)
                return
        if slots:
            schedule = replace(schedule, next_at=next_at, moved_at=now)
        if schedule is not was and not await store.schedules.save(schedule, was=was):
            raise beaten(id)
        for each in slots:
            await take(schedule, each, now=now, desk=desk, store=store, hints=hints)
        await go_on(schedule, desk=desk, store=store, hints=hints)
        if slots:
            await store.schedules.prune(id)
    hints.give(desk)


async def _failing(schedule: Schedule, store: Store) -> str:
    """Why the schedule pauses itself now; empty when it does not."""
    limit = schedule.terms.pause_after
    if not limit:
        return ""
    told = await store.schedules.failures(schedule.id, since=schedule.counted_from, limit=limit)
    failure = failing(told, limit)
    return f"{limit} runs in a row failed in the same way: {failure}" if failure else ""


async def pause(
    schedule: Schedule, was: Schedule, by: Pause, why: str, *, now: datetime, store: Store
) -> Schedule:
    """Pause it; what waits will not be run."""
    paused = replace(schedule, paused=by, paused_why=why, next_at=None, moved_at=now)
    if not await store.schedules.save(paused, was=was):
        raise beaten(was.id)
    for run in await store.schedules.waiting(was.id):
        await store.schedules.settle(was.id, _skipped(run, PAUSED))
    return paused


async def take(
    schedule: Schedule,
    slot: Arrived,
    *,
    now: datetime,
    desk: Desk,
    store: Store,
    hints: Hints,
    manual: bool = False,
) -> None:
    """Decide once what becomes of a slot; what is to be run waits for `go_on`."""
    run = Run(slot=slot.slot, outcome=Outcome.WAITING, at=now, manual=manual)
    schedules = store.schedules
    if slot.missed:
        missed = replace(run, outcome=Outcome.MISSED, reason=MISSED, missed=slot.missed)
        await schedules.claim(schedule.id, missed)
        return
    waiting = await schedules.waiting(schedule.id)
    live = await schedules.live(schedule.id)
    policy = Overlap.QUEUE if slot.late else schedule.terms.overlap
    if (live or waiting) and policy is Overlap.SKIP:
        run = _skipped(run, STILL_LIVE)
    elif policy is Overlap.QUEUE and len(waiting) >= MAX_WAITING:
        run = _skipped(run, QUEUE_FULL)
    if not await schedules.claim(schedule.id, run) or policy is not Overlap.CANCEL_OLD:
        return
    for each in waiting:
        await schedules.settle(schedule.id, _skipped(each, OVERTAKEN))
    for id in live:
        was = await store.transfers.get(id)
        if await stops.one(store, was, at=desk.now()):
            hints.moved.append(id)
            hints.machines.append(was.machine)


async def go_on(schedule: Schedule, *, desk: Desk, store: Store, hints: Hints) -> None:
    """Order what waits, the oldest first, until there is a transfer to wait for."""
    schedules = store.schedules
    if await schedules.live(schedule.id):
        return
    for run in await schedules.waiting(schedule.id):
        try:
            transfer = await _ordered(schedule, desk=desk, store=store, hints=hints)
        except Rejected as error:
            refused = replace(run, outcome=Outcome.REFUSED, reason=str(error))
            await schedules.settle(schedule.id, refused)
            continue
        accepted = replace(run, outcome=Outcome.ACCEPTED, transfer=transfer.id)
        await schedules.settle(schedule.id, accepted)
        return


async def _ordered(schedule: Schedule, *, desk: Desk, store: Store, hints: Hints) -> Transfer:
    """Raises Rejected before it has written anything."""
    key = await store.keys.get(schedule.key)
    if key is None or key.revoked_at is not None or key.expired(desk.now()):
        raise Conflict(KEY_GONE)
    caller = Caller(schedule.account, schedule.key, key.rights)
    transfer, turns = await accepting.accepted(
        schedule.order,
        caller=caller.asking(Category.INSTANCE_WRITE, "api.instance.copy"),
        desk=desk.transfers,
        store=store,
        once=Once(body=orders.digest(schedule.order, schedule.bwlimit)),
        bwlimit=schedule.bwlimit,
    )
    hints.machines.extend(turns)
    return transfer


def beaten(id: ScheduleId) -> Conflict:
    """Another server or person was first; the transaction that raises it writes nothing."""
    return Conflict(
        f"Schedule {id} was changed by somebody else just now.",
        code="schedule_changed",
        next=("Look at it, and try again.",),
    )


def _skipped(run: Run, why: str) -> Run:
    return replace(run, outcome=Outcome.SKIPPED, reason=why)
