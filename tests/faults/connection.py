"""One client's connection through the proxy, and what is done to it."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Final

from tests.faults.faults import Break, Call, Fault, Refusal, Request
from tests.faults.messages import PIECE, Head, read_body, read_head

MAX_HEAD: Final = 64 * 1024
DRIP_SECONDS: Final = 0.5
DRIPS: Final = 240  # then the connection ends: two minutes

_ON_REQUEST: Final = (Break.RESET_IN_REQUEST, Break.CORRUPT_REQUEST)
_ON_ANSWER: Final = (Break.RESET_IN_ANSWER, Break.TRUNCATE, Break.CORRUPT_ANSWER, Break.LORIS)
_BARE: Final = ("204", "304")
_NO_GOODBYE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, not FIN

Seen = Counter[Fault | Call]


class Flying:
    """Requests that were asked and not answered yet.

    Attributes:
        now, most: How many of each kind there are, and were at once.
    """

    def __init__(self) -> None:
        self.now: Counter[Call] = Counter()
        self.most: Counter[Call] = Counter()

    @contextmanager
    def one(self, call: Call) -> Iterator[None]:
        self.now[call] += 1
        self.most[call] = max(self.most[call], self.now[call])
        try:
            yield
        finally:
            self.now[call] -= 1


class Ended(Exception):
    """Nothing more is to come on this connection."""


class Connection:
    """From a client to the store at `port`.

    Heads are passed on as they are: the signature covers the client's Host field, and
    SeaweedFS takes the host from there. What happens is counted in `seen` before the client
    can notice it. A fault that finds no body to spoil lets the exchange pass.
    """

    def __init__(
        self,
        port: int,
        decide: Callable[[str, str], tuple[Request, Fault | None]],
        seen: Seen,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        *,
        flying: Flying,
    ) -> None:
        self._port = port
        self._decide = decide
        self._seen = seen
        self._flying = flying
        self._client = client
        self._to_client = to_client
        self._store: asyncio.StreamReader | None = None
        self._to_store: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Exchange after exchange, until either side or a fault ends it."""
        try:
            # OSError: sockets that the other side has left cannot be told anything, in any way.
            with suppress(Ended, OSError, asyncio.IncompleteReadError):
                while True:
                    await self._exchange()
            self._to_client.close()
            with suppress(OSError):
                await self._to_client.wait_closed()
        finally:
            self._to_client.transport.abort()
            if self._to_store:
                self._to_store.transport.abort()

    async def _exchange(self) -> None:
        head = await read_head(self._client)
        request, fault = self._decide(head.line[0], head.line[1])
        with self._flying.one(request.call):
            await self._answered(head, request, fault)

    async def _answered(self, head: Head, request: Request, fault: Fault | None) -> None:
        if fault in _ON_REQUEST and head.empty:
            fault = None
        if fault is None:
            self._seen[request.call] += 1
        match fault:
            case Refusal():
                await self._refuse(head, fault)
            case Break.RESET:
                self._reset(fault)
            case Break.STALL:
                self._seen[fault] += 1
                while await self._client.read(PIECE):
                    pass
                raise Ended
            case _:
                await self._pass_on(head, request, fault)

    async def _pass_on(self, head: Head, request: Request, fault: Fault | None) -> None:
        """The request and its answer, side by side: a store may answer before it has all."""
        store, to_store = await self._connected()
        to_store.write(head.raw)
        sending = asyncio.create_task(self._send(head, to_store, fault))
        try:
            answer = await self._final_head(store)
            await self._answer(answer, store, request, fault)
            await sending
        except (ConnectionError, asyncio.IncompleteReadError):
            if sending.done():
                sending.result()  # raises what kept the store from answering
            raise
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            if not sending.cancelled():
                sending.exception()  # told above where it mattered; asyncio wants it fetched
        if answer.closes:
            raise Ended

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The store; a new connection where it has ended an idle one."""
        store, to_store = self._store, self._to_store
        if store is None or to_store is None or store.at_eof() or to_store.is_closing():
            if to_store:
                to_store.transport.abort()
            store, to_store = await asyncio.open_connection("127.0.0.1", self._port, limit=MAX_HEAD)
            self._store, self._to_store = store, to_store
        return store, to_store

    async def _send(self, head: Head, to_store: asyncio.StreamWriter, fault: Fault | None) -> None:
        """The body of a request. Where it breaks off, the store is left too."""
        try:
            async for piece, middle in read_body(head, self._client):
                whole = piece
                if middle and fault is Break.RESET_IN_REQUEST:
                    self._reset(fault)
                if middle and fault is Break.CORRUPT_REQUEST:
                    self._seen[fault] += 1
                    whole = _flipped(piece)
                with suppress(ConnectionError):  # its answer is on the way: read on for that
                    to_store.write(whole)
                    await to_store.drain()
        except BaseException:
            to_store.transport.abort()
            raise

    async def _final_head(self, store: asyncio.StreamReader) -> Head:
        while (head := await read_head(store)).line[1].startswith("1"):
            self._to_client.write(head.raw)  # 100 Continue
            await self._to_client.drain()
        return head

    async def _answer(
        self, head: Head, store: asyncio.StreamReader, request: Request, fault: Fault | None
    ) -> None:
        bare = request.method == "HEAD" or head.line[1] in _BARE
        if fault is Break.LOST:
            if not bare:
                async for _ in read_body(head, store):
                    pass
            self._reset(fault)
        if fault in _ON_ANSWER and (bare or head.empty):
            self._seen[request.call] += 1
        self._to_client.write(head.raw)
        if not bare:
            async for piece, middle in read_body(head, store):
                whole = await self._spoilt(piece, fault) if middle else piece
                self._to_client.write(whole)
                await self._to_client.drain()
        await self._to_client.drain()

    async def _spoilt(self, piece: bytes, fault: Fault | None) -> bytes:
        """The piece in the middle of an answer, or the end of the connection."""
        if fault not in _ON_ANSWER:
            return piece
        if fault is Break.RESET_IN_ANSWER:
            await self._flush()
            self._reset(fault)
        self._seen[fault] += 1
        if fault is Break.CORRUPT_ANSWER:
            return _flipped(piece)
        if fault is Break.LORIS:
            for at in range(min(len(piece), DRIPS)):
                self._to_client.write(piece[at : at + 1])
                await self._to_client.drain()
                await asyncio.sleep(DRIP_SECONDS)
        raise Ended

    async def _flush(self) -> None:
        """Until the kernel has all: an abort throws away what it has not."""
        self._to_client.transport.set_write_buffer_limits(high=0)
        await self._to_client.drain()

    def _reset(self, fault: Fault) -> None:
        self._seen[fault] += 1
        plug = self._to_client.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_GOODBYE)
        self._to_client.transport.abort()
        raise Ended

    async def _refuse(self, head: Head, refusal: Refusal) -> None:
        self._seen[refusal] += 1
        if not head.expects:  # else the body is not sent
            async for _ in read_body(head, self._client):
                pass
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{refusal.code}</Code><Message>injected</Message></Error>"
        ).encode()
        lines = [
            f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
            *(f"{name}: {value}" for name, value in refusal.headers),
            "Content-Type: application/xml",
            f"Content-Length: {len(text)}",
            *(["Connection: close"] if head.expects or head.closes else []),
        ]
        self._to_client.write("\r\n".join([*lines, "", ""]).encode())
        if head.line[0] != "HEAD":
            self._to_client.write(text)
        await self._to_client.drain()
        if head.expects:
            # Closing while a body still comes would reset, and take the answer away with it.
            self._to_client.write_eof()
            while await self._client.read(PIECE):
                pass
            raise Ended


def _flipped(piece: bytes) -> bytes:
    """One bit of the first byte is another."""
    return bytes([piece[0] ^ 1]) + piece[1:]
