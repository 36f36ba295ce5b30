"""API keys within one transaction; see `ports.store.Keys`."""

from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql.tables import keys
from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.keys import Key, KeyId
from cloudcopy.domain.machine import AccountId


class SqlKeys:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, key: Key) -> None:
        await self._connection.execute(
            insert(keys).values(
                id=key.id,
                account=key.account,
                name=key.name,
                digest=key.digest,
                created_at=key.created_at,
                revoked_at=key.revoked_at,
            )
        )

    async def get(self, id: KeyId) -> Key | None:
        found = await self._connection.execute(select(keys).where(keys.c.id == id))
        row = found.mappings().one_or_none()
        return None if row is None else rows.key(row)

    async def revoke(self, id: KeyId, *, account: AccountId, at: datetime) -> None:
        """The first time stays."""
        c = keys.c
        revoked = await self._connection.execute(
            update(keys)
            .where(c.id == id, c.account == account)
            .values(revoked_at=func.coalesce(c.revoked_at, at))
        )
        if revoked.rowcount == 0:
            raise NotFound("key", id)
