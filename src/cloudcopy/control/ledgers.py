"""What became of each file: taken from agents chunk by chunk, and read the same way.

Nothing here holds more than a chunk or two. A chunk that is none is acknowledged and not
kept, and so is all that follows it: its agent would otherwise say it for ever. What an end is
worth without its ledger is decided when the end is told (`control.rechecks`).
"""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from cloudcopy.domain.errors import NotFound, Rejected
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId, Verify
from cloudcopy.domain.progress import Verified
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.wire import agent as wire
from cloudcopy.wire import ledger

log = structlog.get_logger()

MAX_CHUNKS: Final = 50_000  # of one attempt: 200 million rows of common length, 12 GB or less
MAX_PATH: Final = 4096  # characters: PATH_MAX, and four times the longest key of a store
MAX_WHY: Final = 2_000
MAX_CODE: Final = 80
MAX_HASH: Final = 128  # hex digits: SHA-512
MAX_SIZE: Final = 2**53 - 1  # what canonical JSON can write exactly
# Hex digits; the tag of an object in parts has their number behind it.
_HASH: Final = re.compile(r"[0-9a-f]*(-[0-9]{1,5})?", re.ASCII)


class NoLedger(NotFound):
    """There is no list of files, or none yet."""

    def __init__(self, detail: str, *, next: tuple[str, ...] = ()) -> None:
        Rejected.__init__(self, detail, next=next)
        self.code = "no_ledger"


@dataclass(frozen=True, slots=True)
class Place:
    """How far the names of one attempt have been told.

    Attributes:
        attempt: Whose ledger they are from.
        told: How many names that were.
        chunk, row: Where the next one is looked for.
    """

    attempt: int
    told: int
    chunk: int
    row: int


async def take(
    chunk: wire.LedgerChunk, *, machine: MachineId, reads: Reads, open_store: OpenStore
) -> None:
    """Keep a chunk of an attempt that has not ended; it is durable when this returns.

    One that is stale, damaged, or out of its order is not kept.
    """
    id = TransferId(chunk.transfer)
    try:
        found = _checked(chunk, await _last_path(chunk, reads))
    except ledger.BadChunk as error:
        log.error(
            "chunk of a ledger refused",
            transfer=chunk.transfer,
            attempt=chunk.attempt,
            number=chunk.number,
            reason=str(error),
        )
        return
    async with open_store() as store:
        try:
            transfer = await store.transfers.get(id)
        except NotFound:
            return
        mine = (transfer.machine, transfer.attempt, transfer.fence)
        if mine == (machine, chunk.attempt, chunk.fence) and open_ended(transfer):
            await store.ledgers.put(id, chunk.attempt, chunk.number, chunk.data, rows=found)


def open_ended(transfer: Transfer) -> bool:
    """Whether its present attempt has not ended."""
    return not transfer.state.final and transfer.state is not State.PAUSED


async def _last_path(chunk: wire.LedgerChunk, reads: Reads) -> str:
    """The path that the chunk's first one must come after. Raises BadChunk."""
    if not 0 <= chunk.number < MAX_CHUNKS:
        raise ledger.BadChunk(f"a ledger has {MAX_CHUNKS} chunks at most, counted from 0")
    if chunk.number == 0:
        return ""
    before = await reads.chunk(TransferId(chunk.transfer), chunk.attempt, chunk.number - 1)
    if before is None:
        raise ledger.BadChunk("the chunk before it is not there")
    return ledger.row(ledger.lines(before)[-1]).path


def _checked(chunk: wire.LedgerChunk, last: str) -> int:
    """How many rows it has. Raises BadChunk."""
    if len(chunk.data) > ledger.MAX_RAW_BYTES:
        raise ledger.BadChunk("a chunk of the ledger is too large")
    found = ledger.rows(chunk.data)
    if not found:
        raise ledger.BadChunk("a chunk of the ledger is empty")
    for row in found:
        if not last < row.path:
            raise ledger.BadChunk("the ledger is not sorted by path, each path once")
        last = row.path
        if (
            len(row.path) > MAX_PATH
            or len(row.why) > MAX_WHY
            or len(row.code) > MAX_CODE
            or len(row.hash) > MAX_HASH
            or not -1 <= row.size <= MAX_SIZE
            or not _HASH.fullmatch(row.hash)
        ):
            raise ledger.BadChunk("a row of the ledger is out of bounds")
    return len(found)


