"""Machines, their instances and join tokens within one transaction; see `ports.store.Machines`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql.tables import instances, join_tokens, machines
from cloudcopy.domain.errors import Forbidden, NotFound
from cloudcopy.domain.machine import (
    AccountId,
    ActualStatus,
    Announced,
    Instance,
    InstanceId,
    Intended,
    Machine,
    MachineId,
)

# Built once: it is part of every submission.
_INSTANCE: Final = select(instances).where(
    instances.c.id == bindparam("id"), instances.c.account == bindparam("account")
)

_SEEN: Final = (
    update(machines).where(machines.c.id == bindparam("of")).values(seen_at=bindparam("at"))
)
_SEVERAL: Final = select(instances).where(
    instances.c.id.in_(bindparam("ids", expanding=True)),
    instances.c.account == bindparam("account"),
    func.coalesce(instances.c.intended, "") != Intended.DESTROYED.value,
)


class SqlMachines:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_token(self, digest: bytes, *, account: AccountId, expires_at: datetime) -> None:
        await self._connection.execute(
            insert(join_tokens).values(digest=digest, account=account, expires_at=expires_at)
        )

    async def enrol(self, digest: bytes, *, public_key: bytes, name: str, at: datetime) -> Machine:
        c = join_tokens.c
        found = await self._connection.execute(
            select(join_tokens).where(c.digest == digest).with_for_update()
        )
        token = found.mappings().one_or_none()
        if token is None:
            raise _refused()
        if token[c.used_by] is not None:
            machine = await self.get(token[c.used_by])
            if machine.public_key != public_key:
                raise _refused()
            return machine
        if at >= token[c.expires_at]:
            raise _refused()
        added = await self._connection.execute(
            insert(machines)
            .values(
                account=token[c.account], name=name, public_key=public_key, epoch=0, created_at=at
            )
            .returning(machines)
        )
        machine = rows.machine(added.mappings().one())
        await self._connection.execute(
            update(join_tokens).where(c.digest == digest).values(used_by=machine.id)
        )
        return machine

    async def get(self, id: MachineId, *, account: AccountId | None = None) -> Machine:
        query = select(machines).where(machines.c.id == id)
        if account is not None:
            query = query.where(machines.c.account == account)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound("machine", id)
        return rows.machine(row)

    async def connected(self, id: MachineId, *, at: datetime) -> int:
        drawn = await self._connection.scalar(
            update(machines)
            .where(machines.c.id == id)
            .values(epoch=machines.c.epoch + 1, seen_at=at)
            .returning(machines.c.epoch)
        )
        if drawn is None:
            raise NotFound("machine", id)
        return int(drawn)

    async def seen(self, when: Mapping[MachineId, datetime]) -> None:
        heard = [{"of": id, "at": at} for id, at in when.items()]
        await self._connection.execute(_SEEN, heard)

    async def announce(
        self, id: MachineId, named: Sequence[Announced], *, at: datetime
    ) -> Sequence[Instance]:
        machine = await self.get(id)
        before = await self._instances(id)
        new = [
            {
                "account": machine.account,
                "machine": id,
                "label": each.label,
                "root": each.root,
                "actual_status": each.actual_status.value,
                "created_at": at,
            }
            for each in named
            if each.label not in before
        ]
        if new:
            await self._connection.execute(insert(instances), new)
        gone = before.keys() - {each.label for each in named}
        told = [
            *(each for each in named if each.label in before),
            *(Announced(label, before[label].root, ActualStatus.OFFLINE) for label in gone),
        ]
        await self._tell({before[each.label].id: each for each in told}, before)
        after = await self._instances(id)
        return [after[each.label] for each in named]

    async def _tell(self, told: dict[InstanceId, Announced], before: dict[str, Instance]) -> None:
        changed = [
            {"of": id, "root": each.root, "actual_status": each.actual_status.value}
            for id, each in told.items()
            if (each.root, each.actual_status)
            != (before[each.label].root, before[each.label].actual_status)
        ]
        if changed:
            await self._connection.execute(
                update(instances).where(instances.c.id == bindparam("of")), changed
            )

    async def _instances(self, machine: MachineId) -> dict[str, Instance]:
        found = await self._connection.execute(
            select(instances).where(instances.c.machine == machine, instances.c.intended.is_(None))
        )
        known = [rows.instance(row) for row in found.mappings()]
        return {each.label: each for each in known}

    async def instances(
        self, ids: Collection[InstanceId], *, account: AccountId
    ) -> Sequence[Instance]:
        values = {"ids": [*ids], "account": account}
        found = await self._connection.execute(_SEVERAL, values)
        return [rows.standing_instance(row) for row in found.mappings()]

    async def instance(self, id: InstanceId, *, account: AccountId) -> Instance:
        found = await self._connection.execute(_INSTANCE, {"id": id, "account": account})
        row = found.mappings().one_or_none()
        if row is None:
            raise NotFound("instance", id)
        return rows.standing_instance(row)


def _refused() -> Forbidden:
    return Forbidden(
        "This join token is unknown, expired, or was used by another machine.",
        next=("Make a new one: cloudcopy machine token.",),
    )
