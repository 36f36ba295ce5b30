"""What earlier copies of one place have proven, so that nobody need ask or read again.

One SQLite file for each pair of a directory of an instance and a place in a store. A row says:
this file, with this size, modification time, inode and change time, was equal to the object
that the store lists with this size, hash and time. It is believed only where both sides show
exactly that, so a file that is gone, damaged or old costs time and nothing else.

A file that changed less than `RACY` before it was looked at is not believed for its times: it
may have changed again in the same tick of the clock. It is read.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from cloudcopy.adapters.rclone.spool import DOUBTFUL, KNOWN, Spool
from cloudcopy.domain.ledger import Outcome
from cloudcopy.ports.engine import Copy

DIRECTORY: Final = "index"  # below the agent's work directory
RACY: Final = 2 * 10**9  # nanoseconds: the coarsest times of a file system, FAT's
MAX_ROWS: Final = 2_000_000  # of one file; some 150 bytes each
MAX_BYTES: Final = 1 << 30  # of all files; those that were not used for longest go first
_VERSION: Final = 1
_WHOLE: Final = len("2031-05-06T07:08:09")  # asked for alone, S3 tells whole seconds
# The store's columns of the spool, in an upload and in a download: before the copy, and after.
_FAR: Final = {
    True: ("f.there_size", "f.there_hash", "f.there_time"),
    False: ("f.size", "f.hash", "f.time"),
}
_FAR_AFTER: Final = {
    True: ("f.there_hash", "f.there_time"),
    False: ("f.later_hash", "f.later_time"),
}
_BUSY_SECONDS: Final = 1.0
_PRIVATE: Final = 0o700
_SCHEMA: Final = """
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    size INTEGER, mtime INTEGER, inode INTEGER, ctime INTEGER,  -- the instance's file
    looked INTEGER,  -- when those were looked at, by the clock that sets them
    there_hash TEXT, there_time TEXT,  -- as the store lists it
    read INTEGER  -- whether the instance's file was read and has that hash
) WITHOUT ROWID;
"""


def place(directory: Path, copy: Copy, kind: str) -> Path:
    """The file for a copy. No secret is in its name: keys change, the place does not.

    Args:
        kind: Of the hashes.
    """
    options = copy.backend.options
    where = [
        str(copy.root),
        copy.local.value,
        copy.backend.type,
        options.get("endpoint", ""),
        options.get("provider", ""),
        copy.remote.value,
        kind,
    ]
    return directory / f"{hashlib.sha256(json.dumps(where).encode()).hexdigest()}.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One such file, for a spool that has both sides and the glances in it.

    Attributes:
        upload: The instance's files are the source.
    """

    path: Path
    spool: Spool
    upload: bool

    async def tell(self, *, doubts: bool) -> None:
        """Mark as unchanged what is known to be.

        Args:
            doubts: And mark as `DOUBTFUL` what would be but for the inode, the change time, or
                that it was written just before it was looked at.
        """
        near_size, near_hash = ("size", "hash") if self.upload else ("there_size", "there_hash")
        far_size, far_hash, far_time = _FAR[self.upload]
        joined = (
            "FROM files f JOIN first s ON s.path = f.path JOIN known.files k ON k.path = f.path "
            f"WHERE f.outcome IS NULL AND f.{near_size} = k.size AND {far_size} = k.size "
            f"AND {far_hash} = k.there_hash AND substr({far_time}, 1, {_WHOLE}) = k.there_time "
            "AND s.size = k.size AND s.mtime = k.mtime"
        )
        believed = (
            f"s.inode = k.inode AND s.ctime = k.ctime AND max(k.mtime, k.ctime) < k.looked - {RACY}"
        )
        # SQLite reads all of a SELECT on the table itself before it writes.
        statement = (
            f"INSERT INTO files (path, outcome, {near_hash}, code, why, verified) "
            f"SELECT f.path, ?, CASE k.read WHEN 1 THEN k.there_hash END, ?, '', '' {joined} "
            "AND {which} ON CONFLICT (path) DO UPDATE SET outcome = excluded.outcome, "
            f"{near_hash} = excluded.{near_hash}, "
            "code = excluded.code, why = excluded.why, verified = excluded.verified"
        )

        def inside(database: sqlite3.Connection) -> None:
            database.execute(statement.format(which=believed), (Outcome.UNCHANGED, KNOWN))
            if doubts:
                unsure = (Outcome.UPDATE, DOUBTFUL)
                database.execute(statement.format(which=f"NOT ({believed})"), unsure)

        await self.spool.do(
            lambda database: _with_known(database, self.path, inside), transaction=False
        )

    async def learn(self, *, whole: bool) -> None:
        """Keep what the spool's table ``proven`` has, with the last glances.

        Args:
            whole: The spool has every file of the source; rows of others are dropped.
        """
        hash, time = _FAR_AFTER[self.upload]
        rows = (
            "SELECT p.path, s.size, s.mtime, s.inode, s.ctime, p.looked, "  # noqa: S608
            f"{hash}, substr({time}, 1, {_WHOLE}), p.read "
            "FROM proven p JOIN last s ON s.path = p.path JOIN files f ON f.path = p.path "
            f"WHERE {hash} <> '' AND {time} <> ''"
        )

        def inside(database: sqlite3.Connection) -> None:
            with contextlib.suppress(sqlite3.Error, OSError):
                self.path.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
                _write(self.path, database.execute(rows), _paths(database) if whole else None)
                _shrink(self.path)

        await self.spool.do(inside)


