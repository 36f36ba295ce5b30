"""SSH keys within one transaction; see `ports.instances.SshKeys`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql.tables import ssh_keys
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.ssh import MAX_KEYS, SshKey, SshKeyId

_c = ssh_keys.c


def ssh_key(row: RowMapping) -> SshKey:
    return SshKey(
        id=SshKeyId(row[_c.id]),
        account=AccountId(row[_c.account]),
        public_key=row[_c.public_key],
        created_at=row[_c.created_at],
    )


class SqlSshKeys:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, public_key: str, *, account: AccountId, at: datetime) -> SshKey:
        known = await self.all(account)
        for each in known:
            if each.public_key == public_key:
                return each
        if len(known) >= MAX_KEYS:
            raise Conflict(
                f"There are {MAX_KEYS} SSH keys already.",
                code="too_many_ssh_keys",
                next=("Remove those that are no longer used.",),
            )
        added = await self._connection.execute(
            insert(ssh_keys)
            .values(account=account, public_key=public_key, created_at=at, removed=False)
            .returning(ssh_keys)
        )
        return ssh_key(added.mappings().one())

    async def all(self, account: AccountId) -> Sequence[SshKey]:
        query = select(ssh_keys).where(_c.account == account, ~_c.removed).order_by(_c.id)
        return [ssh_key(row) for row in (await self._connection.execute(query)).mappings()]

    async def change(self, id: SshKeyId, public_key: str, *, account: AccountId) -> SshKey:
        changed = await self._connection.execute(
            update(ssh_keys)
            .where(_c.id == id, _c.account == account, ~_c.removed)
            .values(public_key=public_key)
            .returning(ssh_keys)
        )
        row = changed.mappings().one_or_none()
        if row is None:
            raise NotFound("ssh key", id)
        return ssh_key(row)

    async def remove(self, id: SshKeyId, *, account: AccountId) -> None:
        removed = await self._connection.execute(
            update(ssh_keys)
            .where(_c.id == id, _c.account == account, ~_c.removed)
            .values(removed=True)
        )
        if removed.rowcount == 0:
            raise NotFound("ssh key", id)
