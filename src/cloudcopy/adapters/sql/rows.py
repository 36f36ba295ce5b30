"""Rows as domain values, and back. Rows are read by column, so that joins may repeat names."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping

from cloudcopy.adapters.sql import tables as t
from cloudcopy.domain.accounts import Account
from cloudcopy.domain.connection import Connection, ConnectionId
from cloudcopy.domain.errors import Destroyed
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import Key, KeyId, Rights
from cloudcopy.domain.machine import (
    AccountId,
    ActualStatus,
    Created,
    Instance,
    InstanceId,
    Intended,
    Machine,
    MachineId,
)
from cloudcopy.domain.offer import Hardware
from cloudcopy.domain.order import (
    Agreed,
    Direction,
    Mode,
    Order,
    Scope,
    TransferId,
    Verify,
    Work,
)
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.permissions import Permissions
from cloudcopy.domain.progress import Progress, Result
from cloudcopy.domain.rates import Rate
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.reads import Moved

LIVE: Final = tuple(state.value for state in State if not state.final)


def transfer(row: RowMapping) -> Transfer:
    c = t.transfers.c
    order = Order(
        instance=InstanceId(row[c.instance]),
        connection=ConnectionId(row[c.connection]),
        direction=Direction(row[c.direction]),
        local=InstancePath(row[c.local]),
        remote=RemotePath(row[c.remote]),
        flags=Flags.parse(row[c.flags]),
        work=Work(row[c.work]),
        mode=Mode(row[c.mode]),
        verify=Verify(row[c.verify]),
        agreed=None if row[c.agreed] is None else msgspec.convert(row[c.agreed], Agreed),
    )
    return Transfer(
        id=TransferId(row[c.id]),
        account=AccountId(row[c.account]),
        key=KeyId(row[c.key]),
        machine=MachineId(row[c.machine]),
        order=order,
        state=State(row[c.state]),
        attempt=row[c.attempt],
        fence=row[c.fence],
        created_at=row[c.created_at],
        started_at=row[c.started_at],
        ended_at=row[c.ended_at],
        reason=row[c.reason],
        result=None if row[c.result] is None else msgspec.convert(row[c.result], Result),
        admitted=row[c.admitted],
        scope=Scope(row[c.scope]),
        bwlimit=row[c.bwlimit],
    )


def progress(row: RowMapping) -> Progress | None:
    """The stored numbers of a transfer's row."""
    kept = row[t.transfers.c.progress]
    return None if kept is None else msgspec.convert(kept, Progress)


def as_json(numbers: Progress | Result | Agreed | None) -> Any:
    """What a JSON column takes; `msgspec.convert` reads it back."""
    return None if numbers is None else msgspec.to_builtins(numbers)


def ordered(transfer: Transfer) -> Mapping[str, object]:
    """The columns that never change once the transfer was accepted."""
    return {
        "id": transfer.id,
        "account": transfer.account,
        "machine": transfer.machine,
        "instance": transfer.order.instance,
        "connection": transfer.order.connection,
        "direction": transfer.order.direction.value,
        "local": transfer.order.local.value,
        "remote": transfer.order.remote.value,
        "flags": transfer.order.flags.words(),
        "work": transfer.order.work.value,
        "mode": transfer.order.mode.value,
        "verify": transfer.order.verify.value,
        "agreed": as_json(transfer.order.agreed),
        "key": transfer.key,
        "created_at": transfer.created_at,
    }


def standing(transfer: Transfer) -> Mapping[str, object]:
    """The columns that say how far it has come."""
    return {
        "state": transfer.state.value,
        "attempt": transfer.attempt,
        "fence": transfer.fence,
        "started_at": transfer.started_at,
        "ended_at": transfer.ended_at,
        "reason": transfer.reason,
        "result": as_json(transfer.result),
        "admitted": transfer.admitted,
        "scope": transfer.scope.value,
        "bwlimit": transfer.bwlimit,
    }


def moved(row: RowMapping) -> Moved:
    c = t.transfer_events.c
    return Moved(
        number=row[c.number],
        at=row[c.at],
        state=State(row[c.state]),
        attempt=row[c.attempt],
        reason=row[c.reason],
    )


def connection(row: RowMapping) -> Connection:
    c = t.connections.c
    return Connection(
        id=ConnectionId(row[c.id]),
        account=AccountId(row[c.account]),
        name=row[c.name],
        cloud_type=row[c.cloud_type],
        root=row[c.root],
        shown=row[c.shown],
        created_at=row[c.created_at],
    )


def machine(row: RowMapping) -> Machine:
    c = t.machines.c
    return Machine(
        id=MachineId(row[c.id]),
        account=AccountId(row[c.account]),
        name=row[c.name],
        public_key=row[c.public_key],
        epoch=row[c.epoch],
        created_at=row[c.created_at],
        seen_at=row[c.seen_at],
    )


def instance(row: RowMapping) -> Instance:
    c = t.instances.c
    created = _created(row)
    return Instance(
        id=InstanceId(row[c.id]),
        account=AccountId(row[c.account]),
        machine=MachineId(row[c.machine]),
        label=row[c.called] if created else row[c.label],
        root=row[c.root],
        actual_status=ActualStatus(row[c.actual_status]),
        created_at=row[c.created_at],
        created=created,
    )


def account(row: RowMapping) -> Account:
    c = t.accounts.c
    return Account(id=AccountId(row[c.id]), name=row[c.name], operator=row[c.operator])


def standing_instance(row: RowMapping) -> Instance:
    """Raises Destroyed for one that its owner had destroyed."""
    found = instance(row)
    if found.created is not None and found.created.intended is Intended.DESTROYED:
        raise Destroyed(found.id)
    return found


def _created(row: RowMapping) -> Created | None:
    c = t.instances.c
    if row[c.intended] is None:
        return None
    return Created(
        name=row[c.label],
        intended=Intended(row[c.intended]),
        boot=row[c.boot],
        image=row[c.image],
        onstart=row[c.onstart],
        args=tuple(row[c.args] or ()),
        disk_gb=row[c.disk_gb],
        text=row[c.text],
    )


def hardware(kept: Any) -> Hardware | None:
    """What a machine announced; `msgspec.to_builtins` made it."""
    return None if kept is None else msgspec.convert(kept, Hardware)


def key(row: RowMapping) -> Key:
    c = t.keys.c
    slow = row[c.per_second]
    rights = Rights(
        permissions=Permissions.parse(row[c.permissions]),
        expires_at=row[c.expires_at],
        rate=None if slow is None else Rate(slow, row[c.burst]),
    )
    return Key(
        id=KeyId(row[c.id]),
        account=AccountId(row[c.account]),
        name=row[c.name],
        digest=row[c.digest],
        created_at=row[c.created_at],
        revoked_at=row[c.revoked_at],
        number=row[c.number],
        rights=rights,
        last_used_at=row[c.last_used_at],
        made_with=row[c.made_with],
    )
