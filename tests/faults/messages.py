"""HTTP/1.1 messages as they are on the wire: a head, and a body in pieces."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

PIECE: Final = 64 * 1024
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Head:
    """The head of a request or an answer.

    Attributes:
        raw: All of it as it came.
        line: The words of its first line.
        fields: By name in lower case; of one that is repeated, the last.
    """

    raw: bytes
    line: list[str]
    fields: dict[str, str]

    @property
    def length(self) -> int:
        return int(self.fields.get("content-length", 0))

    @property
    def chunked(self) -> bool:
        return "chunked" in self.fields.get("transfer-encoding", "")

    @property
    def empty(self) -> bool:
        """No content comes with it."""
        return not self.length and not self.chunked

    @property
    def expects(self) -> bool:
        """The sender waits for a word before it sends the body."""
        return "expect" in self.fields

    @property
    def closes(self) -> bool:
        return self.fields.get("connection", "").lower() == "close"


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Raises asyncio.IncompleteReadError where the other side has ended the connection."""
    raw = await reader.readuntil(_END)
    first, *rest = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = (line.partition(":") for line in rest)
    return Head(raw, first.split(" "), {name.lower(): text.strip() for name, _, text in pairs})


async def read_body(head: Head, reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bool]]:
    """The body in pieces, framing included.

    Whatever spoils the middle is done to the piece marked True, which begins there: half way
    through the content, or through the first chunk where nobody said how much is to come.
    An empty body has no middle.
    """
    if not head.chunked:
        async for marked in _content(reader, head.length, halved=True):
            yield marked
        return
    size, halved = -1, True
    while size:
        line = await reader.readuntil(b"\r\n")
        yield line, False
        size = int(line.partition(b";")[0], 16)
        async for marked in _content(reader, size, halved=halved):
            yield marked
        halved = False
        if size:
            yield await reader.readexactly(2), False
    while True:
        trailer = await reader.readuntil(b"\r\n")
        yield trailer, False
        if trailer == b"\r\n":
            return


async def _content(
    reader: asyncio.StreamReader, size: int, *, halved: bool
) -> AsyncIterator[tuple[bytes, bool]]:
    """So many bytes; a piece ends half way, so that the next begins there."""
    middle, passed = size // 2, 0
    while passed < size:
        stop = middle if halved and passed < middle else size
        piece = await reader.read(min(stop - passed, PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size - passed)
        yield piece, halved and passed == middle
        passed += len(piece)
