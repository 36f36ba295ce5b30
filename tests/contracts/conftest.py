"""Every adapter of a port, opened on an empty directory, and something to put into it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import insert

from cloudcopy.adapters.sql import tables
from cloudcopy.adapters.sql.database import open_database
from cloudcopy.adapters.sql.reads import SqlReads
from cloudcopy.adapters.sql.store import open_store as open_sql_store
from cloudcopy.domain.connection import Connection
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.machine import AccountId, ActualStatus, Announced, Instance, Machine
from cloudcopy.domain.order import Direction, Order, TransferId
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.transfer import Transfer, accept
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore

MINE = AccountId(1)
THEIRS = AccountId(2)
NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
TOKEN_LIFE = timedelta(minutes=30)


@dataclass(frozen=True)
class Opened:
    """One adapter: both sides of the same data, in which accounts 1 and 2 exist."""

    open_store: OpenStore
    reads: Reads


@pytest.fixture(params=["sqlite"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    async with open_database(tmp_path / "cloudcopy.db") as database:
        async with database.write() as connection:
            await connection.execute(insert(tables.accounts).values(id=THEIRS, name="other"))
        yield Opened(partial(open_sql_store, database), SqlReads(database))


@pytest.fixture
def open_store(opened: Opened) -> OpenStore:
    return opened.open_store


@pytest.fixture
def reads(opened: Opened) -> Reads:
    return opened.reads


@dataclass(frozen=True)
class World:
    """A machine with the instances ``box`` and ``spare``, and a connection, of one account."""

    account: AccountId
    machine: Machine
    box: Instance
    spare: Instance
    connection: Connection
    new_id: Callable[[], str]

    def transfer(
        self, *, instance: Instance | None = None, remote: str = "data", key: str = "key-1"
    ) -> Transfer:
        order = Order(
            instance=(instance or self.box).id,
            connection=self.connection.id,
            direction=Direction.TO_CLOUD,
            local=InstancePath("work/ünï"),
            remote=RemotePath(remote),
            flags=Flags.parse(["--dry-run", "--max-size=1G", "--filter", "- *.tmp"]),
        )
        return accept(
            TransferId(self.new_id()),
            order,
            account=self.account,
            key=KeyId(key),
            machine=self.machine.id,
            fence="fence-1",
            at=NOW,
        )


async def settle(open_store: OpenStore, account: AccountId, new_id: Callable[[], str]) -> World:
    """Give `account` one of everything."""
    token = f"token of {account}".encode()
    async with open_store() as store:
        await store.machines.add_token(token, account=account, expires_at=NOW + TOKEN_LIFE)
        machine = await store.machines.enrol(token, public_key=b"k" * 32, name="host", at=NOW)
        box, spare = await store.machines.announce(
            machine.id,
            [
                Announced("box", "/srv/box", ActualStatus.RUNNING),
                Announced("spare", "/srv/spare", ActualStatus.STOPPED),
            ],
            at=NOW,
        )
        connection = await store.connections.add(
            account=account,
            name="store",
            cloud_type="s3",
            root="bucket",
            shown={"region": "eu-1"},
            at=NOW,
        )
    return World(account, machine, box, spare, connection, new_id)


@pytest.fixture
def new_id() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"t_{next(numbers):026}"


@pytest.fixture
async def world(open_store: OpenStore, new_id: Callable[[], str]) -> World:
    return await settle(open_store, MINE, new_id)


@pytest.fixture
async def theirs(open_store: OpenStore, new_id: Callable[[], str]) -> World:
    return await settle(open_store, THEIRS, new_id)
