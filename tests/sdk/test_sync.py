"""The blocking client: the async one in a thread of its own."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

import cloudcopy
from cloudcopy import sdk
from cloudcopy.sdk import SyncClient, TransferView, sync, transfers
from cloudcopy.wire import v1
from tests.sdk import views
from tests.sdk.conftest import KEY, Pauses
from tests.sdk.scripted import Answer, Scripted, ok, problem

ONE = "/v1/transfers/t_1"
ALL = "/v1/transfers"
COPY: Any = {
    "instance": "here",
    "connection": "my-s3",
    "direction": "instance_to_cloud",
    "src": "/data",
    "dst": "bucket/data",
}


def over(transport: httpx2.AsyncBaseTransport) -> SyncClient:
    return SyncClient(
        "http://server.test", KEY, transport=transport, sleep=Pauses(), chance=lambda: 0.0
    )


@pytest.fixture
def blocking(server: Scripted) -> Iterator[SyncClient]:
    with over(httpx2.ASGITransport(app=server)) as client:
        yield client


def ours() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "cloudcopy"]


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_every_method_of_the_async_client_is_there(blocking: SyncClient) -> None:
    other = sdk.Client("http://server.test", KEY)
    nouns = [name for name, value in vars(other).items() if not name.startswith("_")]
    assert len(nouns) >= 7
    for name in nouns:
        assert public(type(getattr(blocking, name))) == public(type(getattr(other, name))), name
    assert public(type(blocking)) - {"close"} == public(type(other))


def test_both_clients_are_at_the_top() -> None:
    assert cloudcopy.SyncClient is SyncClient
    assert cloudcopy.Client is sdk.Client
    with pytest.raises(AttributeError, match="no attribute 'AsyncClient'"):
        _ = cloudcopy.AsyncClient  # type: ignore[attr-defined]


def test_a_copy_is_made_and_waited_for(server: Scripted, blocking: SyncClient) -> None:
    final = views.transfer(state="succeeded", result=views.result())
    server.on("POST", ALL, ok(views.transfer(), 202))
    server.on("GET", ONE, ok(views.transfer(state="running")), ok(final))
    shown: list[tuple[str, threading.Thread]] = []

    made = blocking.transfers.create(**COPY)
    ended = made.wait(lambda view: shown.append((view.state, threading.current_thread())))

    assert made == views.transfer()
    assert ended == final
    here = threading.current_thread()
    assert shown == [("running", here), ("succeeded", here)]
    assert server.seen[0].headers["idempotency-key"]


def test_a_plan_and_what_carries_it_out_are_waited_for_in_the_same_way(
    server: Scripted, blocking: SyncClient
) -> None:
    server.on("POST", "/v1/plans", ok(views.transfer(work="plan"), 202))
    server.on("POST", "/v1/plans/t_1/apply", ok(views.transfer(id="t_2"), 202))
    for id in ("t_1", "t_2"):
        server.on("GET", f"{ALL}/{id}", ok(views.transfer(id=id, state="succeeded")))

    assert blocking.plans.create(**COPY).wait().state == "succeeded"
    assert blocking.plans.apply("t_1").wait().id == "t_2"


def test_progress_may_ask_the_client_and_may_be_awaited(
    server: Scripted, blocking: SyncClient
) -> None:
    server.on("GET", ONE, ok(views.transfer()), ok(views.transfer(state="failed")))
    server.on("GET", f"{ONE}/log", *[ok(v1.ReceiptKey(public_key="x"))])
    logs: list[str] = []
    states: list[str] = []

    async def show(view: TransferView) -> None:
        await asyncio.sleep(0)
        states.append(view.state)

    blocking.transfers.wait("t_1", lambda view: logs.append(blocking.transfers.log(view.id)))
    blocking.transfers.wait("t_1", show)

    assert logs[-1] == '{"public_key":"x"}'
    assert states == ["failed"]


async def test_it_works_where_a_loop_runs(server: Scripted, blocking: SyncClient) -> None:
    server.on("GET", ONE, ok(views.transfer()))

    assert blocking.transfers.get("t_1").id == "t_1"


def test_it_works_from_many_threads_at_once(server: Scripted, blocking: SyncClient) -> None:
    for number in range(32):
        server.on("GET", f"{ALL}/t_{number}", ok(views.transfer(id=f"t_{number}")))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: blocking.transfers.get(f"t_{n}").id, range(32)))

    assert found == [f"t_{number}" for number in range(32)]
    assert len(ours()) == 1


def test_a_list_is_read_page_by_page_and_no_page_that_nobody_reads(
    server: Scripted, blocking: SyncClient
) -> None:
    first = v1.TransferPage(data=[views.transfer(id="t_3")], next_cursor="t_3")
    last = v1.TransferPage(data=[views.transfer(id="t_1")], next_cursor=None)
    server.on("GET", ALL, ok(first), ok(last))

    pages = blocking.transfers.list()
    assert server.seen == []
    assert next(pages).id == "t_3"
    assert len(server.seen) == 1
    assert [each.id for each in pages] == ["t_1"]

    server.on("GET", ALL, ok(first))
    pages = blocking.transfers.list()
    next(pages)
    pages.close()
    assert len(server.seen) == 3


def test_connections_go_on_through_all_pages_too(server: Scripted, blocking: SyncClient) -> None:
    first = v1.ConnectionPage(data=[views.connection()], next_cursor="5")
    last = v1.ConnectionPage(data=[views.connection(id=102)])
    server.on("GET", "/v1/connections", ok(first), ok(last))

    assert [each.id for each in blocking.connections.list()] == [101, 102]
    assert [each.query for each in server.seen] == [{}, {"cursor": "5"}]


class Files(httpx2.AsyncBaseTransport):
    """Sends a list of files without end, and counts the pieces."""

    def __init__(self) -> None:
        self.sent = 0
        self.closed = threading.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=_Pieces(self))


class _Pieces(httpx2.AsyncByteStream):
    def __init__(self, files: Files) -> None:
        self._files = files

    async def __aiter__(self) -> AsyncIterator[bytes]:
        line = views.row("a", "copied").model_dump_json().encode() + b"\n"
        while True:
            self._files.sent += 1
            yield line * 100

    async def aclose(self) -> None:
        self._files.closed.set()


def test_files_are_read_as_the_caller_goes_on() -> None:
    files = Files()
    with over(files) as client:
        found = client.transfers.files("t_1")
        assert files.sent == 0
        for _ in range(250):
            assert next(found) == views.row("a", "copied")
        assert files.sent == 3
        found.close()
        assert files.closed.is_set()


def test_events_come_one_by_one(server: Scripted, blocking: SyncClient) -> None:
    event = v1.EventView(number=1, at=views.AT, state="succeeded", attempt=1, reason="")
    body = f"event: state\nid: 1\ndata: {event.model_dump_json()}\n\n".encode()
    server.on("GET", f"{ONE}/events", Answer(200, body, "text/event-stream"))

    assert list(blocking.transfers.events("t_1")) == [event]


def test_errors_are_the_same(server: Scripted, blocking: SyncClient) -> None:
    server.on("GET", ONE, problem(404, "no_such_transfer", "Nothing.", "List them."))

    with pytest.raises(sdk.NotFound) as caught:
        blocking.transfers.get("t_1")

    assert caught.value.next == ("List them.",)
    assert KEY not in repr(blocking)


def test_closing_ends_its_thread_and_what_comes_after_is_refused(server: Scripted) -> None:
    server.on("GET", ONE, ok(views.transfer()))
    client = over(httpx2.ASGITransport(app=server))
    client.close()
    assert ours() == []
    client = over(httpx2.ASGITransport(app=server))
    client.transfers.get("t_1")
    pages = client.transfers.list()
    assert len(ours()) == 1
    client.close()
    client.close()
    assert ours() == []
    with pytest.raises(RuntimeError, match="closed"):
        client.transfers.get("t_1")
    pages.close()


def test_one_that_was_forgotten_ends_its_thread_too(server: Scripted) -> None:
    server.on("GET", ONE, ok(views.transfer()))
    client = over(httpx2.ASGITransport(app=server))
    client.transfers.get("t_1")
    del client
    gc.collect()
    assert ours() == []


def test_it_does_not_wait_for_itself(server: Scripted, blocking: SyncClient) -> None:
    server.on("GET", f"{ONE}/files", ok(views.row("a", "copied")))

    with pytest.raises(RuntimeError, match="its own event loop"):
        blocking.transfers.files_to(lambda _: blocking.transfers.get("t_1"), "t_1")


class Stuck(httpx2.AsyncBaseTransport):
    """Interrupts the program at the first request, which is never answered."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.cancelled.is_set():
            return httpx2.Response(200, content=views.transfer().model_dump_json())
        os.kill(os.getpid(), signal.SIGINT)
        try:
            return await asyncio.Future()
        finally:
            self.cancelled.set()


def test_an_interrupt_ends_the_call_and_not_the_client() -> None:
    stuck = Stuck()
    with over(stuck) as client:
        with pytest.raises(KeyboardInterrupt):
            client.transfers.get("t_1")
        assert stuck.cancelled.wait(10)
        assert client.transfers.get("t_1").id == "t_1"


WARNINGS = ("-W", "error", "-W", "ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of it
SCRIPT = """
import os, sys
import httpx2
from cloudcopy import SyncClient
answer = httpx2.Response(200, content=sys.argv[1])
client = SyncClient("http://x.test", "cck_x", transport=httpx2.MockTransport(lambda _: answer))
print(client.transfers.get("t_1").id)
child = os.fork()
if not child:
    try:
        client.transfers.get("t_1")
    except RuntimeError as error:
        os._exit(7 if "fork" in str(error) else 8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_script_that_never_closes_it_ends_quietly_and_a_fork_is_told() -> None:
    ran = subprocess.run(
        [sys.executable, *WARNINGS, "-c", SCRIPT, views.transfer().model_dump_json()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split() == ["t_1", "7"]


def test_a_method_has_the_words_of_the_one_it_stands_for() -> None:
    assert sync.SyncTransfers.create.__doc__ == transfers.Transfers.create.__doc__
