"""A transfer as it happens, over a real port."""

import asyncio
import gc
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest

from cloudcopy.compose import server
from cloudcopy.compose.settings import ServerSettings
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import CurrentFile, Phase, Progress
from cloudcopy.http.v1 import events, views
from tests.http.conftest import Plane
from tests.http.test_native import problem


@dataclass
class Served:
    plane: Plane
    url: str
    port: int
    stop: asyncio.Event

    @property
    def streams(self) -> int:
        """How many watch now."""
        return self.plane.services.bus.listeners

    def head(self, path: str) -> bytes:
        auth = self.plane.auth["Authorization"]
        return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\r\n".encode()


@pytest.fixture
async def served(plane: Plane, tmp_path) -> AsyncIterator[Served]:
    settings = ServerSettings(data_dir=tmp_path, host="127.0.0.1", port=0)
    bound = server.listening(settings)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)  # of what nobody reads: full soon
    stop = asyncio.Event()
    serving = asyncio.create_task(server.serve(plane.services, bound, stop=stop))
    yield Served(plane, server.local_url(bound, settings), bound.getsockname()[1], stop)
    stop.set()
    await serving


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


class Reader:
    """One stream's events, as they come."""

    def __init__(self, reply: httpx2.Response) -> None:
        self.reply = reply
        self._lines = reply.aiter_lines()

    async def block(self) -> list[str] | None:
        """The lines up to the next empty one; None at the end."""
        lines: list[str] = []
        async with asyncio.timeout(20):
            async for line in self._lines:
                if not line:
                    return lines
                lines.append(line)
        return None

    async def next(self) -> dict[str, str] | None:
        """The fields of the next event; comments are passed over."""
        while (lines := await self.block()) is not None:
            if not lines[0].startswith(":"):
                return dict(line.split(": ", 1) for line in lines)
        return None

    async def state(self) -> tuple[int, str]:
        """The number and the state of the next change of state."""
        while (event := await self.next()) is not None:
            if event["event"] == "state":
                told = json.loads(event["data"])
                assert event["id"] == str(told["number"])
                return told["number"], told["state"]
        raise AssertionError("the stream has ended")

    async def progress(self) -> dict[str, Any]:
        """The numbers of the next event, which must be of that kind."""
        event = await self.next()
        assert event is not None
        assert set(event) == {"event", "data"}
        assert event["event"] == "progress"
        return dict(json.loads(event["data"]))

    async def rest(self) -> list[tuple[int, str]]:
        """Every change of state up to the end."""
        told = []
        while (event := await self.next()) is not None:
            if event["event"] == "state":
                told.append((int(event["id"]), json.loads(event["data"])["state"]))
        return told


@asynccontextmanager
async def reading(
    served: Served, id: str, *, last: int | None = None, query: str = ""
) -> AsyncIterator[Reader]:
    headers = served.plane.auth | ({} if last is None else {"Last-Event-ID": str(last)})
    async with (
        httpx2.AsyncClient(timeout=30) as client,
        client.stream(
            "GET", f"{served.url}/v1/transfers/{id}/events{query}", headers=headers
        ) as it,
    ):
        assert it.status_code == 200
        assert it.headers["content-type"].startswith("text/event-stream")
        yield Reader(it)


async def silent(served: Served, id: str) -> socket.socket:
    """A client that asks for the events and never reads one."""
    loop = asyncio.get_running_loop()
    it = socket.socket()
    it.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    it.setblocking(False)
    await loop.sock_connect(it, ("127.0.0.1", served.port))
    await loop.sock_sendall(it, served.head(f"/v1/transfers/{id}/events"))
    return it


