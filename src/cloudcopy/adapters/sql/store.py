"""The store of `ports.store` over SQL: one write transaction, and what can be done in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql.accounts import SqlAccounts
from cloudcopy.adapters.sql.connections import SqlConnections
from cloudcopy.adapters.sql.database import Database
from cloudcopy.adapters.sql.instances import SqlInstances
from cloudcopy.adapters.sql.keys import SqlKeys
from cloudcopy.adapters.sql.ledgers import SqlLedgers
from cloudcopy.adapters.sql.machines import SqlMachines
from cloudcopy.adapters.sql.schedules import SqlSchedules
from cloudcopy.adapters.sql.ssh_keys import SqlSshKeys
from cloudcopy.adapters.sql.transfers import SqlTransfers


@dataclass(frozen=True, slots=True)
class SqlStore:
    transfers: SqlTransfers
    ledgers: SqlLedgers
    connections: SqlConnections
    machines: SqlMachines
    instances: SqlInstances
    ssh_keys: SqlSshKeys
    keys: SqlKeys
    accounts: SqlAccounts
    schedules: SqlSchedules


@asynccontextmanager
async def open_store(database: Database) -> AsyncIterator[SqlStore]:
    """`ports.store.OpenStore`, once the database is bound: ``partial(open_store, database)``.

    Other writers wait until it ends, so nothing slow belongs inside.
    """
    async with database.write() as connection:
        yield store_on(connection)


def store_on(connection: AsyncConnection) -> SqlStore:
    """The store within the transaction of this connection."""
    return SqlStore(
        transfers=SqlTransfers(connection),
        ledgers=SqlLedgers(connection),
        connections=SqlConnections(connection),
        machines=SqlMachines(connection),
        instances=SqlInstances(connection),
        ssh_keys=SqlSshKeys(connection),
        keys=SqlKeys(connection),
        accounts=SqlAccounts(connection),
        schedules=SqlSchedules(connection),
    )
