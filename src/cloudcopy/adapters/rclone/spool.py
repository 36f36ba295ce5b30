"""Every file of both sides of one attempt, in one scratch file.

What must outlive it is the ledger that is written out of it.
"""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

from cloudcopy.adapters.rclone.facts import COLUMNS, Facts
from cloudcopy.adapters.rclone.listing import NAMELESS, Listed
from cloudcopy.adapters.rclone.scratch import Scratch, open_scratch
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.merkle import Tree
from cloudcopy.domain.tuning import LARGE, Sizes

_TRIED: Final = (Outcome.COPIED, Outcome.FAILED)
LEFT_OUT: Final = (Outcome.SKIPPED, Outcome.FAILED)  # of a listing of the source
PAGE: Final = 4096  # rows handed over at once

_SCHEMA: Final = """
CREATE TABLE files (
    path TEXT PRIMARY KEY,  -- compared as UTF-8 bytes, which is by code point
    size INTEGER, time TEXT, hash TEXT,  -- the source before
    later_size INTEGER, later_time TEXT, later_hash TEXT,  -- the source after
    there_size INTEGER, there_time TEXT, there_hash TEXT,  -- the destination
    outcome TEXT, marked_size INTEGER, code TEXT, why TEXT, verified TEXT,
    round INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX marks ON files (outcome, path) WHERE outcome IS NOT NULL;
CREATE INDEX again ON files (path) WHERE tries > 1;
-- Our own looks at the instance's files, before and after the copy: `glance.Glance`.
CREATE TABLE first (
    path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, inode INTEGER, ctime INTEGER
) WITHOUT ROWID;
CREATE TABLE last (
    path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, inode INTEGER, ctime INTEGER
) WITHOUT ROWID;
-- What the index learns: `index.Index.learn`.
CREATE TABLE proven (path TEXT PRIMARY KEY, looked INTEGER, read INTEGER) WITHOUT ROWID;
"""

# Codes of files that are marked as to be updated, though that is not sure yet.
OPEN: Final = "open"  # rclone compares them
DOUBTFUL: Final = "doubtful"  # we compare them by their hashes
KNOWN: Final = "known"  # of files that are unchanged, as the index says


