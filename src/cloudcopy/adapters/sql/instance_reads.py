"""What is looked at about created instances; see `ports.instances.InstanceReads`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, exists, select

from cloudcopy.adapters.sql import instances as changes
from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql import tables as t
from cloudcopy.adapters.sql.ssh_keys import ssh_key
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.question import Kind, Question, QuestionId
from cloudcopy.domain.ssh import SshKey
from cloudcopy.ports.instances import OfferSeen, WantedSeen
from cloudcopy.ports.vault import Sealed


class SqlInstanceReads:
    """`SqlReads` gives it `_all` and `_one`."""

    async def _all(self, query: Select[Any]) -> list[RowMapping]:
        raise AssertionError("SqlReads has it")

    async def _one(self, query: Select[Any], kind: str, id: object) -> RowMapping:
        raise AssertionError("SqlReads has it")

    async def wanted(self, machine: MachineId) -> Sequence[WantedSeen]:
        c = t.instances.c
        mine = (c.machine == machine, c.intended.is_not(None), c.gone_at.is_(None))
        busy = (
            exists()
            .where(t.transfers.c.instance == c.id, t.transfers.c.state.in_(rows.LIVE))
            .label("busy")
        )
        found = await self._all(select(t.instances, busy).where(*mine).order_by(c.id))
        if not found:
            return []
        keys = defaultdict(list)
        placed = select(t.instance_keys.c.instance, t.ssh_keys.c.public_key).join_from(
            t.instance_keys, t.ssh_keys
        )
        placed = placed.join(t.instances, c.id == t.instance_keys.c.instance).where(*mine)
        for row in await self._all(placed.order_by(t.ssh_keys.c.id)):
            keys[row[t.instance_keys.c.instance]].append(row[t.ssh_keys.c.public_key])
        return [
            WantedSeen(
                instance=rows.instance(row),
                sealed_env=_sealed(row),
                keys=keys[row[c.id]],
                busy=row["busy"],
            )
            for row in found
        ]

    async def offers(self, account: AccountId) -> Sequence[OfferSeen]:
        query = changes.offers(account).order_by(t.machines.c.id)
        return [changes.offer(row) for row in await self._all(query)]

    async def ssh_keys(self, account: AccountId) -> Sequence[SshKey]:
        c = t.ssh_keys.c
        query = select(t.ssh_keys).where(c.account == account, ~c.removed).order_by(c.id)
        return [ssh_key(row) for row in await self._all(query)]

    async def keys_of(self, id: InstanceId) -> Sequence[SshKey]:
        query = (
            select(t.ssh_keys)
            .join(t.instance_keys)
            .where(t.instance_keys.c.instance == id)
            .order_by(t.ssh_keys.c.id)
        )
        return [ssh_key(row) for row in await self._all(query)]

    async def unanswered(
        self, machine: MachineId, *, since: datetime
    ) -> Sequence[tuple[Question, str]]:
        c = t.questions.c
        query = (
            select(t.questions, t.instances.c.label)
            .join(t.instances, t.instances.c.id == c.instance)
            .where(c.machine == machine, c.answered_at.is_(None), c.asked_at >= since)
            .order_by(c.asked_at, c.id)
        )
        return [(_question(row), row[t.instances.c.label]) for row in await self._all(query)]

    async def question(self, id: QuestionId) -> Question:
        query = select(t.questions).where(t.questions.c.id == id)
        return _question(await self._one(query, "question", id))


def _sealed(row: RowMapping) -> Sealed | None:
    c = t.instances.c
    if row[c.sealed_box] is None:
        return None
    return Sealed(key=row[c.sealed_key], box=row[c.sealed_box])


def _question(row: RowMapping) -> Question:
    c = t.questions.c
    return Question(
        id=QuestionId(row[c.id]),
        account=AccountId(row[c.account]),
        instance=InstanceId(row[c.instance]),
        kind=Kind(row[c.kind]),
        asked_at=row[c.asked_at],
        command=row[c.command],
        tail=row[c.tail],
        filter=row[c.filter],
        daemon=row[c.daemon],
        answered_at=row[c.answered_at],
        answer=row[c.answer],
    )
