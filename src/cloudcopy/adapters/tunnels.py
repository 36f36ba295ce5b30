"""Tunnels over WebSockets; see `ports.tunnels` and `wire.relay`."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from cloudcopy.domain.errors import Unavailable
from cloudcopy.wire import relay

PATIENCE_SECONDS: Final = 60.0  # an agent or a server that is started again is back by then
OPEN_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 5.0
FIRST_WAIT: Final = 0.1  # between tries; doubles up to the last
LAST_WAIT: Final = 2.0
MAX_DIGITS: Final = 9  # of a number of bytes: `WINDOW` has 7
_FOR_RCLONE: Final = 0o666  # it may run as another user; the directory is private
AWAY: Final = "the control plane could not be reached for the other instance's data"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebTunnels:
    """See `ports.tunnels.Tunnels`.

    Attributes:
        server: The control plane's URL, with http or https.
        sleep: Lets seconds pass.
        monotonic: Seconds of a clock that never goes back.
        patience: Seconds that a connection waits for the other end.
    """

    server: str
    sleep: Callable[[float], Awaitable[object]]
    monotonic: Callable[[], float]
    patience: float = PATIENCE_SECONDS

    @asynccontextmanager
    async def listen(
        self, place: Path, token: str, renew: Callable[[], Awaitable[str]]
    ) -> AsyncIterator["_Tunnel"]:
        tunnel = _Tunnel(self, token, renew)
        with _listener(place) as listener:
            server = await asyncio.start_unix_server(
                tunnel.accept, sock=listener, limit=relay.PIECE
            )
            try:
                yield tunnel
            finally:
                server.close()
                await tunnel.close()

    async def join(self, secret: str, place: Path) -> None:
        with _short(place) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=relay.PIECE)
        try:
            async with self.dial(secret) as far:
                await _carry(reader, writer, far)
        except (WebSocketException, TimeoutError) as error:
            raise ConnectionError(type(error).__name__) from error
        finally:
            writer.transport.abort()

    def dial(self, secret: str) -> connect:
        """A WebSocket, once it is awaited or entered."""
        return connect(
            f"{self.server.replace('http', 'ws', 1)}{relay.PATH}",
            additional_headers={"Authorization": f"Bearer {secret}"},
            max_size=relay.PIECE,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            proxy=None,
            compression=None,
        )


@dataclass
class _Tunnel:
    """See `ports.tunnels.Tunnel`."""

    tunnels: WebTunnels
    token: str = field(repr=False)
    renew: Callable[[], Awaitable[str]]
    trouble: str = field(default="", init=False)
    _open: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def close(self) -> None:
        for each in self._open:
            each.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await self._reached()
            if far is not None:
                async with far:
                    await _carry(reader, writer, far)
        except (OSError, WebSocketException):
            pass  # rclone sees that it is closed, and tries again
        finally:
            writer.close()

    async def _reached(self) -> ClientConnection | None:
        """The other end, or None, and `trouble`, when it does not come in time."""
        until, wait = self.tunnels.monotonic() + self.tunnels.patience, FIRST_WAIT
        while True:
            status = 0
            token = self.token
            try:
                far = await self.tunnels.dial(token)
            except InvalidStatus as error:
                status = error.response.status_code
                self.trouble = (error.response.body or b"").decode(errors="replace") or AWAY
            except (OSError, TimeoutError, WebSocketException):
                self.trouble = AWAY
            else:
                self.trouble = ""
                return far
            if status == relay.UNKNOWN:
                await self._renewed(token)
            if status == relay.REFUSED or self.tunnels.monotonic() >= until:
                return None
            await self.tunnels.sleep(wait)
            wait = min(LAST_WAIT, wait * 2)

    async def _renewed(self, refused: str) -> None:
        """Another token, unless somebody else has got one meanwhile."""
        async with self._renewing:
            if self.token != refused:
                return
            try:
                self.token = await self.renew()
            except Unavailable as error:
                self.trouble = str(error)


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: ClientConnection
) -> None:
    """Pass bytes both ways until one side ends; what the far side sent before is written out.

    Raises:
        WebSocketException, OSError: a side broke.
    """
    line = _Line(reader, writer, far)
    tasks = [asyncio.create_task(each) for each in (line.up(), line.down(), line.hear())]
    up, down, hear = tasks
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        down.cancel()
        line.deaf = True
        await far.close()  # its answer comes behind what is under way: that is heard out
    finally:
        for each in tasks:
            each.cancel()
        ends = await asyncio.gather(up, down, hear, return_exceptions=True)
    for end in ends:
        if isinstance(end, WebSocketException | OSError):
            raise end


class _Line:
    """One connection, and how many bytes are under way on it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: ClientConnection
    ) -> None:
        self._reader, self._writer, self._far = reader, writer, far
        self._room = relay.WINDOW  # bytes that we may send
        self._more_room = asyncio.Event()
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self._held = 0  # bytes in there
        self.deaf = False  # nobody takes anything off any more

    async def up(self) -> None:
        while piece := await self._reader.read(relay.PIECE):
            while self._room < len(piece):
                self._more_room.clear()
                await self._more_room.wait()
            self._room -= len(piece)
            await self._far.send(piece)

    async def hear(self) -> None:
        try:
            async for message in self._far:
                if isinstance(message, str):
                    self._room = min(relay.WINDOW, self._room + _number(message))
                    self._more_room.set()
                    continue
                if self.deaf:
                    continue
                self._held += len(message)
                if self._held > relay.WINDOW:
                    raise ConnectionError("the other end sends more than it may")
                self._arrived.put_nowait(message)
        finally:
            self._arrived.put_nowait(b"")

    async def down(self) -> None:
        untold = 0
        while piece := await self._arrived.get():
            self._writer.write(piece)
            await self._writer.drain()
            self._held -= len(piece)
            untold += len(piece)
            if untold >= relay.WINDOW // 4:
                await self._far.send(str(untold))
                untold = 0


def _number(text: str) -> int:
    """Raises ConnectionError: it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ConnectionError("the other end does not speak our protocol")
    return int(text)


@contextmanager
def _listener(place: Path) -> Iterator[socket.socket]:
    with _short(place) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        place.chmod(_FOR_RCLONE)
        yield listener


@contextmanager
def _short(place: Path) -> Iterator[str]:
    """A name for a socket: its address holds 108 bytes; by descriptor any directory fits."""
    fd = os.open(place.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{place.name}"
    finally:
        os.close(fd)
