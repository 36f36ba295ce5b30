"""Tunnels: both ends of a connection, through a control plane that a test plays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from cloudcopy.adapters.tunnels import AWAY, WebTunnels
from cloudcopy.domain.errors import Unavailable
from cloudcopy.ports.tunnels import Tunnel
from cloudcopy.wire import relay

MIB = 1 << 20


@dataclass
class Plane:
    """Refuses as `answers` say, one after the other, and then passes on between two halves.

    Attributes:
        tokens: What each half came with.
        passed: Bytes from the source's half that the destination's was sent.
    """

    answers: list[int] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    passed: int = 0
    port: int = 0
    time: float = 0.0
    halves: asyncio.Queue[ServerConnection] = field(default_factory=asyncio.Queue)

    @property
    def tunnels(self) -> WebTunnels:
        url = f"http://127.0.0.1:{self.port}"
        return WebTunnels(server=url, sleep=self._sleep, monotonic=lambda: self.time)

    async def _sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)

    def let_in(self, socket: ServerConnection, request: Request) -> Response | None:
        assert request.path == relay.PATH
        self.tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        if not self.answers:
            return None
        return socket.respond(HTTPStatus(self.answers.pop(0)), f"No: {len(self.tokens)}")

    async def take(self, socket: ServerConnection) -> None:
        """The source's half comes second."""
        if self.halves.empty():
            self.halves.put_nowait(socket)
            await socket.wait_closed()
            return
        other = self.halves.get_nowait()

        async def back() -> None:
            async for message in other:
                await socket.send(message)
            await socket.close()

        going = asyncio.create_task(back())
        async for message in socket:
            self.passed += len(message) if isinstance(message, bytes) else 0
            await other.send(message)
        going.cancel()
        await other.close()


@pytest.fixture
async def plane() -> AsyncIterator[Plane]:
    made = Plane()
    async with serve(
        made.take, "127.0.0.1", 0, process_request=made.let_in, compression=None
    ) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A socket whose path is longer than an address may be."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    return deep / "it.sock"


async def no_other() -> str:
    raise Unavailable("The source is away.")


@asynccontextmanager
async def origin(place: Path, answer: Callable) -> AsyncIterator[None]:
    """Something that answers at a unix socket, as the source's rclone does."""
    server = await asyncio.start_unix_server(answer, path=f"{_short(place)}")
    async with server:
        yield


def _short(place: Path) -> str:
    import os

    return f"/proc/self/fd/{os.open(place.parent, os.O_PATH)}/{place.name}"


async def ended(place: Path) -> bytes:
    """What comes from a connection until it is closed."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_unix_connection(_short(place))
        found = await reader.read()
        writer.close()
        return found


async def test_what_the_source_writes_arrives_whole_before_the_end(plane: Plane, place: Path):
    content = bytes(range(256)) * (10 * MIB // 256)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(3) == b"GET"
        writer.write(content)
        await writer.drain()
        writer.close()

    source = place.with_name("source.sock")
    async with origin(source, answer), plane.tunnels.listen(place, "TOKEN", no_other) as tunnel:
        reader, writer = await asyncio.open_unix_connection(_short(place))
        writer.write(b"GET")
        joined = asyncio.create_task(_joined(plane, source))
        async with asyncio.timeout(20):
            assert await reader.read() == content
            await joined
        writer.close()
        assert tunnel.trouble == ""
    assert plane.tokens == ["TOKEN", "SECRET"]


async def _joined(plane: Plane, source: Path) -> None:
    while plane.halves.empty():  # noqa: ASYNC110 - the destination's half comes first
        await asyncio.sleep(0.001)
    await plane.tunnels.join("SECRET", source)


async def test_a_reader_that_takes_nothing_has_one_window_under_way(plane: Plane, place: Path):
    stuck = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not stuck.is_set():
                writer.write(b"\0" * MIB)
                async with asyncio.timeout(1):
                    await writer.drain()
        except TimeoutError:
            stuck.set()
        finally:
            writer.transport.abort()

    source = place.with_name("source.sock")
    async with origin(source, answer), plane.tunnels.listen(place, "TOKEN", no_other):
        reader, writer = await asyncio.open_unix_connection(_short(place), limit=1)
        joined = asyncio.create_task(_joined(plane, source))
        async with asyncio.timeout(20):
            await stuck.wait()
        # What the destination's own socket took counts as taken off.
        assert relay.WINDOW - relay.PIECE <= plane.passed <= relay.WINDOW + MIB
        writer.transport.abort()
        await asyncio.gather(joined, return_exceptions=True)
        assert reader.at_eof() is False


async def renewed() -> str:
    return "SECOND"


async def test_a_token_that_is_not_known_any_more_is_renewed(plane: Plane, place: Path):
    plane.answers = [401]
    async with plane.tunnels.listen(place, "FIRST", renewed):
        closing = asyncio.create_task(ended(place))
        async with asyncio.timeout(20):
            half = await plane.halves.get()
            await half.close()
        assert await closing == b""
    assert plane.tokens == ["FIRST", "SECOND"]


@pytest.mark.parametrize(
    ("answers", "tries", "words"),
    [
        ([409], 1, "No: 1"),
        ([503] * 500, None, "No: "),
        ([401] * 500, None, "The source is away."),
    ],
)
async def test_what_does_not_come_in_time_is_closed_and_says_why(
    plane: Plane, place: Path, answers: list[int], tries: int | None, words: str
):
    plane.answers = answers
    async with plane.tunnels.listen(place, "TOKEN", no_other) as tunnel:
        assert await ended(place) == b""
        assert tunnel.trouble.startswith(words)
    if tries:
        assert len(plane.tokens) == tries
    else:
        assert plane.time >= plane.tunnels.patience


async def test_a_control_plane_that_is_away_is_waited_for(plane: Plane, place: Path):
    port, plane.port = plane.port, 1
    tunnels = plane.tunnels
    async with tunnels.listen(place, "TOKEN", no_other) as tunnel:
        assert await ended(place) == b""
        assert tunnel.trouble == AWAY
    plane.port = port
    async with plane.tunnels.listen(place.with_name("new"), "TOKEN", no_other) as tunnel:
        closing = asyncio.create_task(ended(place.with_name("new")))
        await (await plane.halves.get()).close()
        assert await closing == b""
        assert tunnel.trouble == ""


def test_no_token_is_in_a_repr(plane_tunnel: Tunnel):
    assert "TOKEN" not in repr(plane_tunnel)


@pytest.fixture
async def plane_tunnel(plane: Plane, place: Path) -> AsyncIterator[Tunnel]:
    async with plane.tunnels.listen(place, "TOKEN", no_other) as tunnel:
        yield tunnel
