"""Connections within one transaction; see `ports.store.Connections`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql.tables import connections
from cloudcopy.domain.connection import Connection, ConnectionId
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.machine import AccountId
from cloudcopy.ports.vault import Sealed

# Built once: it is part of every submission.
_ONE: Final = select(connections).where(
    connections.c.id == bindparam("id"),
    connections.c.account == bindparam("account"),
    ~connections.c.removed,
)


class SqlConnections:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(
        self,
        *,
        account: AccountId,
        name: str,
        cloud_type: str,
        root: str,
        shown: Mapping[str, str],
        at: datetime,
    ) -> Connection:
        adding = (
            insert(connections)
            .values(
                account=account,
                name=name,
                cloud_type=cloud_type,
                root=root,
                shown=dict(shown),
                created_at=at,
                removed=False,
            )
            .returning(connections)
        )
        if await self.named(name, account=account) is not None:  # nobody else writes meanwhile
            raise Conflict(
                f"There is a connection named {name} already.",
                code="name_taken",
                next=("Choose another name, or remove that connection first.",),
            )
        return rows.connection((await self._connection.execute(adding)).mappings().one())

    async def seal(self, id: ConnectionId, sealed: Sealed) -> None:
        c = connections.c
        await self._connection.execute(
            update(connections)
            .where(c.id == id, ~c.removed)
            .values(sealed_key=sealed.key, sealed_box=sealed.box)
        )

    async def get(self, id: ConnectionId, *, account: AccountId) -> Connection:
        found = await self._connection.execute(_ONE, {"id": id, "account": account})
        row = found.mappings().one_or_none()
        if row is None:
            raise NotFound("connection", id)
        return rows.connection(row)

    async def named(self, name: str, *, account: AccountId) -> Connection | None:
        c = connections.c
        found = await self._connection.execute(
            select(connections).where(c.account == account, c.name == name, ~c.removed)
        )
        row = found.mappings().one_or_none()
        return None if row is None else rows.connection(row)

    async def remove(self, id: ConnectionId) -> None:
        await self._connection.execute(
            update(connections)
            .where(connections.c.id == id)
            .values(removed=True, sealed_key=None, sealed_box=None)
        )
