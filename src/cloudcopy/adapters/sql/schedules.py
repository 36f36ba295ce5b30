"""Schedules within one transaction; see `ports.schedules.Schedules`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql.database import insert_if_new
from cloudcopy.adapters.sql.tables import schedule_runs, schedules, transfers
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.machine import AccountId, InstanceId
from cloudcopy.domain.order import Direction, Order, TransferId, Verify
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.schedule import (
    CatchUp,
    Outcome,
    Overlap,
    Pause,
    Run,
    Schedule,
    ScheduleId,
    Terms,
    Timing,
    failure,
)
from cloudcopy.domain.transfer import State

MAX_RUNS: Final = 1_000  # of one schedule that ran, and as many that did not; 30 are shown
_RAN: Final = (Outcome.ACCEPTED.value, Outcome.REFUSED.value)
_PASSED_OVER: Final = (Outcome.SKIPPED.value, Outcome.MISSED.value)
_LOOKED_AT: Final = 4  # times as many runs are read as failures are asked for
_CLAIM: Final = insert_if_new(schedule_runs)
_s: Final = schedules.c
_r: Final = schedule_runs.c


class SqlSchedules:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, schedule: Schedule) -> Schedule:
        """The jitter depends on the id, so when it is due is known only then."""
        adding = insert(schedules).values(**_columns(schedule)).returning(_s.id)
        id = ScheduleId((await self._connection.execute(adding)).scalar_one())
        added = replace(schedule, id=id)
        await self._connection.execute(
            update(schedules).where(_s.id == id).values(due_at=added.due_at)
        )
        return added

    async def count(self, account: AccountId) -> int:
        counting = select(func.count()).select_from(schedules).where(_s.account == account)
        return int((await self._connection.execute(counting)).scalar_one())

    async def get(self, id: ScheduleId, *, account: AccountId | None = None) -> Schedule:
        query = select(schedules).where(_s.id == id).with_for_update()
        if account is not None:
            query = query.where(_s.account == account)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound("schedule", id)
        return schedule_of(row)

    async def same(self, account: AccountId, identity: str) -> ScheduleId | None:
        query = select(_s.id).where(_s.account == account, _s.identity == identity)
        found = (await self._connection.execute(query)).scalar_one_or_none()
        return None if found is None else ScheduleId(found)

    async def save(self, schedule: Schedule, *, was: Schedule) -> bool:
        saving = (
            update(schedules)
            .where(
                _s.id == was.id,
                _s.next_at.is_not_distinct_from(was.next_at),
                _s.moved_at == was.moved_at,
            )
            .values(**_columns(schedule))
        )
        return (await self._connection.execute(saving)).rowcount == 1

    async def remove(self, id: ScheduleId) -> None:
        await self._connection.execute(delete(schedule_runs).where(_r.schedule == id))
        await self._connection.execute(delete(schedules).where(_s.id == id))

    async def claim(self, id: ScheduleId, run: Run) -> bool:
        if not run.manual and await self._forgotten(id, run.slot):
            return False
        row = {"schedule": id, "slot": run.slot, **_fate(run)}
        if (await self._connection.execute(_CLAIM, row)).rowcount == 1:
            return True
        if run.outcome is Outcome.MISSED:
            return False
        late = (
            update(schedule_runs)
            .where(_r.schedule == id, _r.slot == run.slot, _r.outcome == Outcome.MISSED.value)
            .values(**_fate(run))
        )
        return (await self._connection.execute(late)).rowcount == 1

    async def _forgotten(self, id: ScheduleId, slot: datetime) -> bool:
        """Whether the row of this slot may have been pruned: a clock that was put back comes to
        it a second time."""
        oldest = (
            select(_r.slot)
            .where(_r.schedule == id)
            .order_by(_r.slot.desc())
            .offset(MAX_RUNS - 1)
            .limit(1)
        )
        kept_from = (await self._connection.execute(oldest)).scalar_one_or_none()
        return kept_from is not None and slot < kept_from

    async def waiting(self, id: ScheduleId) -> Sequence[Run]:
        query = select(schedule_runs).where(_r.schedule == id, _r.outcome == Outcome.WAITING.value)
        found = await self._connection.execute(query.order_by(_r.slot))
        return [run_of(row) for row in found.mappings()]

    async def settle(self, id: ScheduleId, run: Run) -> None:
        await self._connection.execute(
            update(schedule_runs)
            .where(_r.schedule == id, _r.slot == run.slot, _r.outcome == Outcome.WAITING.value)
            .values(**_fate(run))
        )

    async def live(self, id: ScheduleId) -> Sequence[TransferId]:
        query = (
            select(transfers.c.id)
            .join(schedule_runs, _r.transfer == transfers.c.id)
            .where(_r.schedule == id, transfers.c.state.in_(rows.LIVE))
            .order_by(transfers.c.id)
        )
        return [TransferId(each) for each in (await self._connection.execute(query)).scalars()]

    async def failures(self, id: ScheduleId, *, since: datetime, limit: int) -> Sequence[str]:
        query = RUNS.where(_r.schedule == id, _r.at > since, _r.outcome.in_(_RAN)).order_by(
            _r.slot.desc()
        )
        found = await self._connection.execute(query.limit(limit * _LOOKED_AT))
        told = [failure_of(row) for row in found.mappings()]
        return [each for each in told if each is not None][:limit]

    async def prune(self, id: ScheduleId) -> None:
        """Those that ran are counted apart, so that many skipped slots do not push out the
        failures between them. A live one stays: the next slot must find it."""
        live = exists().where(transfers.c.id == _r.transfer, transfers.c.state.in_(rows.LIVE))
        for outcomes in (_RAN, _PASSED_OVER):
            last_dropped = (
                select(_r.slot)
                .where(_r.schedule == id, _r.outcome.in_(outcomes))
                .order_by(_r.slot.desc())
                .offset(MAX_RUNS)
                .limit(1)
                .scalar_subquery()
            )
            await self._connection.execute(
                delete(schedule_runs).where(
                    _r.schedule == id,
                    _r.slot <= last_dropped,
                    _r.outcome.in_(outcomes),
                    ~live,
                )
            )


RUNS: Final = select(
    schedule_runs, transfers.c.state, transfers.c.reason, transfers.c.result, transfers.c.ended_at
).outerjoin(transfers, transfers.c.id == _r.transfer)


def failure_of(row: RowMapping) -> str | None:
    """What a row of `RUNS` failed of; see `ports.schedules.RunSeen`."""
    if row[_r.outcome] == Outcome.REFUSED.value:
        return str(row[_r.reason])
    if row[transfers.c.state] is None:
        return None
    result = row[transfers.c.result] or {}
    codes = [group["code"] for group in result.get("errors", ())]
    return failure(State(row[transfers.c.state]), row[transfers.c.reason], codes)


def run_of(row: RowMapping) -> Run:
    return Run(
        slot=row[_r.slot],
        outcome=Outcome(row[_r.outcome]),
        at=row[_r.at],
        manual=row[_r.manual],
        reason=row[_r.reason],
        transfer=None if row[_r.transfer] is None else TransferId(row[_r.transfer]),
        missed=row[_r.missed],
    )


def schedule_of(row: RowMapping) -> Schedule:
    order = Order(
        instance=InstanceId(row[_s.instance]),
        connection=ConnectionId(row[_s.connection]),
        direction=Direction(row[_s.direction]),
        local=InstancePath(row[_s.local]),
        remote=RemotePath(row[_s.remote]),
        flags=Flags.parse(row[_s.flags]),
        verify=Verify(row[_s.verify]),
    )
    timing = Timing(
        cron=row[_s.cron],
        zone=row[_s.zone],
        start_at=row[_s.start_at],
        end_at=row[_s.end_at],
        jitter_seconds=row[_s.jitter_seconds],
    )
    return Schedule(
        id=ScheduleId(row[_s.id]),
        account=AccountId(row[_s.account]),
        key=KeyId(row[_s.key]),
        order=order,
        bwlimit=row[_s.bwlimit],
        timing=timing,
        terms=Terms(
            overlap=Overlap(row[_s.overlap]),
            catch_up=CatchUp(row[_s.catch_up]),
            pause_after=row[_s.pause_after],
        ),
        created_at=row[_s.created_at],
        counted_from=row[_s.counted_from],
        next_at=row[_s.next_at],
        moved_at=row[_s.moved_at],
        identity=row[_s.identity],
        paused=None if row[_s.paused] is None else Pause(row[_s.paused]),
        paused_why=row[_s.paused_why],
    )


def _fate(run: Run) -> Mapping[str, object]:
    return {
        "outcome": run.outcome.value,
        "at": run.at,
        "manual": run.manual,
        "reason": run.reason,
        "transfer": run.transfer,
        "missed": run.missed,
    }


def _columns(schedule: Schedule) -> Mapping[str, Any]:
    """Every column but the id."""
    order, timing, terms = schedule.order, schedule.timing, schedule.terms
    return {
        "account": schedule.account,
        "key": schedule.key,
        "instance": order.instance,
        "connection": order.connection,
        "direction": order.direction.value,
        "local": order.local.value,
        "remote": order.remote.value,
        "flags": order.flags.words(),
        "verify": order.verify.value,
        "bwlimit": schedule.bwlimit,
        "cron": timing.cron,
        "zone": timing.zone,
        "start_at": timing.start_at,
        "end_at": timing.end_at,
        "jitter_seconds": timing.jitter_seconds,
        "overlap": terms.overlap.value,
        "catch_up": terms.catch_up.value,
        "pause_after": terms.pause_after,
        "created_at": schedule.created_at,
        "counted_from": schedule.counted_from,
        "next_at": schedule.next_at,
        "due_at": schedule.due_at,
        "moved_at": schedule.moved_at,
        "identity": schedule.identity,
        "paused": schedule.paused.value if schedule.paused else None,
        "paused_why": schedule.paused_why,
    }
