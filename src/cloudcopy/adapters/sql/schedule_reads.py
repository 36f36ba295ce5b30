"""Schedules as people look at them; see `ports.schedules.ScheduleReads`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, Select, and_, func, or_, select

from cloudcopy.adapters.sql import tables as t
from cloudcopy.adapters.sql.database import Database
from cloudcopy.adapters.sql.schedules import RUNS, failure_of, run_of, schedule_of
from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.schedule import GRACE, Outcome, ScheduleId
from cloudcopy.domain.transfer import State
from cloudcopy.ports.schedules import RunSeen, ScheduleSeen

_s: Final = t.schedules.c
_r: Final = t.schedule_runs.c
_LAST_SUCCESS: Final = (
    select(func.max(t.transfers.c.ended_at))
    .join(t.schedule_runs, _r.transfer == t.transfers.c.id)
    .where(_r.schedule == _s.id, t.transfers.c.state == State.SUCCEEDED.value)
    .scalar_subquery()
    .label("last_success")
)
_SCHEDULES: Final = (
    select(
        t.schedules,
        t.instances.c.label,
        t.connections.c.name,
        t.connections.c.cloud_type,
        _LAST_SUCCESS,
    )
    .join(t.instances, t.instances.c.id == _s.instance)
    .join(t.connections, t.connections.c.id == _s.connection)
)


class SqlScheduleReads:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def one(self, id: ScheduleId, *, account: AccountId) -> ScheduleSeen:
        found = await self._all(_SCHEDULES.where(_s.id == id, _s.account == account))
        if not found:
            raise NotFound("schedule", id)
        return _seen(found[0])

    async def every(self, account: AccountId) -> Sequence[ScheduleSeen]:
        query = _SCHEDULES.where(_s.account == account).order_by(_s.id.desc())
        return [_seen(row) for row in await self._all(query)]

    async def runs(self, id: ScheduleId, *, limit: int) -> Sequence[RunSeen]:
        query = RUNS.where(_r.schedule == id).order_by(_r.slot.desc()).limit(limit)
        return [_run(row) for row in await self._all(query)]

    async def run(self, id: ScheduleId, slot: datetime) -> RunSeen | None:
        found = await self._all(RUNS.where(_r.schedule == id, _r.slot == slot))
        return _run(found[0]) if found else None

    async def due(self, now: datetime) -> Sequence[ScheduleId]:
        waiting = select(_r.schedule).where(_r.outcome == Outcome.WAITING.value)
        query = (
            select(_s.id)
            .where(
                or_(
                    _s.due_at <= now,
                    and_(_s.next_at.is_not(None), _s.moved_at > now + GRACE),
                    _s.id.in_(waiting),
                )
            )
            .order_by(_s.due_at, _s.id)
        )
        return [ScheduleId(row[_s.id]) for row in await self._all(query)]

    async def next_due(self, *, after: datetime | None = None) -> datetime | None:
        query = select(func.min(_s.due_at).label("at"))
        if after is not None:
            query = query.where(_s.due_at > after)
        found: datetime | None = (await self._all(query))[0]["at"]
        return found

    async def _all(self, query: Select[Any]) -> list[RowMapping]:
        async with self._database.read() as connection:
            return [*(await connection.execute(query)).mappings()]


def _seen(row: RowMapping) -> ScheduleSeen:
    return ScheduleSeen(
        schedule=schedule_of(row),
        instance_label=row[t.instances.c.label],
        connection_name=row[t.connections.c.name],
        cloud_type=row[t.connections.c.cloud_type],
        last_success=row["last_success"],
    )


def _run(row: RowMapping) -> RunSeen:
    state = row[t.transfers.c.state]
    return RunSeen(
        run=run_of(row),
        state=None if state is None else State(state),
        ended_at=row[t.transfers.c.ended_at],
        failure=failure_of(row),
    )