async def names(
    wanted: wire.NeedNames, *, machine: MachineId, reads: Reads, known: Place | None
) -> tuple[wire.Names, Place | None]:
    """The next page of files that failed before this attempt.

    They are those of the latest earlier attempt that has a ledger. There is one only of an
    attempt that knew all it was about; what it had not come to, it names as failed. What it
    had sent and did not live to prove is told as well.

    Args:
        known: What this returned for the page before; without it, all is read again up to
            the page.
    """
    id = TransferId(wanted.transfer)
    at = known if known and known.told == wanted.after else None
    try:
        transfer = (await reads.transfer(id, account=None)).transfer
    except NotFound:
        return _no_names(wanted), None
    if (transfer.machine, transfer.attempt, transfer.fence) != (
        machine,
        wanted.attempt,
        wanted.fence,
    ):
        return _no_names(wanted), None
    if at is None:
        attempt = await _source(transfer, reads)
        if attempt is None:
            return _no_names(wanted), None
        at = Place(attempt, 0, 0, 0)
    page: list[str] = []
    while (chunk := await reads.chunk(id, at.attempt, at.chunk)) is not None:
        rows = ledger.rows(chunk)
        for number in range(at.row, len(rows)):
            if not _open(rows[number], transfer):
                continue
            if len(page) == wire.MAX_NAMES:
                at = Place(at.attempt, at.told, at.chunk, number)
                return _page(wanted, page, more=True), at
            if at.told >= wanted.after:
                page.append(rows[number].path)
            at = Place(at.attempt, at.told + 1, at.chunk, number + 1)
        at = Place(at.attempt, at.told, at.chunk + 1, 0)
    return _page(wanted, page, more=False), at


def _open(row: FileRow, transfer: Transfer) -> bool:
    """Whether the file is still to be brought, or to be proven."""
    sent = row.outcome is Outcome.COPIED and row.verified is Verified.NOTHING
    return row.outcome is Outcome.FAILED or (sent and transfer.order.verify is not Verify.NONE)


def _no_names(wanted: wire.NeedNames) -> wire.Names:
    return _page(wanted, [], more=False)


def _page(wanted: wire.NeedNames, page: list[str], *, more: bool) -> wire.Names:
    return wire.Names(
        transfer=wanted.transfer,
        attempt=wanted.attempt,
        after=wanted.after,
        names=page,
        more=more,
    )


async def _source(transfer: Transfer, reads: Reads) -> int | None:
    """The attempt whose failed files are meant."""
    known = await reads.ledgers(transfer.id)
    return max((each for each in known if each < transfer.attempt), default=None)


async def attempt_of(transfer: Transfer, asked: int | None, *, reads: Reads) -> int:
    """The attempt whose files are shown: `asked`, or the latest with a list.

    Raises:
        NoLedger: there is none, or it is not complete yet.
    """
    known = [
        each
        for each in await reads.ledgers(transfer.id)
        if each < transfer.attempt or not open_ended(transfer)
    ]
    if not known:
        later = (
            "Ask again when it has ended."
            if open_ended(transfer)
            else "It ended before anything was listed, or so long ago that the list is gone."
        )
        raise NoLedger(f"There is no list of files of {transfer.id}.", next=(later,))
    if asked is None:
        return known[0]
    if asked not in known:
        attempts = ", ".join(str(each) for each in known[:20])
        raise NoLedger(
            f"There is no list of files of attempt {asked} of {transfer.id}.",
            next=(f"Attempts with one: {attempts}.",),
        )
    return asked


async def rows(
    transfer: TransferId,
    attempt: int,
    *,
    reads: Reads,
    outcomes: frozenset[Outcome] | None = None,
    prefix: str = "",
) -> AsyncIterator[Sequence[FileRow]]:
    """The rows of one attempt by path, a chunk at a time; None is any outcome.

    Stops behind the last path with the prefix: the rows are sorted.
    """
    number = 0
    while (chunk := await reads.chunk(transfer, attempt, number)) is not None:
        found = ledger.rows(chunk)
        wanted = [
            row
            for row in found
            if (outcomes is None or row.outcome in outcomes) and row.path.startswith(prefix)
        ]
        if wanted:
            yield wanted
        if prefix and found[-1].path > prefix and not found[-1].path.startswith(prefix):
            return
        number += 1


async def prune(*, before: datetime, open_store: OpenStore) -> int:
    """Forget the ledgers of transfers that ended before `before`.

    Returns:
        How many chunks that were. Other writers get their turn between a few of them.
    """
    total = 0
    while True:
        async with open_store() as store:
            pruned = await store.ledgers.prune(before=before)
        total += pruned
        if not pruned:
            return total
