"""What people look at, each in one statement; see `ports.reads.Reads`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, bindparam, func, select

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql import tables as t
from cloudcopy.adapters.sql.database import Database, in_one
from cloudcopy.adapters.sql.instance_reads import SqlInstanceReads
from cloudcopy.domain.accounts import Account
from cloudcopy.domain.connection import Connection, ConnectionId
from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.keys import Key, KeyId
from cloudcopy.domain.machine import AccountId, InstanceId, Intended, Machine, MachineId
from cloudcopy.domain.order import TransferId, Work
from cloudcopy.domain.transfer import State
from cloudcopy.ports.reads import InstanceSeen, KeySeen, Moved, Sign, TransferFilter, TransferSeen
from cloudcopy.ports.vault import Sealed

STATES = {state.value: state for state in State}  # calling an enum costs ten times a look
MAX_HISTORY = 500  # changes of state that one question is answered with

_TRANSFERS = (
    select(
        t.transfers,
        t.instances.c.label,
        t.instances.c.called,
        t.connections.c.name,
        t.connections.c.cloud_type,
        t.machines.c.seen_at,
    )
    .join(t.instances, t.instances.c.id == t.transfers.c.instance)
    .join(t.connections, t.connections.c.id == t.transfers.c.connection)
    .join(t.machines, t.machines.c.id == t.transfers.c.machine)
)
_other = t.transfers.alias()
_latest = (  # plans and checks copy nothing, and must not pass for a copy that has finished
    select(func.max(_other.c.id))
    .where(_other.c.instance == t.instances.c.id, _other.c.work == Work.TRANSFER.value)
    .scalar_subquery()
)
_INSTANCES = (
    select(
        t.instances,
        t.machines.c.name,
        t.machines.c.seen_at,
        t.machines.c.hardware,
        t.transfers,
        t.connections.c.name,
        t.connections.c.cloud_type,
    )
    .join(t.machines, t.machines.c.id == t.instances.c.machine)
    .outerjoin(t.transfers, t.transfers.c.id == _latest)
    .outerjoin(t.connections, t.connections.c.id == t.transfers.c.connection)
)

# Built once: they are part of many requests, and building costs more than running.
_KEY = (
    select(t.keys, t.accounts.c.operator)
    .join(t.accounts, t.accounts.c.id == t.keys.c.account)
    .where(t.keys.c.id == bindparam("id"))
)
_ONE_TRANSFER = _TRANSFERS.where(t.transfers.c.id == bindparam("id"))
_SIGNS = in_one(
    select(
        *(
            t.transfers.c[each]
            for each in ("id", "attempt", "fence", "state", "admitted", "bwlimit")
        )
    ).where(t.transfers.c.machine == bindparam("machine"), t.transfers.c.state.in_(rows.LIVE))
)
_OWN_TRANSFER = _ONE_TRANSFER.where(t.transfers.c.account == bindparam("account"))
_OWN_INSTANCE = _INSTANCES.where(
    t.instances.c.id == bindparam("id"), t.instances.c.account == bindparam("account")
)
_OWN_CONNECTION = select(t.connections).where(
    t.connections.c.id == bindparam("id"),
    t.connections.c.account == bindparam("account"),
    ~t.connections.c.removed,
)
_CONNECTIONS = (
    select(t.connections)
    .where(t.connections.c.account == bindparam("account"), ~t.connections.c.removed)
    .order_by(t.connections.c.id.desc())
)
_MACHINE = select(t.machines).where(t.machines.c.id == bindparam("id"))
_OWN_MACHINE = _MACHINE.where(t.machines.c.account == bindparam("account"))
_LIVE = _TRANSFERS.where(
    t.transfers.c.machine == bindparam("machine"), t.transfers.c.state.in_(rows.LIVE)
).order_by(t.transfers.c.id)
_LIVE_ONLY = _LIVE.where(t.transfers.c.id.in_(bindparam("only", expanding=True)))
_WAITING = select(func.count().label("ahead")).where(
    t.transfers.c.account
    == select(_other.c.account).where(_other.c.id == bindparam("id")).scalar_subquery(),
    ~t.transfers.c.admitted,
    t.transfers.c.state == State.QUEUED.value,
    t.transfers.c.id < bindparam("id"),
)


class SqlReads(SqlInstanceReads):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def transfer(self, id: TransferId, *, account: AccountId | None) -> TransferSeen:
        if account is None:
            return _transfer(await self._one(_ONE_TRANSFER, "transfer", id, {"id": id}))
        values = {"id": id, "account": account}
        return _transfer(await self._one(_OWN_TRANSFER, "transfer", id, values))

    async def transfers(self, account: AccountId, only: TransferFilter) -> Sequence[TransferSeen]:
        c = t.transfers.c
        query = _TRANSFERS.where(c.account == account)
        if only.states is not None:
            query = query.where(c.state.in_([state.value for state in only.states]))
        if only.work is not None:
            query = query.where(c.work == only.work.value)
        if only.instance is not None:
            query = query.where(c.instance == only.instance)
        if only.connection is not None:
            query = query.where(c.connection == only.connection)
        if only.among.least is not None:
            query = query.where(c.instance >= only.among.least)
        if only.among.most is not None:
            query = query.where(c.instance <= only.among.most)
        if only.before is not None:
            query = query.where(c.id < only.before)
        found = await self._all(query.order_by(c.id.desc()).limit(only.limit))
        return [_transfer(row) for row in found]

    async def live(
        self, machine: MachineId, *, only: Collection[TransferId] | None = None
    ) -> Sequence[TransferSeen]:
        if only is None:
            found = await self._all(_LIVE, {"machine": machine})
        else:
            found = await self._all(_LIVE_ONLY, {"machine": machine, "only": tuple(only)})
        return [_transfer(row) for row in found]

    async def signs(self, machine: MachineId) -> Sequence[Sign]:
        [found] = await self._all(_SIGNS, {"machine": machine})
        return [
            Sign(TransferId(id), attempt, fence, STATES[state].want, bwlimit)
            for id, attempt, fence, state, admitted, bwlimit in sorted(found["rows"])
            if STATES[state].told(admitted=bool(admitted))
        ]

    async def history(self, id: TransferId, *, after: int = 0) -> Sequence[Moved]:
        c = t.transfer_events.c
        query = select(t.transfer_events).where(c.transfer == id, c.number > after)
        found = await self._all(query.order_by(c.number.desc()).limit(MAX_HISTORY))
        return [rows.moved(row) for row in reversed(found)]

    async def waiting(self, id: TransferId) -> int:
        return int((await self._all(_WAITING, {"id": id}))[0]["ahead"])

    async def chunk(self, id: TransferId, attempt: int, number: int) -> bytes | None:
        c = t.ledger_chunks.c
        query = select(c.data).where(c.transfer == id, c.attempt == attempt, c.number == number)
        found = await self._all(query)
        return found[0][c.data] if found else None

    async def ledgers(self, id: TransferId) -> Sequence[int]:
        c = t.ledger_chunks.c
        query = select(c.attempt).where(c.transfer == id).distinct().order_by(c.attempt.desc())
        return [row[c.attempt] for row in await self._all(query)]

    async def connections(self, account: AccountId) -> Sequence[Connection]:
        found = await self._all(_CONNECTIONS, {"account": account})
        return [rows.connection(row) for row in found]

    async def connection(self, id: ConnectionId, *, account: AccountId) -> Connection:
        values = {"id": id, "account": account}
        return rows.connection(await self._one(_OWN_CONNECTION, "connection", id, values))

    async def sealed(self, id: ConnectionId) -> Sealed:
        c = t.connections.c
        query = select(c.sealed_key, c.sealed_box).where(c.id == id, c.sealed_box.is_not(None))
        row = await self._one(query, "connection", id)
        return Sealed(key=row[c.sealed_key], box=row[c.sealed_box])

    async def machines(self, account: AccountId | None) -> Sequence[Machine]:
        c = t.machines.c
        query = select(t.machines).order_by(c.id.desc())
        if account is not None:
            query = query.where(c.account == account)
        return [rows.machine(row) for row in await self._all(query)]

    async def machine(self, id: MachineId, *, account: AccountId | None) -> Machine:
        if account is None:
            return rows.machine(await self._one(_MACHINE, "machine", id, {"id": id}))
        values = {"id": id, "account": account}
        return rows.machine(await self._one(_OWN_MACHINE, "machine", id, values))

    async def instances(
        self, account: AccountId, *, machine: MachineId | None = None
    ) -> Sequence[InstanceSeen]:
        c = t.instances.c
        standing = func.coalesce(c.intended, "") != Intended.DESTROYED.value
        query = _INSTANCES.where(c.account == account, standing)
        if machine is not None:
            query = query.where(c.machine == machine)
        return [_instance(row) for row in await self._all(query.order_by(c.id.desc()))]

    async def instance(self, id: InstanceId, *, account: AccountId) -> InstanceSeen:
        values = {"id": id, "account": account}
        return _instance(await self._one(_OWN_INSTANCE, "instance", id, values))

    async def keys(self, account: AccountId) -> Sequence[Key]:
        c = t.keys.c
        query = select(t.keys).where(c.account == account)
        return [rows.key(row) for row in await self._all(query.order_by(c.created_at.desc(), c.id))]

    async def key(self, id: KeyId) -> KeySeen | None:
        found = await self._all(_KEY, {"id": id})
        return KeySeen(rows.key(found[0]), found[0][t.accounts.c.operator]) if found else None

    async def accounts(self) -> Sequence[Account]:
        found = await self._all(select(t.accounts).order_by(t.accounts.c.id))
        return [rows.account(row) for row in found]

    async def account(self, id: AccountId) -> Account:
        query = select(t.accounts).where(t.accounts.c.id == id)
        return rows.account(await self._one(query, "account", id))

    async def _all(
        self, query: Select[Any], values: Mapping[str, object] | None = None
    ) -> list[RowMapping]:
        return await self._database.fetch(query, values)

    async def _one(
        self,
        query: Select[Any],
        kind: str,
        id: object,
        values: Mapping[str, object] | None = None,
    ) -> RowMapping:
        found = await self._all(query, values)
        if not found:
            raise NotFound(kind, id)
        return found[0]


def _transfer(row: RowMapping) -> TransferSeen:
    called = row[t.instances.c.called]
    return TransferSeen(
        transfer=rows.transfer(row),
        instance_label=row[t.instances.c.label] if called is None else called,
        instance_name=None if called is None else row[t.instances.c.label],
        connection_name=row[t.connections.c.name],
        cloud_type=row[t.connections.c.cloud_type],
        machine_seen_at=row[t.machines.c.seen_at],
        progress=rows.progress(row),
    )


def _instance(row: RowMapping) -> InstanceSeen:
    return InstanceSeen(
        instance=rows.standing_instance(row),
        machine_name=row[t.machines.c.name],
        machine_seen_at=row[t.machines.c.seen_at],
        hardware=rows.hardware(row[t.machines.c.hardware]),
        latest=None if row[t.transfers.c.id] is None else _transfer(row),
    )
