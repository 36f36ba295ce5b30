"""One SQLite file: how it is opened, brought up to date, written to and read from.

Everything that is SQLite's alone is here. Writes go through one connection, one after the
other: SQLite has one writer, and coroutines that queue for a lock get their turn in order,
where connections that retry on "busy" would starve each other. Other processes are kept
out by BEGIN IMMEDIATE. Readers have connections of their own and, thanks to the
write-ahead log, never wait for the writer.

Each statement that a coroutine waits for costs it several changes of thread, which cost more
than the statement. What is asked most, `fetch` and `at_once`, changes threads once and back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    Insert,
    RowMapping,
    Select,
    Table,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from cloudcopy.adapters.sql.gathering import Gathering
from cloudcopy.adapters.sql.whole import WholeConnection, whole
from cloudcopy.domain.errors import Unavailable

GATHERERS: Final = 2  # readers of `fetch`: with one more, they wait for the lock of the others
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
_AS_WRITER: Final[Mapping[str, Any]] = {
    "pool_size": 1,
    "max_overflow": 0,
    "hide_parameters": True,  # an error that is logged must not carry what was being stored
    "connect_args": {"isolation_level": None},  # else sqlite3 sends its own, late BEGIN
}
_AS_READER: Final[Mapping[str, Any]] = {
    "pool_size": READERS,
    "max_overflow": 0,
    "pool_timeout": READER_WAIT_SECONDS,
    "pool_reset_on_return": None,  # nothing to reset: there are no transactions
    "isolation_level": "AUTOCOMMIT",
    "skip_autocommit_rollback": True,
    "hide_parameters": True,
}

T = TypeVar("T")


class Database:
    """An open database. Used from one event loop.

    Args:
        direct: The same two kinds of connections, for the threads of `threads`.
    """

    def __init__(
        self,
        writes: AsyncEngine,
        reads: AsyncEngine,
        direct: tuple[Engine, Engine],
        threads: ThreadPoolExecutor,
    ) -> None:
        self._writes = writes
        self._reads = reads
        self._direct_writes, reader = direct
        self._threads = threads
        self._gathering = Gathering(reader, threads, readers=GATHERERS)
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

    async def fetch(
        self, query: Select[Any], values: Mapping[str, object] | None = None
    ) -> list[RowMapping]:
        """All rows of one query; equal ones that are asked at once may share them.

        Raises:
            Unavailable: the database cannot be reached, or no connection came free.
        """
        with _translated():
            return await self._gathering(query, values)

    async def at_once(self, work: Callable[[Connection], T]) -> T:
        """A transaction like that of `write`, whole in one other thread: `work` is called there.

        Commits when it returns, rolls back when it raises; done to its end in any case.

        Raises:
            Unavailable: the database cannot be reached or stayed locked.
        """

        def change() -> T:
            with self._direct_writes.begin() as connection:
                return work(connection)

        async with self._turn:
            with _translated():
                loop = asyncio.get_running_loop()
                return await whole(loop.run_in_executor(self._threads, change))


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
    direct = _direct(path, busy_seconds)
    threads = ThreadPoolExecutor(READERS + 1, thread_name_prefix="sql")  # the one is who writes
    try:
        await _prepare(path, writes)
        yield Database(writes, reads, direct, threads)
    finally:
        await asyncio.to_thread(threads.shutdown)
        for each in direct:
            each.dispose()
        await reads.dispose()
        await writes.dispose()


def in_one(query: Select[Any]) -> Select[Any]:
    """The rows of `query` as the one value of one row, a list of lists, in any order.

    sqlite3 gives the interpreter's lock away for each row, and under load waits for it again
    longer than the row took.
    """
    row = func.json_array(*query.subquery().c, type_=JSON)
    return select(func.json_group_array(row, type_=JSON).label("rows"))


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
    writes = create_async_engine(url, **_AS_WRITER)
    reads = create_async_engine(url, **_AS_READER)
    _set_up(writes.sync_engine, reads.sync_engine, busy_seconds)
    return writes, reads


def _direct(path: Path, busy_seconds: float) -> tuple[Engine, Engine]:
    url = URL.create("sqlite+pysqlite", database=str(path))
    anywhere = {"check_same_thread": False}  # the pool hands each to one thread at a time
    writes = create_engine(
        url,
        poolclass=QueuePool,
        **{**_AS_WRITER, "connect_args": {**_AS_WRITER["connect_args"], **anywhere}},
    )
    reads = create_engine(url, poolclass=QueuePool, connect_args=anywhere, **_AS_READER)
    _set_up(writes, reads, busy_seconds)
    return writes, reads


def _set_up(writes: Engine, reads: Engine, busy_seconds: float) -> None:
    busy = f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}"
    _on_connect(writes, (busy, *_EVERYWHERE, *_WRITER))
    _on_connect(reads, (busy, *_EVERYWHERE, *_READER))

    @event.listens_for(writes, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _on_connect(engine: Engine, statements: tuple[str, ...]) -> None:
    @event.listens_for(engine, "connect")
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
