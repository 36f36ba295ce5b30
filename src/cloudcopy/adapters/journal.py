"""The agent's journal: one SQLite file, every write one statement and one fsync.

Orders and reports are kept as the messages they are, so that what is reported again after
a crash is what would have been reported before it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import aiosqlite
import msgspec

from cloudcopy.domain.errors import Unavailable
from cloudcopy.ports.journal import Entry, Standing
from cloudcopy.wire.agent import Order, Report

_SETUP: Final = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",  # one fsync for each commit, not three
    "PRAGMA synchronous = FULL",
    """
    CREATE TABLE IF NOT EXISTS entries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        transfer TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        standing TEXT NOT NULL,
        wanted BLOB NOT NULL,
        report BLOB,
        ended_at REAL, -- seconds since 1970
        UNIQUE (transfer, attempt)
    )
    """,
    "CREATE INDEX IF NOT EXISTS entries_by_standing ON entries (standing, number)",
)

_encode: Final = msgspec.msgpack.Encoder().encode
_order: Final = msgspec.msgpack.Decoder(Order).decode
_report: Final = msgspec.msgpack.Decoder(Report).decode


class SqliteJournal:
    """See `ports.journal.Journal`. Every method raises Unavailable when the disk fails."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def accept(self, order: Order) -> bool:
        added = await self._write(
            "INSERT INTO entries (transfer, attempt, standing, wanted) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (transfer, attempt) DO NOTHING",
            (order.transfer, order.attempt, Standing.ACCEPTED.value, _encode(order)),
        )
        return added == 1

    async def started(self, transfer: str, attempt: int) -> None:
        await self._write(
            "UPDATE entries SET standing = ? WHERE transfer = ? AND attempt = ? AND standing = ?",
            (Standing.STARTED.value, transfer, attempt, Standing.ACCEPTED.value),
        )

    async def ended(self, report: Report) -> None:
        await self._write(
            "UPDATE entries SET standing = ?, report = ?, ended_at = ?"
            " WHERE transfer = ? AND attempt = ? AND standing IN (?, ?)",
            (
                Standing.ENDED.value,
                _encode(report),
                report.at.timestamp(),
                report.transfer,
                report.attempt,
                Standing.ACCEPTED.value,
                Standing.STARTED.value,
            ),
        )

    async def settle(self, transfer: str, attempt: int) -> None:
        await self._write(
            "UPDATE entries SET standing = ? WHERE transfer = ? AND attempt = ? AND standing = ?",
            (Standing.SETTLED.value, transfer, attempt, Standing.ENDED.value),
        )

    async def get(self, transfer: str, attempt: int) -> Entry | None:
        found = await self._read(
            "SELECT wanted, standing, report FROM entries WHERE transfer = ? AND attempt = ?",
            (transfer, attempt),
        )
        return found[0] if found else None

    async def unfinished(self) -> Sequence[Entry]:
        return await self._read(
            "SELECT wanted, standing, report FROM entries WHERE standing IN (?, ?) ORDER BY number",
            (Standing.ACCEPTED.value, Standing.STARTED.value),
        )

    async def unsettled(self) -> Sequence[Entry]:
        return await self._read(
            "SELECT wanted, standing, report FROM entries WHERE standing = ? ORDER BY number",
            (Standing.ENDED.value,),
        )

    async def prune(self, *, before: datetime) -> int:
        return await self._write(
            "DELETE FROM entries WHERE standing = ? AND ended_at < ?",
            (Standing.SETTLED.value, before.timestamp()),
        )

    async def _write(self, statement: str, values: tuple[object, ...]) -> int:
        """Run one statement, which is a transaction of its own; returns the rows it changed."""
        with _translated():
            async with self._connection.execute(statement, values) as cursor:
                return cursor.rowcount

    async def _read(self, query: str, values: tuple[object, ...]) -> list[Entry]:
        with _translated():
            found = await self._connection.execute_fetchall(query, values)
        return [
            Entry(_order(wanted), Standing(standing), None if report is None else _report(report))
            for wanted, standing, report in found
        ]


@asynccontextmanager
async def open_journal(path: Path) -> AsyncIterator[SqliteJournal]:
    """Open the file; one that is new is for its owner's eyes only.

    Raises:
        Unavailable: it cannot be opened, or is no journal.
    """
    try:
        await asyncio.to_thread(path.touch, mode=0o600)  # SQLite gives its side files the same
    except OSError as error:
        raise Unavailable(f"The journal {path} cannot be opened: {error.strerror}.") from error
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        with _translated():
            for statement in _SETUP:
                await connection.execute(statement)
        yield SqliteJournal(connection)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"The agent's journal cannot be read or written: {error}.") from error
