"""The ledger of an attempt on its way to the control plane, chunk by chunk.

The file is the engine's (`ports.engine.Copy.ledger`). The end of the attempt is in the
journal before its first chunk goes out, and is reported after its last was acknowledged; so
after a crash everything is sent once more, and the control plane ignores what it has.
"""

import asyncio
import os
import struct
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from cloudcopy.agent.outbox import Outbox
from cloudcopy.wire.agent import LedgerAck, LedgerChunk, Report

AT_ONCE: Final = 8  # ledgers; a chunk of each is in memory, 2 MiB at most
_LENGTH: Final = struct.Struct(">I")

Attempt = tuple[str, int]


@dataclass
class Shipping:
    """Used from one event loop. One chunk of a ledger is in memory at a time.

    Attributes:
        directory: Where the ledgers lie until their report is acknowledged.
    """

    outbox: Outbox
    directory: Path
    _acks: dict[tuple[str, int, int], asyncio.Event] = field(default_factory=dict, init=False)
    _under_way: set[Attempt] = field(default_factory=set, init=False)
    _turns: asyncio.Semaphore = field(
        default_factory=partial(asyncio.Semaphore, AT_ONCE), init=False
    )

    def place(self, transfer: str, attempt: int) -> Path:
        """Where the engine writes the ledger of that attempt."""
        return self.directory / f"{transfer}-{attempt}"

    async def count(self, transfer: str, attempt: int) -> int:
        """How many chunks it has; 0 where there is no ledger."""
        return await asyncio.to_thread(_count, self.place(transfer, attempt))

    async def send(self, report: Report) -> None:
        """Send the ledger, then hold the report of the end.

        Nothing is sent where that is under way already, or the report waits for its answer.
        """
        attempt = (report.transfer, report.attempt)
        if attempt in self._under_way or self.outbox.holds(report):
            return
        self._under_way.add(attempt)
        try:
            async with self._turns:
                sent = await self._chunks(report)
            self.outbox.hold(msgspec.structs.replace(report, chunks=sent))
        finally:
            self._under_way.discard(attempt)

    async def _chunks(self, report: Report) -> int:
        """How many went out: all that the file has."""
        path = self.place(report.transfer, report.attempt)
        number, offset = 0, 0
        while (data := await asyncio.to_thread(_chunk, path, offset)) is not None:
            chunk = LedgerChunk(
                transfer=report.transfer,
                attempt=report.attempt,
                fence=report.fence,
                number=number,
                data=data,
            )
            key = (chunk.transfer, chunk.attempt, number)
            self._acks[key] = asyncio.Event()
            self.outbox.hold(chunk)
            try:
                await self._acks[key].wait()
            finally:
                del self._acks[key]
                self.outbox.release(chunk)
            number, offset = number + 1, offset + _LENGTH.size + len(data)
        return number

    def acknowledged(self, ack: LedgerAck) -> None:
        """The next chunk may go."""
        waiting = self._acks.get((ack.transfer, ack.attempt, ack.number))
        if waiting is not None:
            waiting.set()

    async def forget(self, transfer: str, attempt: int) -> None:
        """The report was acknowledged: the control plane has it all."""
        path = self.place(transfer, attempt)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def tidy(self, kept: set[Attempt]) -> None:
        """Remove the ledgers of all attempts but those in `kept`."""
        names = {self.place(*attempt).name for attempt in kept}
        await asyncio.to_thread(_tidy, self.directory, names)


def _chunk(path: Path, offset: int) -> bytes | None:
    """The chunk that begins at `offset`; None at the end, or where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            length = _length(file)
            data = file.read(length or 0)
            return data if len(data) == length else None
    except FileNotFoundError:
        return None


def _count(path: Path) -> int:
    try:
        with path.open("rb") as file:
            whole = path.stat().st_size
            count = 0
            while (length := _length(file)) is not None and file.tell() + length <= whole:
                file.seek(length, os.SEEK_CUR)
                count += 1
            return count
    except FileNotFoundError:
        return 0


def _length(file: BinaryIO) -> int | None:
    """What the chunk that begins here measures; None where none begins."""
    head = file.read(_LENGTH.size)
    return _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else None


def _tidy(directory: Path, kept: set[str]) -> None:
    if directory.is_dir():
        for entry in os.scandir(directory):
            if entry.name not in kept:
                Path(entry.path).unlink(missing_ok=True)
