"""What the rows of a ledger add up to, and the ledger itself, written in one go."""

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cloudcopy.adapters.rclone.facts import Facts
from cloudcopy.adapters.rclone.reasons import cure
from cloudcopy.adapters.rclone.spool import Spool, every
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.merkle import Tree
from cloudcopy.domain.progress import MAX_GROUPS, MAX_SAMPLES, ErrorGroup, Verified
from cloudcopy.wire import ledger as wire

MAX_WHY: Final = 500  # characters of a reason in a row
_LENGTH_BYTES: Final = 4
_PRIVATE: Final = 0o600
_WRONG: Final = (
    Outcome.FAILED,
    Outcome.DIFFERS,
    Outcome.MISSING,
    Outcome.EXTRA,
    Outcome.UNREAD,
)

Judge = Callable[[Facts], FileRow | None]
"""The row of one path; None for none."""


@dataclass(kw_only=True)
class Account:
    """Sums over rows.

    Attributes:
        found, bytes_found: Files of the source, those left alone included.
        files, sizes: How many there are of each outcome, and their bytes.
        hashed, sized: Files that were proven by hash, and by size only.
        bytes_verified: The sizes of both.
        sent_by_size: Files that were copied and proven by size only.
        at_destination: Files the destination had, as far as it was listed.
        appeared: Files that came to the source during the copy and were left there.
        late: Files that changed during the copy, and whose latest content arrived.
        retried: Files that were tried more than once.
        unnamed: Failures of what neither side's listing shows: they have no row.
    """

    found: int = 0
    bytes_found: int = 0
    files: Counter[Outcome] = field(default_factory=Counter)
    sizes: Counter[Outcome] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    hashed: int = 0
    sized: int = 0
    bytes_verified: int = 0
    sent_by_size: int = 0
    at_destination: int = 0
    appeared: int = 0
    late: int = 0
    retried: int = 0
    unnamed: int = 0
    arrived: Tree = field(default_factory=Tree)
    codes: Counter[str] = field(default_factory=Counter)
    _groups: dict[str, ErrorGroup] = field(default_factory=dict)

    def add(self, facts: Facts, row: FileRow | None) -> None:
        """Take in the next path, with its row."""
        self.at_destination += facts.there_size is not None
        if row is None:
            self.appeared += facts.size is None and facts.later_size is not None
            self.unnamed += facts.outcome == Outcome.FAILED
            return
        if facts.size is not None or facts.later_size is not None:
            self.found += 1
            self.bytes_found += max(
                0, (facts.later_size if facts.size is None else facts.size) or 0
            )
        self.retried += facts.tries > 1
        size = max(0, row.size)
        self.late += row.outcome is Outcome.COPIED and bool(row.code)
        self.files[row.outcome] += 1
        self.sizes[row.outcome] += size
        if row.outcome is Outcome.SKIPPED:
            self.skipped[row.why] += 1
        if row.verified is not Verified.NOTHING:
            self.bytes_verified += size
            self.hashed += row.verified is Verified.HASH
            self.sized += row.verified is Verified.SIZE
            self.sent_by_size += (
                row.verified is Verified.SIZE and row.outcome is not Outcome.UNCHANGED
            )
        if row.outcome.arrived:
            self.arrived.add(row.path, row.size, row.hash)
        if row.outcome in _WRONG:
            self._wrong(row)

    def _wrong(self, row: FileRow) -> None:
        code = row.code or row.outcome.value
        self.codes[code] += 1
        known = self._groups.get(code)
        if known is None:
            if len(self._groups) < MAX_GROUPS:
                why = row.why or row.outcome.value
                self._groups[code] = ErrorGroup(
                    code=code, text=why, cure=cure(code), count=1, samples=(row.path,)
                )
        elif len(known.samples) < MAX_SAMPLES:  # rows come sorted by path
            self._groups[code] = replace(known, samples=(*known.samples, row.path))

    @property
    def wrong(self) -> int:
        return sum(self.files[each] for each in _WRONG)

    @property
    def errors(self) -> tuple[ErrorGroup, ...]:
        """By kind, commonest first."""
        groups = [replace(each, count=self.codes[each.code]) for each in self._groups.values()]
        return tuple(sorted(groups, key=lambda each: (-each.count, each.code)))


async def account(spool: Spool, judge: Judge, ledger: Path | None) -> Account:
    """Judge every path, and add up.

    Args:
        ledger: Write the rows there, see `ports.engine.Copy.ledger`; on disk on return.
    """

    def whole(database: sqlite3.Connection) -> Account:
        sums = Account()
        rows = _judged(every(database), judge, sums)
        if ledger is None:
            for _ in rows:
                pass
        else:
            _write(ledger, rows)
        return sums

    return await spool.do(whole)


def _judged(found: Iterable[Facts], judge: Judge, sums: Account) -> Iterator[FileRow]:
    for facts in found:
        row = judge(facts)
        sums.add(facts, row)
        if row is not None:
            yield row


def _write(path: Path, rows: Iterable[FileRow]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
    with os.fdopen(fd, "wb") as file:
        for chunk in _chunks(rows):
            file.write(len(chunk).to_bytes(_LENGTH_BYTES, "big"))
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _chunks(rows: Iterable[FileRow]) -> Iterator[bytes]:
    lines: list[bytes] = []
    size = 0
    for row in rows:
        line = wire.line(replace(row, why=row.why[:MAX_WHY]) if len(row.why) > MAX_WHY else row)
        if len(lines) == wire.ROWS or size + len(line) > wire.MAX_RAW_BYTES:
            yield wire.pack(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield wire.pack(lines)
