"""Handles, listings and pauses that both clients share."""

from typing import Any

import httpx2
import pytest

from cloudcopy.sdk import Client, TransferView
from cloudcopy.wire import v1
from tests.sdk import views
from tests.sdk.conftest import KEY, Pauses
from tests.sdk.scripted import Scripted, ok, problem

ONE = "/v1/transfers/t_1"
COPY: Any = {
    "instance": "here",
    "connection": "my-s3",
    "direction": "instance_to_cloud",
    "src": "/data",
    "dst": "bucket/data",
}


async def test_what_was_asked_for_is_waited_for_with_an_awaited_progress(
    server: Scripted, client: Client
) -> None:
    server.on("POST", "/v1/checks", ok(views.transfer(work="check"), 202))
    server.on("GET", ONE, ok(views.transfer()), ok(views.transfer(state="partial")))
    states: list[str] = []

    async def show(view: TransferView) -> None:
        states.append(view.state)

    made = await client.checks.create(**COPY)
    ended = await made.wait(show)

    assert made == views.transfer(work="check")
    assert made != views.transfer(work="check", state="running")
    assert ended.state == "partial"
    assert states == ["queued", "partial"]


async def test_a_transfer_is_watched_until_its_end(server: Scripted, client: Client) -> None:
    server.on("GET", ONE, ok(views.transfer()), ok(views.transfer(state="succeeded")))

    assert [each.state async for each in client.transfers.watch("t_1")] == ["queued", "succeeded"]


async def test_a_listing_is_awaited_whole_or_read_page_by_page(
    server: Scripted, client: Client
) -> None:
    first = v1.InstancePage(data=[views.instance()], next_cursor="7")
    last = v1.InstancePage(data=[views.instance(id=8)])
    server.on("GET", "/v1/instances", ok(first), ok(last), ok(first))

    assert [each.id for each in await client.instances.list()] == [7, 8]
    async for each in client.instances.list():
        assert each.id == 7
        break
    assert [each.query for each in server.seen] == [{}, {"cursor": "7"}, {}]


@pytest.mark.parametrize(("chance", "own", "asked"), [(0.0, 0.25, 8.0), (1.0, 0.125, 8.8)])
async def test_pauses_vary_and_are_never_shorter_than_the_server_asked(
    server: Scripted, pauses: Pauses, chance: float, own: float, asked: float
) -> None:
    busy = problem(429, "slow", "Slow down.", headers={"Retry-After": "8"})
    server.on("GET", ONE, problem(503, "unavailable", "Busy."), busy, ok(views.transfer()))
    transport = httpx2.ASGITransport(app=server)

    async with Client(
        "http://s.test", KEY, transport=transport, sleep=pauses, chance=lambda: chance
    ) as client:
        await client.transfers.get("t_1")

    assert pauses == pytest.approx([own, asked])


async def test_a_copy_is_asked_for_again_after_a_reset_with_the_same_key(pauses: Pauses) -> None:
    keys: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise httpx2.ReadError("connection reset by peer")
        if len(keys) == 2:
            return httpx2.Response(504, content=b"gateway timeout")
        return httpx2.Response(202, content=views.transfer().model_dump_json())

    transport = httpx2.MockTransport(answer)
    async with Client("http://s.test", KEY, transport=transport, sleep=pauses) as client:
        made = await client.transfers.create(**COPY)

    assert made.id == "t_1"
    assert len(keys) == 3
    assert len(set(keys)) == 1
