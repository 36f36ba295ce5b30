"""What is SQLite's own: durability, locks, cancellation, indexes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from cloudcopy.adapters.sql import turns
from cloudcopy.adapters.sql.connections import SqlConnections
from cloudcopy.adapters.sql.database import Database, open_database
from cloudcopy.adapters.sql.tables import accounts, join_tokens
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.machine import AccountId
from cloudcopy.ports.vault import Sealed

NOW = datetime(2031, 5, 6, tzinfo=UTC)
RENAME = update(accounts).where(accounts.c.id == 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cloudcopy.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with open_database(path) as opened:
        yield opened


@pytest.fixture
def not_a_database(path: Path) -> Path:
    path.write_bytes(b"this is not a database" * 100)
    return path


def content(path: Path) -> bytes:
    return path.read_bytes()


async def name(database: Database) -> str:
    async with database.read() as connection:
        return str(await connection.scalar(select(accounts.c.name).where(accounts.c.id == 1)))


async def test_a_commit_is_on_disk_and_keys_are_enforced(database: Database) -> None:
    async with database.write() as connection:
        settings = [
            await connection.scalar(text(f"PRAGMA {each}"))
            for each in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert settings == ["wal", 2, 1, 5000]  # 2 is FULL


async def test_a_row_that_refers_to_nothing_is_refused_without_telling_its_values(
    database: Database,
) -> None:
    row = {"digest": b"do-not-tell", "account": 77, "expires_at": NOW}
    with pytest.raises(IntegrityError) as refused:
        async with database.write() as connection:
            await connection.execute(insert(join_tokens).values(row))
    assert "do-not-tell" not in str(refused.value)


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Unavailable):
        async with database.read() as connection:
            await connection.execute(RENAME.values(name="x"))
    assert await name(database) == "default"


async def test_a_writer_that_is_cancelled_leaves_nothing_and_lets_the_next_one_in(
    database: Database,
) -> None:
    inside = asyncio.Event()

    async def write() -> None:
        async with database.write() as connection:
            await connection.execute(RENAME.values(name="x"))
            inside.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await inside.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await name(database) == "default"
    async with database.write() as connection:
        await connection.execute(RENAME.values(name="y"))
    assert await name(database) == "y"


async def test_writers_cancelled_at_any_point_never_block_the_others(database: Database) -> None:
    async def write() -> None:
        async with database.write() as connection:
            await connection.execute(RENAME.values(name="x"))

    finished = 0
    for step in range(60):  # from before BEGIN to after COMMIT
        writing = asyncio.create_task(write())
        await asyncio.wait({writing}, timeout=step * 0.0002)
        finished += not writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert 0 < finished < 60
    async with asyncio.timeout(5), database.write() as connection:
        await connection.execute(RENAME.values(name="last"))
    assert await name(database) == "last"


async def test_a_writer_cancelled_over_rows_leaves_no_lock_behind(
    path: Path,
) -> None:
    kept: list[BaseException] = []  # as a log or a group of errors keeps them, with their frames

    async def write() -> None:
        try:
            async with database.write() as connection:
                await connection.execute(RENAME.values(name="x").returning(accounts))
                await connection.execute(RENAME.values(name="y").returning(accounts))
        except asyncio.CancelledError as error:
            kept.append(error)
            raise

    async with open_database(path, busy_seconds=0.2) as database:
        for step in range(200):
            writing = asyncio.create_task(write())
            await asyncio.wait({writing}, timeout=step % 40 * 0.0001)
            writing.cancel()
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            async with database.write() as connection:
                await connection.execute(RENAME.values(name="free"))
        assert len(kept) > 20
        assert await name(database) == "free"


async def test_a_database_that_stays_locked_is_unavailable(path: Path) -> None:
    async with open_database(path, busy_seconds=0.05) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="stayed locked"):
                async with database.write():
                    pass
            assert await name(database) == "default"  # readers do not wait
            other.execute("ROLLBACK")
        async with database.write() as connection:
            await connection.execute(RENAME.values(name="x"))
        assert await name(database) == "x"


async def test_a_file_that_is_no_database_is_refused_in_words(not_a_database: Path) -> None:
    with pytest.raises(Unavailable, match="file is not a database"):
        async with open_database(not_a_database):
            pass


async def test_a_database_in_no_directory_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file or directory"):
        async with open_database(tmp_path / "none" / "cloudcopy.db"):
            pass


async def test_the_files_are_for_their_owner_only(path: Path, database: Database) -> None:
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert modes == dict.fromkeys((path.name, f"{path.name}-wal", f"{path.name}-shm"), 0o600)


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    row = {"digest": b"d", "account": 1, "expires_at": NOW.replace(tzinfo=None)}
    with pytest.raises(Exception, match="without a zone"):
        async with database.write() as connection:
            await connection.execute(insert(join_tokens).values(row))


async def test_secrets_of_a_removed_connection_are_not_left_in_the_file(path: Path) -> None:
    secret = b"sealed-" * 40
    async with open_database(path) as database, database.write() as connection:
        kept = SqlConnections(connection)
        added = await kept.add(
            account=AccountId(1), name="s", cloud_type="s3", root="", shown={}, at=NOW
        )
        await kept.seal(added.id, Sealed(key=b"k", box=secret))
    assert secret in content(path)
    async with open_database(path) as database, database.write() as connection:
        await SqlConnections(connection).remove(added.id)
    assert b"sealed-sealed-" not in content(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("machine = 1 AND state IN ('queued', 'running')", "ix_transfers_machine_state"),
        ("instance = 1 AND state IN ('queued', 'running')", "ix_transfers_instance_state"),
        ("connection = 1 AND state IN ('queued', 'running')", "ix_transfers_connection_state"),
        ("account = 1 AND id < 't' ORDER BY id DESC LIMIT 50", "ix_transfers_account_id"),
        ("account = 1 AND idempotency_key = 'k'", "uq_transfers_account_idempotency_key"),
    ],
)
async def test_what_is_asked_often_is_answered_from_an_index(
    database: Database, condition: str, index: str
) -> None:
    async with database.read() as connection:
        plan = await connection.execute(
            text(f"EXPLAIN QUERY PLAN SELECT * FROM transfers WHERE {condition}")  # noqa: S608
        )
        said = [row.detail for row in plan]
    unnamed = "sqlite_autoindex_transfers_" if index.startswith("uq") else index
    assert [each for each in said if f"SEARCH transfers USING INDEX {unnamed}" in each]
    assert not [each for each in said if "TEMP B-TREE" in each and "LIMIT" in condition]


async def test_whose_turn_it_is_is_answered_from_the_index_alone(database: Database) -> None:
    """Ten thousand that wait in one lane are passed over with one look."""
    async with database.read() as connection:
        for query in (turns.HELD, turns.HEADS):
            words = query.params(account=1, full=[1, 2]).compile(
                dialect=sqlite.dialect(),  # type: ignore[no-untyped-call]
                compile_kwargs={"literal_binds": True},
            )
            plan = await connection.execute(text(f"EXPLAIN QUERY PLAN {words}"))
            said = "\n".join(row.detail for row in plan)
            assert "TEMP B-TREE" not in said
            assert said.count("USING COVERING INDEX ix_transfers_account_admitted") >= 1
    assert "state=? AND (connection,instance,key)>(?,?,?)" in said