async def test_the_history_comes_first_then_what_happens_and_it_ends_with_the_end(served: Served):
    plane = served.plane
    id = await plane.submitted()
    await plane.report("started")
    async with reading(served, id) as reader:
        assert await reader.state() == (1, "queued")
        assert await reader.state() == (2, "running")
        await plane.note(bytes_copied=1, bytes_to_copy=2, current=(CurrentFile("a", 1, 2),))
        told = await reader.progress()
        assert (told["phase"], told["percent"], told["current"][0]["name"]) == (
            "transferring",
            50,
            "a",
        )
        await plane.report("succeeded")
        assert await reader.state() == (3, "succeeded")
        assert await reader.block() is None
    await until(lambda: served.streams == 0)


async def test_who_comes_later_sees_the_latest_numbers_at_once(served: Served):
    id = await served.plane.submitted()
    await served.plane.report("started")
    await served.plane.note(copied=7)
    async with reading(served, id, last=2) as reader:
        assert (await reader.progress())["copied"] == 7
        await served.plane.note(copied=7)
        await served.plane.note(copied=8)
        assert (await reader.progress())["copied"] == 8


async def test_a_reader_that_comes_back_misses_nothing_and_hears_nothing_twice(served: Served):
    plane = served.plane
    id = await plane.submitted()
    async with reading(served, id) as reader:
        heard = [await reader.state()]
        await plane.report("started")
        heard.append(await reader.state())
    await plane.report("failed", "no")
    await plane.ask("POST", f"/v1/transfers/{id}/retry")
    async with reading(served, id, last=heard[-1][0]) as reader:
        heard += [await reader.state(), await reader.state()]
        await plane.report("started")
        heard.append(await reader.state())
    await plane.report("succeeded")
    async with reading(served, id, query=f"?after={heard[-1][0]}") as reader:
        heard += await reader.rest()
    words = ["queued", "running", "failed", "queued", "running", "succeeded"]
    assert heard == list(enumerate(words, start=1))


async def test_many_cuts_at_any_place_lose_and_repeat_nothing(served: Served):
    plane = served.plane
    id = await plane.submitted()
    heard: list[tuple[int, str]] = []

    async def follow() -> None:
        while not heard or heard[-1][1] != "succeeded":
            last = heard[-1][0] if heard else None
            if not heard or heard[-1][1] != "failed" or await again():
                async with reading(served, id, last=last) as reader:
                    heard.append(await reader.state())

    async def again() -> bool:
        """Whether there is another attempt: after the end of one there is nothing to follow."""
        return not (await plane.newest()).state.final

    following = asyncio.create_task(follow())
    for _ in range(10):
        await plane.report("started")
        await plane.note(copied=1)
        await plane.report("failed", "no")
        await plane.ask("POST", f"/v1/transfers/{id}/retry")
    await plane.report("succeeded")
    await asyncio.wait_for(following, 30)
    words = ["queued", *["running", "failed", "queued"] * 10, "succeeded"]
    assert heard == list(enumerate(words, start=1))


async def test_there_is_nothing_after_the_end_which_a_browser_is_told(served: Served):
    plane = served.plane
    id = await plane.submitted()
    await plane.report("succeeded")
    async with reading(served, id, last=1) as reader:
        assert await reader.rest() == [(2, "succeeded")]
    headers = plane.auth | {"Last-Event-ID": "2"}
    reply = await plane.ask("GET", f"/v1/transfers/{id}/events", headers=headers)
    assert (reply.status_code, reply.content) == (204, b"")


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "", "99", "9" * 50])
async def test_an_id_that_is_no_events_is_refused(plane: Plane, last: str):
    id = await plane.submitted()
    path = f"/v1/transfers/{id}/events"
    headers = plane.auth | {"Last-Event-ID": last}
    problem(await plane.ask("GET", path, headers=headers), 422, "invalid")
    if last:
        problem(await plane.ask("GET", f"{path}?after={last}"), 422, "invalid")


async def test_only_the_owner_listens(plane: Plane):
    id = await plane.submitted()
    problem(await plane.client.get(f"/v1/transfers/{id}/events"), 401, "unauthenticated")
    problem(await plane.ask("GET", "/v1/transfers/t_none/events"), 404, "no_such_transfer")
    assert plane.services.bus.listeners == 0


