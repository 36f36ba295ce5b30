"""Created instances and questions within one transaction; see `ports.instances.Instances`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql.database import insert_if_new
from cloudcopy.adapters.sql.tables import (
    instance_keys,
    instances,
    machines,
    questions,
)
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.machine import (
    AccountId,
    ActualStatus,
    Created,
    Instance,
    InstanceId,
    Intended,
    MachineId,
)
from cloudcopy.domain.offer import Hardware, ask_of
from cloudcopy.domain.question import ANSWER_LIFE, MAX_OPEN, PATIENCE, Question, QuestionId
from cloudcopy.domain.ssh import SshKeyId
from cloudcopy.ports.instances import OfferSeen
from cloudcopy.ports.vault import Sealed


def offers(account: AccountId) -> Select[Any]:
    """The machines of an account that offer something, and how many instances each has."""
    c = instances.c
    on_it = (
        select(func.count())
        .where(
            c.machine == machines.c.id,
            c.intended.is_not(None),
            c.intended != Intended.DESTROYED.value,
        )
        .scalar_subquery()
        .label("on_it")
    )
    return select(machines, on_it).where(
        machines.c.account == account, machines.c.hardware.is_not(None)
    )


def offer(row: Any) -> OfferSeen:
    hardware = rows.hardware(row[machines.c.hardware])
    if hardware is None:
        raise AssertionError("the query leaves these out")
    return OfferSeen(machine=rows.machine(row), hardware=hardware, instances=row["on_it"])


class SqlInstances:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def describe(self, machine: MachineId, hardware: Hardware | None) -> None:
        kept = None if hardware is None else msgspec.to_builtins(hardware)
        await self._connection.execute(
            update(machines).where(machines.c.id == machine).values(hardware=kept)
        )

    async def offer(self, machine: MachineId, *, account: AccountId) -> OfferSeen:
        query = offers(account).where(machines.c.id == machine)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound("offer", ask_of(machine))
        return offer(row)

    async def add(
        self, *, account: AccountId, machine: MachineId, label: str, created: Created, at: datetime
    ) -> Instance:
        added = await self._connection.execute(
            insert(instances)
            .values(
                account=account,
                machine=machine,
                label=created.name,
                root="",
                actual_status=ActualStatus.LOADING.value,
                created_at=at,
                called=label,
                **_created(created),
            )
            .returning(instances)
        )
        return rows.instance(added.mappings().one())

    async def seal(self, id: InstanceId, env: Sealed) -> None:
        await self._connection.execute(
            update(instances)
            .where(instances.c.id == id)
            .values(sealed_key=env.key, sealed_box=env.box)
        )

    async def get(self, id: InstanceId, *, account: AccountId) -> Instance:
        c = instances.c
        found = await self._connection.execute(
            select(instances).where(c.id == id, c.account == account).with_for_update()
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise NotFound("instance", id)
        return rows.standing_instance(row)

    async def named(self, machine: MachineId, name: str) -> Instance | None:
        c = instances.c
        found = await self._connection.execute(
            select(instances)
            .where(
                c.machine == machine,
                c.label == name,
                c.intended.is_not(None),
                c.gone_at.is_(None),
            )
            .with_for_update()
        )
        row = found.mappings().one_or_none()
        return None if row is None else rows.instance(row)

    async def save(self, instance: Instance) -> None:
        if instance.created is None:
            raise AssertionError("its machine says what an announced instance is")
        await self._connection.execute(
            update(instances)
            .where(instances.c.id == instance.id)
            .values(
                called=instance.label,
                actual_status=instance.actual_status.value,
                **_created(instance.created),
            )
        )

    async def gone(self, id: InstanceId, *, at: datetime) -> None:
        c = instances.c
        await self._connection.execute(
            update(instances)
            .where(c.id == id, c.gone_at.is_(None))
            .values(
                gone_at=at,
                actual_status=ActualStatus.OFFLINE.value,
                onstart="",
                sealed_key=None,
                sealed_box=None,
            )
        )

    async def attach(self, id: InstanceId, keys: Sequence[SshKeyId]) -> None:
        for key in keys:
            await self._connection.execute(
                insert_if_new(instance_keys).values(instance=id, ssh_key=key)
            )

    async def detach(self, id: InstanceId, key: SshKeyId) -> None:
        c = instance_keys.c
        removed = await self._connection.execute(
            delete(instance_keys).where(c.instance == id, c.ssh_key == key)
        )
        if removed.rowcount == 0:
            raise NotFound("ssh key", key)

    async def ask(self, question: Question, *, machine: MachineId) -> None:
        await self.forget(before=question.asked_at - ANSWER_LIFE)
        c = questions.c
        waiting = await self._connection.scalar(
            select(func.count())
            .select_from(questions)
            .where(
                c.instance == question.instance,
                c.answered_at.is_(None),
                c.asked_at >= question.asked_at - PATIENCE,
            )
        )
        if (waiting or 0) >= MAX_OPEN:
            raise Conflict(
                f"{MAX_OPEN} questions about instance {question.instance} wait for its machine.",
                code="too_many_questions",
                next=("Wait for the answers, then ask again.",),
            )
        await self._connection.execute(
            insert(questions).values(
                id=question.id,
                account=question.account,
                instance=question.instance,
                machine=machine,
                kind=question.kind.value,
                command=question.command,
                tail=question.tail,
                filter=question.filter,
                daemon=question.daemon,
                asked_at=question.asked_at,
            )
        )

    async def forget(self, *, before: datetime) -> None:
        await self._connection.execute(delete(questions).where(questions.c.asked_at < before))

    async def answered(
        self, id: QuestionId, *, machine: MachineId, answer: str, at: datetime
    ) -> None:
        c = questions.c
        await self._connection.execute(
            update(questions)
            .where(c.id == id, c.machine == machine, c.answered_at.is_(None))
            .values(answer=answer, answered_at=at)
        )


def _created(created: Created) -> dict[str, object]:
    return {
        "intended": created.intended.value,
        "boot": created.boot,
        "image": created.image,
        "onstart": created.onstart,
        "args": list(created.args),
        "disk_gb": created.disk_gb,
        "text": created.text,
    }
