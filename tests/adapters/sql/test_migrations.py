"""The schema that migrations make, and several servers that make it at once."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from cloudcopy.adapters.sql.database import MIGRATIONS, open_database
from cloudcopy.adapters.sql.reads import SqlReads
from cloudcopy.adapters.sql.tables import accounts, metadata
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.keys import EVERYTHING, KeyId
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.order import Mode, Scope, Verify, Work
from cloudcopy.domain.transfer import State
from cloudcopy.ports.reads import TransferFilter

OPEN_IT = """
import asyncio, pathlib, sys
from cloudcopy.adapters.sql.database import open_database

async def main():
    async with open_database(pathlib.Path(sys.argv[1])) as database:
        async with database.write():
            pass

asyncio.run(main())
"""
SCHEMA = text(
    "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    " AND name NOT IN ('alembic_version', 'sqlite_sequence')"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cloudcopy.db"


@pytest.fixture
async def migrated(path: Path) -> AsyncIterator[AsyncConnection]:
    async with open_database(path) as database, database.read() as connection:
        yield connection


async def schema(connection: AsyncConnection) -> dict[str, list[str]]:
    """The words of each definition, sorted: a column that was added stands behind the
    constraints, and means the same there."""
    return {
        row.name: sorted(filter(None, map(str.strip, re.split(r"[,\n()]", row.sql))))
        for row in await connection.execute(SCHEMA)
    }


async def test_migrations_make_what_the_tables_say(migrated: AsyncConnection) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await migrated.run_sync(differences) == []


async def test_migrations_make_it_to_the_letter(migrated: AsyncConnection, tmp_path: Path) -> None:
    """Alembic compares neither AUTOINCREMENT nor the condition of a partial index."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'plain.db'}")
    async with engine.begin() as plain:
        await plain.run_sync(metadata.create_all)
        expected = await schema(plain)
    await engine.dispose()
    assert await schema(migrated) == expected


def test_the_tables_can_be_made_on_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    tables = [str(CreateTable(each).compile(dialect=dialect)) for each in metadata.sorted_tables]
    indexes = [
        str(CreateIndex(each).compile(dialect=dialect))
        for table in metadata.sorted_tables
        for each in table.indexes
    ]
    assert "START WITH 1001" in "".join(tables)
    assert "WHERE NOT removed" in "".join(indexes)


async def test_the_first_account_is_there(migrated: AsyncConnection) -> None:
    found = (await migrated.execute(select(accounts))).all()
    assert [tuple(row) for row in found] == [(1, "default", True)]


async def test_opening_it_again_changes_nothing(path: Path) -> None:
    async with open_database(path) as database, database.read() as connection:
        before = await schema(connection)
    async with open_database(path) as database, database.read() as connection:
        assert await schema(connection) == before
        assert (await connection.execute(select(accounts))).all() == [(1, "default", True)]


async def test_servers_that_start_at_once_do_not_collide(path: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    servers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", OPEN_IT, str(path),
            env=environment, stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(6)
    ]  # fmt: skip
    said = [(await each.communicate())[1].decode() for each in servers]
    assert said == [""] * 6
    assert [each.returncode for each in servers] == [0] * 6


async def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    async with open_database(path) as database, database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="made by a newer version"):
        async with open_database(path):
            pass


async def test_a_migration_that_fails_leaves_nothing_behind(path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as connection:  # in the way of the last table
        await connection.execute(text("CREATE TABLE transfers (id TEXT)"))
    with pytest.raises(Unavailable, match="already exists"):
        async with open_database(path):
            pass
    async with engine.connect() as connection:
        assert list(await schema(connection)) == ["transfers"]
    await engine.dispose()


FIRST_RELEASE = (
    "INSERT INTO machines (id, account, name, public_key, epoch, created_at)"
    " VALUES (1, 1, 'gpu-1', X'00', 1, '2026-01-01 00:00:00.000000')",
    "INSERT INTO instances (id, account, machine, label, root, actual_status, created_at)"
    " VALUES (101, 1, 1, 'box', '/srv', 'running', '2026-01-01 00:00:00.000000')",
    "INSERT INTO connections (id, account, name, cloud_type, root, shown, created_at, removed)"
    " VALUES (1001, 1, 'store', 's3', '', '{}', '2026-01-01 00:00:00.000000', 0)",
    "INSERT INTO keys (id, account, name, digest, created_at)"
    " VALUES ('a', 1, 'second', X'00', '2026-01-02 00:00:00.000000'),"
    " ('b', 1, 'first', X'00', '2026-01-01 00:00:00.000000'),"
    " ('c', 1, 'third', X'00', '2026-01-02 00:00:00.000000')",
)
A_TRANSFER = text(
    "INSERT INTO transfers (id, account, machine, instance, connection, direction, local, remote,"
    " flags, state, attempt, fence, created_at, reason, request_digest) VALUES"
    " (:id, 1, 1, 101, 1001, 'instance_to_cloud', 'a', 'b', '[]', :state, 1, 'f',"
    " '2026-01-01 00:00:00.000000', '', '')"
)


async def test_what_the_first_release_stored_is_read_and_what_agents_know_keeps_its_turn(
    path: Path,
) -> None:
    states = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled")

    def first_release(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", MIGRATIONS)
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in FIRST_RELEASE:
            connection.execute(text(statement))
        for state in states:
            connection.execute(A_TRANSFER, {"id": f"t_{state}", "state": state})

    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as connection:
        await connection.run_sync(first_release)
    await engine.dispose()
    async with open_database(path) as database:
        reads = SqlReads(database)
        found = [
            each.transfer for each in await reads.transfers(AccountId(1), TransferFilter(limit=9))
        ]
        assert await reads.history(found[0].id) == []
        keys = await reads.keys(AccountId(1))
        one = await reads.key(KeyId("a"))
    assert {each.name: each.number for each in keys} == {"first": 1, "second": 2, "third": 3}
    assert {each.rights for each in keys if each.rights == EVERYTHING} == {EVERYTHING}
    assert [each for each in keys if each.rights != EVERYTHING] == []
    assert one is not None
    assert one.operator
    assert {each.state: each.admitted for each in found} == {
        State(state): state in ("queued", "running", "cancelling") for state in states
    }
    assert {(each.key, each.bwlimit, each.scope) for each in found} == {("", "", Scope.ALL)}
    orders = {each.order for each in found}
    assert {(each.work, each.mode, each.verify, each.agreed) for each in orders} == {
        (Work.TRANSFER, Mode.COPY, Verify.HASH, None)
    }
