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

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out `work` in one transaction, in the file's own thread."""

        def inside() -> T:
            with _transaction(self._database):
                done = work(self._database)
            if isinstance(done, sqlite3.Cursor):
                # Freed in another thread it would reset its statement, which is kept for the
                # next call, while this thread carries that out: SQLite says "misuse" then.
                done.close()
            return done

        loop = asyncio.get_running_loop()
        # Shielded: what was handed over once is done, whoever stops waiting for it.
        return await asyncio.shield(loop.run_in_executor(self._worker, inside))

    async def has_directory(self, name: str) -> bool:
        """Whether a file below the directory `name` is known."""
        # "0" follows "/": everything below it lies between the two.
        found = await self.do(
            lambda database: database.execute(
                "SELECT 1 FROM files WHERE path > ? AND path < ? LIMIT 1", (f"{name}/", f"{name}0")
            ).fetchone()
        )
        return found is not None


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
        "locking_mode = EXCLUSIVE",
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
