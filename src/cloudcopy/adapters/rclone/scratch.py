"""An SQLite file of rows by path that nobody else sees, worked on in a thread of its own.

It is scratch: without journal or fsync, lost with the process. Memory does not grow with it.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

_CACHE_KIB: Final = 16 * 1024
T = TypeVar("T")
S = TypeVar("S", bound="Scratch")


class Scratch:
    """Has a table ``files``, whose key is ``path``. Calls are carried out one after the other."""

    def __init__(self, database: sqlite3.Connection, worker: ThreadPoolExecutor) -> None:
        self._database = database
        self._worker = worker

    async def do(self, work: Callable[[sqlite3.Connection], T], *, transaction: bool = True) -> T:
        """Carry out `work` in the file's own thread, in one transaction unless it minds."""

        def inside() -> T:
            with _transaction(self._database) if transaction else contextlib.nullcontext():
                done = work(self._database)
                if isinstance(done, sqlite3.Cursor):
                    # Freed in another thread it would reset the statement that it shares with
                    # the next call, which this thread may be at by then.
                    done.close()
                return done

        loop = asyncio.get_running_loop()
        # Shielded: what was handed over once is done, whoever stops waiting for it.
        return await asyncio.shield(loop.run_in_executor(self._worker, inside))

    async def has_directory(self, name: str, *, table: str = "files") -> bool:
        """Whether a file below the directory `name` is known."""
        return await self.do(lambda database: _has_directory(database, name, table))

    def soon(self, name: str) -> bool:
        """`has_directory` for another thread."""
        return self._worker.submit(_has_directory, self._database, name, "files").result()


def _has_directory(database: sqlite3.Connection, name: str, table: str) -> bool:
    # "0" follows "/": everything below it lies between the two.
    found = database.execute(
        f"SELECT 1 FROM {table} WHERE path > ? AND path < ? LIMIT 1",  # noqa: S608
        (f"{name}/", f"{name}0"),
    )
    return found.fetchone() is not None


@asynccontextmanager
async def open_scratch(
    path: Path, schema: str, made: Callable[[sqlite3.Connection, ThreadPoolExecutor], S]
) -> AsyncIterator[S]:
    """A new one at `path`. It has no use after the block."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix=path.stem) as worker:
        database = await loop.run_in_executor(worker, _opened, path, schema)
        try:
            yield made(database, worker)
        finally:
            await asyncio.shield(loop.run_in_executor(worker, database.close))


def _opened(path: Path, schema: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    for setting in (
        "journal_mode = OFF",
        "synchronous = OFF",
        "main.locking_mode = EXCLUSIVE",  # not of what is attached
        f"cache_size = -{_CACHE_KIB}",
    ):
        database.execute(f"PRAGMA {setting}")
    database.executescript(schema)
    return database


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    # There is no journal to roll back from: an error here ends the attempt.
    database.execute("BEGIN")
    try:
        yield
    finally:
        database.execute("COMMIT")