class Spool(Scratch):
    """Open one with `open_spool`.

    Attributes:
        kind: The hash that both sides have in common, e.g. ``"md5"``: the only one that is
            kept. Empty for none. Set it before the first file is put in.
        found, bytes_found: Files of the source put in so far.
        there: Files of the destination put in so far, where it was listed whole.
    """

    def __init__(self, database: sqlite3.Connection, worker: ThreadPoolExecutor) -> None:
        super().__init__(database, worker)
        self.kind = ""
        self.found = 0
        self.bytes_found = 0
        self.there = 0
        self._named: Counter[str] = Counter()

    # What is there

    async def source(self, batch: Sequence[Listed]) -> None:
        """Files of the source, before anything is done."""
        self._named.update(each.path for each in batch if NAMELESS in each.path)
        self.found += len(batch)
        self.bytes_found += sum(max(0, each.size) for each in batch)
        await self._put("size = ?2, time = ?3, hash = ?4", batch)

    def ambiguous(self, path: str) -> bool:
        """Whether several files of the source were listed under this one name."""
        return self._named[path] > 1

    async def again(self, batch: Sequence[Listed]) -> None:
        """Files of the source, after the copy."""
        await self._put("later_size = ?2, later_time = ?3, later_hash = ?4", batch)

    async def destination(self, batch: Sequence[Listed], *, known_only: bool) -> None:
        """Files of the destination; with `known_only` those of paths that are known already."""
        self.there += 0 if known_only else len(batch)
        await self._put(
            "there_size = ?2, there_time = ?3, there_hash = ?4", batch, known_only=known_only
        )

    async def _put(
        self, columns: str, batch: Sequence[Listed], *, known_only: bool = False
    ) -> None:
        rows = [(f.path, f.size, f.time, f.hashes.get(self.kind) or None) for f in batch]
        names = ", ".join(each.split()[0] for each in columns.split(", "))
        if known_only:
            # What is to be deleted stays as the plan saw it: nothing else may be deleted.
            statement = (
                f"UPDATE files SET {columns} "  # noqa: S608
                f"WHERE path = ?1 AND outcome IS NOT '{Outcome.DELETE.value}'"
            )
        else:
            statement = (
                f"INSERT INTO files (path, {names}) VALUES (?1, ?2, ?3, ?4) "  # noqa: S608
                f"ON CONFLICT (path) DO UPDATE SET {columns}"
            )
        await self.do(lambda database: database.executemany(statement, rows))

    async def hashes(
        self, batch: Iterable[tuple[str, str]], *, destination: bool, later: bool = False
    ) -> None:
        """Hashes of files that are known, as (path, hash)."""
        column = "there_hash" if destination else "later_hash" if later else "hash"
        rows = [(hash, path) for path, hash in batch]
        statement = f"UPDATE files SET {column} = ? WHERE path = ?"  # noqa: S608
        await self.do(lambda database: database.executemany(statement, rows))

    async def forget_destination(self) -> None:
        """It is going to be listed anew, but for what is to be deleted."""
        await self.do(
            lambda database: database.execute(
                "UPDATE files SET there_size = NULL, there_time = NULL, there_hash = NULL "
                "WHERE there_size IS NOT NULL AND outcome IS NOT ?",
                (Outcome.DELETE.value,),
            )
        )

    # What becomes of it

    async def mark(self, rows: Iterable[FileRow], *, round: int = 0) -> None:
        """What became, or is to become, of files; the last mark of a path stands.

        Args:
            round: Which time the files are gone over, from 1: copied and failed files were
                tried in it. 0 for marks that are no try.
        """
        marks = [
            (
                row.path,
                row.outcome.value,
                row.size if row.size >= 0 else None,
                row.code,
                row.why,
                row.verified.value,
                tried := round if row.outcome in _TRIED else 0,
                min(1, tried),
            )
            for row in rows
        ]
        if not marks:
            return
        await self.do(
            lambda database: database.executemany(
                "INSERT INTO files (path, outcome, marked_size, code, why, verified, round, tries) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET "
                "outcome = excluded.outcome, marked_size = excluded.marked_size, "
                "code = excluded.code, why = excluded.why, verified = excluded.verified, "
                "tries = tries + (excluded.round > round), round = max(round, excluded.round)",
                marks,
            )
        )

    async def remark(
        self, old: Outcome, new: Outcome, *, codes: Collection[str] = (), code: str = ""
    ) -> int:
        """Every file marked `old` is now `new`, with `code`; of those with one of `codes`, if
        there are any."""
        which = f" AND code IN ({','.join('?' * len(codes))})" if codes else ""
        return await self.do(
            lambda database: (
                database.execute(
                    f"UPDATE files SET outcome = ?, code = ?, why = '' WHERE outcome = ?{which}",  # noqa: S608
                    (new.value, code, old.value, *codes),
                ).rowcount
            )
        )

    async def failures(self) -> dict[str, int]:
        """How many files are marked as failed, by code."""
        return await self.do(
            lambda database: dict(
                database.execute(
                    "SELECT code, count(*) FROM files WHERE outcome = ? GROUP BY code",
                    (Outcome.FAILED.value,),
                )
            )
        )

    async def count(self, outcome: Outcome) -> int:
        """How many files are marked so."""
        found = await self.do(
            lambda database: database.execute(
                "SELECT count(*) FROM files WHERE outcome = ?", (outcome.value,)
            ).fetchone()
        )
        return int(found[0])

    async def close(self, directory: str, code: str, why: str) -> None:
        """Files below `directory` that nothing was said of have failed: nobody came to them."""
        await self.do(
            lambda database: database.execute(
                "UPDATE files SET outcome = ?, code = ?, why = ? WHERE path > ? AND path < ? "
                "AND size IS NOT NULL AND "
                "(outcome IS NULL OR (outcome IN (?, ?) AND NOT tries))",
                (
                    *(Outcome.FAILED.value, code, why, f"{directory}/", f"{directory}0"),
                    *(Outcome.NEW.value, Outcome.UPDATE.value),
                ),
            )
        )

    async def retried(self) -> int:
        """How many files were tried more than once."""
        found = await self.do(
            lambda database: database.execute(
                "SELECT count(*) FROM files WHERE tries > 1"
            ).fetchone()
        )
        return int(found[0])

    async def appeared(self) -> int:
        """Mark what only the later listing of the source shows as new; how many those are.

        rclone looks whether the destination has it.
        """
        return await self.do(
            lambda database: (
                database.execute(
                    "UPDATE files SET outcome = ?, code = ? "
                    "WHERE size IS NULL AND later_size IS NOT NULL AND outcome IS NULL",
                    (Outcome.NEW.value, OPEN),
                ).rowcount
            )
        )

    async def sizes(self, outcomes: Collection[Outcome] = ()) -> Sizes:
        """Of all files of the source, or of those that are marked as one of `outcomes`."""
        which = f"AND outcome IN ({','.join('?' * len(outcomes))})" if outcomes else ""
        found = await self.do(
            lambda database: database.execute(
                "SELECT count(*), coalesce(sum(max(size, 0)), 0), coalesce(sum(size >= ?), 0), "  # noqa: S608
                f"coalesce(max(max(size, 0)), 0) FROM files WHERE size IS NOT NULL {which}",
                (LARGE, *(each.value for each in outcomes)),
            ).fetchone()
        )
        files, total, large, largest = (int(each) for each in found)
        return Sizes(files=files, bytes=total, large=large, largest=largest)

    # Going through it, sorted by path

    async def facts(
        self, outcomes: Collection[Outcome] = (), *, where: str = "TRUE"
    ) -> AsyncIterator[Sequence[Facts]]:
        """All of them, or those that are marked as one of `outcomes`; marking meanwhile is fine.

        Args:
            where: A condition in SQL, besides.
        """
        after = ""
        while True:
            page = await self.do(
                lambda database, after=after: _page(database, after, outcomes, where)  # type: ignore[misc]
            )
            if not page:
                return
            yield page
            after = page[-1].path

    async def like(self, sign: str) -> AsyncIterator[Sequence[str]]:
        """Paths of the source that have the character `sign` in them."""
        after = ""
        while True:
            page = await self.do(
                lambda database, after=after: [  # type: ignore[misc]
                    path
                    for (path,) in database.execute(
                        "SELECT path FROM files WHERE path > ? AND instr(path, ?) "
                        "AND size IS NOT NULL ORDER BY path LIMIT ?",
                        (after, sign, PAGE),
                    )
                ]
            )
            if not page:
                return
            yield page
            after = page[-1]

    async def digests(self) -> tuple[str, str]:
        """Of the source and of the destination: Merkle roots over what each of them has, and
        what is to become of it: (path, size, time, outcome).

        What was left out of the source's listing is in its root as well: a link there keeps the
        file of that name at the destination from being deleted.
        """

        def digest(database: sqlite3.Connection) -> tuple[str, str]:
            source, destination = Tree(), Tree()
            for facts in every(database):
                outcome = facts.outcome or ""
                if facts.size is not None or outcome in LEFT_OUT:
                    size = -1 if facts.size is None else facts.size
                    source.add(facts.path, size, facts.time or "", outcome)
                if facts.there_size is not None:
                    time = facts.there_time or ""
                    destination.add(facts.path, facts.there_size, time, outcome)
            return source.root(), destination.root()

        return await self.do(digest)


def open_spool(path: Path) -> AbstractAsyncContextManager[Spool]:
    """A new one at `path`. It has no use after the block."""
    return open_scratch(path, _SCHEMA, Spool)


def every(database: sqlite3.Connection) -> Iterator[Facts]:
    """All rows, sorted by path. For `Spool.do`."""
    cursor = database.execute(f"SELECT {COLUMNS} FROM files ORDER BY path")  # noqa: S608
    return map(Facts._make, cursor)


def _page(
    database: sqlite3.Connection, after: str, outcomes: Collection[Outcome], where: str
) -> Sequence[Facts]:
    words = [each.value for each in outcomes]
    # One SELECT for each outcome keeps to the index; the page is the first of all of them.
    found: list[Facts] = []
    for word in words or [""]:
        which = "outcome = ? AND " if word else ""
        found.extend(
            map(
                Facts._make,
                database.execute(
                    f"SELECT {COLUMNS} FROM files WHERE {which}path > ? AND ({where}) "  # noqa: S608
                    "ORDER BY path LIMIT ?",
                    (*([word] if word else []), after, PAGE),
                ),
            )
        )
    return sorted(found)[:PAGE] if len(words) > 1 else found
