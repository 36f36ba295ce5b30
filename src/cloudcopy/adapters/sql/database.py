"""One SQLite file: how it is opened, brought up to date, written to and read from.

Everything that is SQLite's alone is here. Writes go through one connection, one after the
other: SQLite has one writer, and coroutines that queue for a lock get their turn in order,
where connections that retry on "busy" would starve each other. Other processes are kept
out by BEGIN IMMEDIATE. Readers have connections of their own and, thanks to the
write-ahead log, never wait for the writer.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Insert, Table, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from cloudcopy.adapters.sql.whole import WholeConnection, whole
from cloudcopy.domain.errors import Unavailable

BUSY_SECONDS: Final = 5.0  # how long to wait for another process's write
READERS: Final = (
    4  # more do not read faster: sqlite3 holds the interpreter's lock for much of a query
)
READER_WAIT_SECONDS: Final = 10
MIGRATIONS: Final = "cloudcopy.adapters.sql:migrations"

_EVERYWHERE: Final = ("PRAGMA foreign_keys = ON",)
_WRITER: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on disk, not only in the kernel
    "PRAGMA secure_delete = ON",  # a removed secret is overwritten, not just unlinked
)
_READER: Final = ("PRAGMA query_only = ON",)


class Database:
    """An open database. Used from one event loop."""

    def __init__(self, writes: AsyncEngine, reads: AsyncEngine) -> None:
        self._writes = writes
        self._reads = reads
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that holds the only right to write, from its beginning.

        Commits on a clean exit; rolls back on any exception, cancellation included. One that
        is cancelled while it commits has committed.

        Raises:
            Unavailable: the database cannot be reached or stayed locked.
        """
        async with self._turn:
            with _translated():
                connection = WholeConnection(self._writes)
                try:
                    await whole(connection.start())
                    transaction = connection.begin()
                    await whole(transaction.start())
                    try:
                        yield connection
                    except BaseException:
                        await whole(transaction.rollback())
                        raise
                    await whole(transaction.commit())
                finally:
                    await whole(connection.close())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that can only read; each statement sees one moment of its own.

        Raises:
            Unavailable: the database cannot be reached, or no connection came free.
        """
        with _translated():
            async with WholeConnection(self._reads) as connection:
                yield connection


@asynccontextmanager
async def open_database(
    path: Path, *, busy_seconds: float = BUSY_SECONDS
) -> AsyncIterator[Database]:
    """Open the file, create it if there is none (for its owner's eyes only), and migrate it.

    Several servers may do so at once: one migrates, the others wait for it.

    Args:
        busy_seconds: How long a write waits for another process's.

    Raises:
        Unavailable: it cannot be opened, is no database, or a newer version made it.
    """
    writes, reads = _engines(path, busy_seconds)
    try:
        await _prepare(path, writes)
        yield Database(writes, reads)
    finally:
        await reads.dispose()
        await writes.dispose()


def insert_if_new(table: Table) -> Insert:
    """An insert that changes nothing, and counts no row, where a unique value is taken.

    PostgreSQL runs the same text, but SQLAlchemy builds it with that dialect's `insert`.
    """
    return insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


async def _prepare(path: Path, writes: AsyncEngine) -> None:
    try:
        await asyncio.to_thread(path.touch, mode=0o600)  # SQLite gives its side files the same
        async with writes.begin() as connection:
            await connection.run_sync(_migrate)
    except OSError as error:
        raise Unavailable(f"The database {path} cannot be opened: {error.strerror}.") from error
    except DatabaseError as error:
        raise Unavailable(f"The database {path} cannot be opened: {error.orig}.") from error
    except CommandError as error:
        raise Unavailable(
            f"The database {path} was made by a newer version of cloudcopy.",
            next=("Install that version or a later one.",),
        ) from error


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _engines(path: Path, busy_seconds: float) -> tuple[AsyncEngine, AsyncEngine]:
    url = URL.create("sqlite+aiosqlite", database=str(path))
    writes = create_async_engine(
        url,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,  # an error that is logged must not carry what was being stored
        connect_args={"isolation_level": None},  # else sqlite3 sends its own, late BEGIN
    )
    reads = create_async_engine(
        url,
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=READER_WAIT_SECONDS,
        pool_reset_on_return=None,  # nothing to reset: there are no transactions
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        hide_parameters=True,
    )
    busy = f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}"
    _on_connect(writes, (busy, *_EVERYWHERE, *_WRITER))
    _on_connect(reads, (busy, *_EVERYWHERE, *_READER))

    @event.listens_for(writes.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return writes, reads


def _on_connect(engine: AsyncEngine, statements: tuple[str, ...]) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable(
            "The database cannot be reached or stayed locked; nothing was changed.",
            next=("Try again in a few seconds.",),
        ) from error