def _with_known(
    database: sqlite3.Connection, path: Path, work: Callable[[sqlite3.Connection], None]
) -> None:
    """Carry out `work` with the file, if there is one, as the schema ``known``. A damaged one is
    dropped; what was read of it before stands for itself."""
    if not path.exists():
        return
    try:
        database.execute("ATTACH ? AS known", (str(path),))
        try:
            work(database)
        finally:
            database.execute("DETACH known")
        os.utime(path)  # it was of use: see `_shrink`
    except (sqlite3.OperationalError, OSError):
        pass  # somebody writes to it, it has another form, or it cannot be opened
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)


def _paths(database: sqlite3.Connection) -> Iterator[str]:
    """Of the source, sorted."""
    rows = database.execute("SELECT path FROM files WHERE size IS NOT NULL ORDER BY path")
    return (path for (path,) in rows)


def _write(path: Path, rows: Iterable[tuple[Any, ...]], kept: Iterator[str] | None) -> None:
    """Put rows in; with `kept` those of other paths are dropped. One transaction, or nothing."""
    try:
        with contextlib.closing(_opened(path)) as known, known:
            known.execute("BEGIN IMMEDIATE")
            if kept is not None:
                _drop(known, kept)
            room = MAX_ROWS - known.execute("SELECT count(*) FROM files").fetchone()[0]
            known.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                islice(rows, max(0, room)),
            )
    except sqlite3.OperationalError:
        return  # somebody else writes to it: what they know is as good
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)


def _opened(path: Path) -> sqlite3.Connection:
    known = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)
    known.execute("PRAGMA synchronous = NORMAL")
    if known.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        known.executescript(
            f"BEGIN IMMEDIATE; DROP TABLE IF EXISTS files; {_SCHEMA}"
            f"PRAGMA user_version = {_VERSION}; COMMIT"
        )
    return known


def _drop(known: sqlite3.Connection, kept: Iterator[str]) -> None:
    gone: list[tuple[str]] = []
    now = next(kept, None)
    for (path,) in known.execute("SELECT path FROM files ORDER BY path"):
        while now is not None and now.encode() < path.encode():
            now = next(kept, None)
        if now != path:
            gone.append((path,))
    known.executemany("DELETE FROM files WHERE path = ?", gone)


def _shrink(newest: Path) -> None:
    """Remove whole files until all of them together are small enough."""
    found = sorted(
        ((each.stat().st_mtime_ns, each.stat().st_size, each) for each in newest.parent.iterdir()),
        reverse=True,
    )
    total = 0
    for _, size, each in found:
        total += size
        if total > MAX_BYTES:
            each.unlink(missing_ok=True)
