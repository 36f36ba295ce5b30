"""Both sides of every path that a look is about: what the host said, and what the store shows.

In a temporary SQLite file of at most a few hundred bytes a row.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from cloudcopy.adapters.rclone.listing import Listed, nanoseconds
from cloudcopy.adapters.rclone.scratch import Scratch, open_scratch
from cloudcopy.adapters.rclone.walk import LIKELY
from cloudcopy.domain.ledger import FileRow, Outcome

PAGE: Final = 4096
_STRETCH: Final = 900  # names; a page of S3 has 1000, and some may have come meanwhile
_SCHEMA: Final = """
CREATE TABLE files (
    path TEXT PRIMARY KEY,  -- compared as UTF-8 bytes, which is by code point
    outcome TEXT, size INTEGER, hash TEXT,  -- what the host said
    there_size INTEGER, there_hash TEXT, there_time INTEGER  -- what the store shows
) WITHOUT ROWID;
"""
ARRIVED: Final = frozenset(each.value for each in Outcome if each.arrived)


TAG: Final = "etag"  # what a mover calls the tag of an object in parts, beside hashes


class Entry(NamedTuple):
    path: str
    outcome: str | None
    size: int | None
    hash: str | None
    there_size: int | None
    there_hash: str | None
    there_time: int | None


class Book(Scratch):
    """Attributes:
    count: How many rows the host told.
    directories: Those that the files are in, if they are few.
    """

    count = 0
    directories: frozenset[str] = frozenset()

    async def enter(self, rows: Sequence[tuple[str, str, int, str]]) -> None:
        """What the host said."""
        statement = "INSERT OR REPLACE INTO files (path, outcome, size, hash) VALUES (?, ?, ?, ?)"
        await self.do(lambda database: database.executemany(statement, rows))

    async def see(
        self, batch: Sequence[Listed], hashes: Sequence[str], *, known_only: bool = True
    ) -> None:
        """What the store shows; with `known_only` of files that the host named."""
        kind = next(iter(hashes), "")
        rows = [
            (
                each.path,
                each.size,
                each.hashes.get(kind, ""),
                nanoseconds(each.time),
                each.hashes.get(TAG, ""),
            )
            for each in batch
        ]
        # Where the host told the tag of an object in parts, it is the tag that must be there.
        seen = "CASE WHEN instr(coalesce(hash, ''), '-') THEN ?5 ELSE ?3 END"
        columns = f"there_size = ?2, there_hash = {seen}, there_time = ?4"
        if known_only:
            statement = f"UPDATE files SET {columns} WHERE path = ?1"  # noqa: S608
        else:
            statement = (
                "INSERT INTO files (path, there_size, there_hash, there_time) "  # noqa: S608
                f"VALUES (?1, ?2, ?3, ?4) ON CONFLICT (path) DO UPDATE SET {columns}"
            )
        await self.do(lambda database: database.executemany(statement, rows))

    async def see_hashes(self, found: Sequence[Listed], hashes: Sequence[str]) -> None:
        kind = next(iter(hashes), "")
        rows = [(each.hashes.get(kind, ""), each.path, each.size) for each in found]
        statement = "UPDATE files SET there_hash = ? WHERE path = ? AND there_size = ?"
        await self.do(lambda database: database.executemany(statement, rows))

    async def unhashed(self, after: str) -> list[str]:
        """A page of the files whose MD5 the host told and the store has not shown."""
        return await self.do(
            lambda database: [
                path
                for (path,) in database.execute(
                    "SELECT path FROM files WHERE path > ? AND there_hash = '' AND hash <> '' "
                    "AND instr(hash, '-') = 0 ORDER BY path LIMIT ?",
                    (after, PAGE),
                )
            ]
        )

    async def forget(self) -> None:
        """What was seen: it is seen anew."""

        def forget(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM files WHERE outcome IS NULL")
            database.execute(
                "UPDATE files SET there_size = NULL, there_hash = NULL, there_time = NULL"
            )

        await self.do(forget)

    async def splits(self, directory: str) -> Sequence[str]:
        """Names of files in the directory, as the host told them, that are about a page apart."""
        return await self.do(lambda database: _splits(database, directory))

    async def arrived(self) -> list[str]:
        """The files of which the host said that they are at the destination."""
        return await self.do(
            lambda database: [entry.path for entry in entries(database) if entry.outcome in ARRIVED]
        )


def _splits(database: sqlite3.Connection, directory: str) -> list[str]:
    above = f"{directory}/" if directory else ""
    found = database.execute(
        "SELECT path FROM files WHERE path > ?1 AND (?1 = '' OR path < ?2) "
        "AND instr(substr(path, ?3), '/') = 0 ORDER BY path",
        (above, f"{directory}0", len(above) + 1),
    )
    names = [path[len(above) :] for (path,) in islice(found, _STRETCH - 1, None, _STRETCH)]
    # One cut is worth nothing where the rest behind it is shorter than a page.
    return names[:-1] if len(names) > 1 else []


def entries(database: sqlite3.Connection) -> Iterator[Entry]:
    columns = ", ".join(Entry._fields)
    return map(Entry._make, database.execute(f"SELECT {columns} FROM files ORDER BY path"))  # noqa: S608


@asynccontextmanager
async def told(rows: AsyncIterator[FileRow], scratch: Path) -> AsyncIterator[Book]:
    """A book with what the host said.

    Args:
        scratch: A directory for the temporary file.
    """
    async with open_scratch(scratch / "recheck.db", _SCHEMA, Book) as book:
        book.count = await _enter(rows, book)
        yield book


async def _enter(rows: AsyncIterator[FileRow], book: Book) -> int:
    count, some = 0, []
    above: set[str] = set()
    async for row in rows:
        count += 1
        if len(above) <= LIKELY:
            _above(row.path, above)
        some.append((row.path, row.outcome.value, row.size, row.hash))
        if len(some) == PAGE:
            await book.enter(some)
            some = []
    await book.enter(some)
    book.directories = frozenset(above if len(above) <= LIKELY else ())
    return count


def _above(path: str, known: set[str]) -> None:
    """Puts the directories that it is in to those that are known."""
    directory = path.rpartition("/")[0]
    while directory and directory not in known:
        known.add(directory)
        directory = directory.rpartition("/")[0]
