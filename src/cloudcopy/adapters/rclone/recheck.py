"""A host's ledger against the store's own listing, for the control plane.

Both go into a temporary SQLite file (`book`), in a thread of its own, and are compared there in
one pass: memory does not grow with the files.

What it cannot tell: where a store does not list when it received a file, the file's own time
stands for that, so an old file that came during the copy counts as left out. With filters by
age the listing of now is not the listing of then, so files left out are not looked for.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cloudcopy.adapters.rclone.ahead import Ahead
from cloudcopy.adapters.rclone.book import ARRIVED, Book, Entry, entries
from cloudcopy.adapters.rclone.listing import (
    AT_ONCE,
    Call,
    Listed,
    look,
    look_at,
    side,
)
from cloudcopy.adapters.rclone.pairs import unless_absent
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.adapters.rclone.remotes import cloud, has_buckets
from cloudcopy.adapters.rclone.walk import SMALL, top, walk
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.order import Direction
from cloudcopy.domain.paths import RemotePath
from cloudcopy.domain.progress import Recheck
from cloudcopy.ports.engine import Claim, Finding

ON_HOST: Final = "the store lies on the host; only its agent can see it"
MAX_WRONG: Final = 20  # named; all are counted
_FEW: Final = 32  # rows that are looked at one by one rather than in a listing
_SECOND: Final = 1_000_000_000
_AGES: Final = ("--max-age", "--min-age")
_SIZES: Final = ("--max-size", "--min-size")


def filters(claim: Claim) -> Flags:
    """The flags that rclone needs to list what the host listed."""
    if claim.direction is Direction.TO_CLOUD:
        return Flags()  # what the host says is there must be there, whatever they say
    flags = claim.flags
    sizes = tuple(each for each in flags.values if each[0] in _SIZES)
    return Flags(rules=flags.rules, values=sizes)


async def compare(call: Call, claim: Claim, book: Book, *, by_name: bool = False) -> Finding:
    """See `ports.engine.Probe.recheck`.

    Args:
        call: Of a mover with the claim's store and `filters`.
        by_name: It is the one of `objects`: it lists in stretches, and hashes that only an
            object's metadata have are not in its listings.

    Raises:
        RcError: the store could not be listed.
    """
    if claim.direction is Direction.TO_CLOUD:
        await _see_destination(call, claim, book, by_name=by_name)
        return await book.do(lambda database: _judged(database, _not_there))
    late = int(claim.since.timestamp()) * _SECOND  # stores tell whole seconds
    whole = claim.whole and not any(name in _AGES for name, _ in claim.flags.values)
    await _see_source(call, claim, book, known_only=not whole, by_name=by_name)
    return await book.do(lambda database: _judged(database, _Source(database, late)))


async def _see_destination(call: Call, claim: Claim, book: Book, *, by_name: bool) -> None:
    fs = cloud(None, claim.place)
    hashes = await _hashes(call, fs, claim)
    if book.count <= _FEW:
        some = await book.arrived()
        found = await look_at(call, fs, some, hashes=hashes, at_once=_FEW if by_name else AT_ONCE)
        for each in found.values():
            if isinstance(each, RcError):
                raise each
        await book.see([each for each in found.values() if isinstance(each, Listed)], hashes)
        return
    batches = walk(
        call,
        fs,
        hashes=hashes,
        everything=True,
        directories=book.has_directory,
        splits=book.splits if by_name else None,
        small=book.count <= SMALL,
        likely=sorted(book.directories) if by_name else (),
    )
    async for batch in unless_absent(batches):
        await book.see(batch, hashes)
    if by_name and hashes:
        await _see_hashes(call, fs, book, hashes)


async def _see_source(
    call: Call, claim: Claim, book: Book, *, known_only: bool, by_name: bool
) -> None:
    fs = cloud(None, claim.place)
    hashes = await _hashes(call, fs, claim)
    ahead, splits = Ahead(call), book.splits if by_name else None
    if by_name:
        known = await book.splits("")
        asked = top(fs, hashes=hashes, server_times=True, small=book.count <= SMALL)
        ahead.begin("operations/list", **asked, **({"splits": list(known)} if known else {}))
    try:
        single = await _single(call, claim, hashes)
        if single:
            await book.see([single], hashes, known_only=known_only)
            return
        directories = book.has_directory if known_only else None
        batches = walk(
            ahead.call,
            fs,
            hashes=hashes,
            server_times=True,
            directories=directories,
            splits=splits,
            small=book.count <= SMALL,
            likely=sorted(book.directories) if by_name else (),
        )
        async for batch in unless_absent(batches):
            await book.see(batch, hashes, known_only=known_only)
    finally:
        await ahead.leave()
    if by_name and hashes:
        await _see_hashes(call, fs, book, hashes)


async def _see_hashes(call: Call, fs: str, book: Book, hashes: Sequence[str]) -> None:
    """Those that the host told and a listing does not have: of objects in parts that rclone
    sent, which keep them in their metadata."""
    after = ""
    while some := await book.unhashed(after):
        found = await look_at(call, fs, some, hashes=hashes)
        known = [each for each in found.values() if isinstance(each, Listed)]
        await book.see_hashes(known, hashes)
        after = some[-1]


async def _hashes(call: Call, fs: str, claim: Claim) -> Sequence[str]:
    store = await side(call, fs)
    cheap = claim.hash in store.hashes and not store.slow_hash
    return (claim.hash,) if cheap else ()


async def _single(call: Call, claim: Claim, hashes: Sequence[str]) -> Listed | None:
    """The source, when it is one file."""
    place = claim.place
    if not place.value or (has_buckets(claim.backend) and "/" not in place.value):
        return None
    root = cloud(None, RemotePath(""))
    try:
        found = await look(call, root, place.value, hashes=hashes, times=True)
    except RcError as error:
        # A credential for the prefix may not ask for the name itself: it is a prefix.
        if reason(str(error)).code == "access_denied":
            return None
        raise
    return Listed(place.name, found.size, found.time, found.hashes) if found else None


# The judgement


Judge = Callable[[Entry], str]
"""What is wrong with an entry; empty for nothing."""


def _judged(database: sqlite3.Connection, judge: Judge) -> Finding:
    files = hashed = count = 0
    wrong: list[tuple[str, str]] = []
    for entry in entries(database):
        why = judge(entry)
        if why:
            count += 1
            if len(wrong) < MAX_WRONG:
                wrong.append((entry.path, why))
        if entry.outcome not in ARRIVED:
            continue
        if entry.there_size is not None and entry.there_size == entry.size:
            files += 1
            hashed += bool(entry.hash) and entry.hash == entry.there_hash
    return Finding(
        Recheck(files=files, hashed=hashed),
        count=count,
        wrong=tuple(wrong),
    )


def _not_there(entry: Entry) -> str:
    """Of an upload: what arrived must be there as it was said."""
    if entry.outcome not in ARRIVED:
        return ""
    if entry.there_size is None:
        return "it is not in the store"
    return _differs(entry)


def _differs(entry: Entry) -> str:
    if entry.there_size != entry.size and -1 not in (entry.there_size, entry.size):
        return f"it has {entry.there_size} bytes in the store, {entry.size} in the report"
    # The tag of an object in parts says nothing about its MD5, nor the other way round.
    alike = ("-" in (entry.hash or "")) == ("-" in (entry.there_hash or ""))
    if alike and entry.hash and entry.there_hash and entry.hash != entry.there_hash:
        return "its content in the store is not what was reported"
    return ""


@dataclass(frozen=True, slots=True)
class _Source:
    """Of a download: what the store had before `late` must be in the ledger as it is."""

    database: sqlite3.Connection
    late: int

    def __call__(self, entry: Entry) -> str:
        if entry.there_size is None or (entry.there_time or 0) >= self.late:
            return ""
        if entry.outcome is None:
            return "" if self._in_failed_directory(entry.path) else "the report leaves it out"
        return _differs(entry) if entry.outcome in ARRIVED else ""

    def _in_failed_directory(self, path: str) -> bool:
        """Whether the host could not list one that it is in, and said so: `name/` failed."""
        parts = path.split("/")
        above = ["/".join(parts[:depth]) + "/" for depth in range(1, len(parts))]
        marks = ",".join("?" * len(above))
        found = self.database.execute(
            f"SELECT 1 FROM files WHERE path IN ({marks}) AND outcome = ?",  # noqa: S608
            (*above, Outcome.FAILED.value),
        )
        return found.fetchone() is not None