async def test_a_quiet_stream_says_now_and_then_that_it_lives(served: Served, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    id = await served.plane.submitted()
    async with reading(served, id) as reader:
        assert await reader.state() == (1, "queued")
        assert await reader.block() == [": still here"]
        assert await reader.block() == [": still here"]


async def test_a_change_whose_ring_was_lost_is_told_with_the_heartbeat(served: Served, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(served.plane.services.bus, "moved", lambda _: None)
    id = await served.plane.submitted()
    async with reading(served, id) as reader:
        assert await reader.state() == (1, "queued")
        await served.plane.report("started")
        assert await reader.state() == (2, "running")


async def test_who_reads_nothing_costs_no_memory_and_slows_nobody(served: Served):
    id = await served.plane.submitted()
    await served.plane.report("started")
    bus = served.plane.services.bus
    files = tuple(CurrentFile("n" * 200 + str(n), 1, 2) for n in range(8))
    numbers = Progress(phase=Phase.TRANSFERRING, current=files)
    stuck = [await silent(served, id) for _ in range(8)]
    try:
        async with reading(served, id, last=2) as reader:
            await until(lambda: served.streams == 9)
            seen = asyncio.create_task(_found_until(reader, 10_000))
            gc.collect()
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            for number in range(1, 10_001):
                bus.publish(TransferId(id), replace(numbers, found=number))
                if number % 10 == 0:
                    await asyncio.sleep(0)
            found = await asyncio.wait_for(seen, 60)
            gc.collect()
            after, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        size = len(views.progress(numbers).model_dump_json())
        assert 8 * 10_000 * size > 150_000_000  # what a queue for each of them would have held
        assert after - before < 2_000_000  # 64 KiB for each connection, and what this test keeps
        assert most - before < 4_000_000
        assert found == sorted(set(found))
        assert found[-1] == 10_000
    finally:
        for each in stuck:
            each.close()
    await until(lambda: served.streams == 0)


async def _found_until(reader: Reader, last: int) -> list[int]:
    found = [(await reader.progress())["found"]]
    while found[-1] != last:
        found.append((await reader.progress())["found"])
    return found


async def test_a_key_has_so_many_streams_and_a_place_is_free_again_when_one_goes(served: Served):
    id = await served.plane.submitted()
    path = f"/v1/transfers/{id}/events"
    open_ = [await silent(served, id) for _ in range(events.STREAMS_OF_KEY)]
    await until(lambda: served.streams == events.STREAMS_OF_KEY)
    async with httpx2.AsyncClient(base_url=served.url) as client:
        refused = await client.get(path, headers=served.plane.auth)
        told = problem(refused, 429, "too_many_streams")
        assert told["retryable"] is True
        assert int(refused.headers["retry-after"]) > 0
        other = (await served.plane.ask("POST", "/v1/keys", {"name": "other"})).json()["key"]
        headers = {"Authorization": f"Bearer {other}"}
        async with client.stream("GET", path, headers=headers) as reply:
            assert reply.status_code == 200
    open_.pop().close()
    await until(lambda: served.streams == events.STREAMS_OF_KEY - 1)
    async with reading(served, id) as reader:
        assert await reader.state() == (1, "queued")
    for each in open_:
        each.close()
    await until(lambda: served.streams == 0)


async def test_the_server_has_so_many_streams(served: Served, monkeypatch):
    monkeypatch.setattr(events, "STREAMS", 1)
    id = await served.plane.submitted()
    async with reading(served, id) as reader:
        assert await reader.state() == (1, "queued")
        async with httpx2.AsyncClient() as client:
            url = f"{served.url}/v1/transfers/{id}/events"
            refused = await client.get(url, headers=served.plane.auth)
        problem(refused, 429, "too_many_streams")


async def test_every_stream_ends_when_the_server_closes(served: Served):
    id = await served.plane.submitted()
    async with reading(served, id) as reader:
        assert await reader.state() == (1, "queued")
        served.stop.set()
        assert await reader.rest() == []
    await until(lambda: served.streams == 0)
