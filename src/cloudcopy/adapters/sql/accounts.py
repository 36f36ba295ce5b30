"""Accounts within one transaction; see `ports.store.Accounts`."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql import rows
from cloudcopy.adapters.sql.database import insert_if_new
from cloudcopy.adapters.sql.tables import accounts
from cloudcopy.domain.accounts import Account
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.machine import AccountId


class SqlAccounts:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, name: str, *, operator: bool) -> Account:
        adding = insert_if_new(accounts).values(name=name, operator=operator).returning(accounts)
        row = (await self._connection.execute(adding)).mappings().one_or_none()
        if row is None:
            raise Conflict(
                f"There is an account called {name!r} already.",
                code="name_taken",
                next=("Choose another name.",),
            )
        return rows.account(row)

    async def get(self, id: AccountId) -> Account:
        found = await self._connection.execute(select(accounts).where(accounts.c.id == id))
        row = found.mappings().one_or_none()
        if row is None:
            raise NotFound("account", id)
        return rows.account(row)
