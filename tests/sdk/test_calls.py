"""Errors, tries, and where the key may not appear."""

import socket
import traceback
from typing import Any

import httpx2
import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client
from cloudcopy.sdk.calls import TRIES
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


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, sdk.Invalid),
        (401, sdk.Unauthenticated),
        (403, sdk.Forbidden),
        (404, sdk.NotFound),
        (409, sdk.Conflict),
        (422, sdk.Invalid),
        (503, sdk.Unavailable),
        (500, sdk.ApiError),
    ],
)
async def test_a_problem_becomes_the_error_of_its_status(
    server: Scripted, client: Client, status: int, kind: type[sdk.ApiError]
) -> None:
    server.on("GET", ONE, problem(status, "some_code", "It is so.", "Do this.", retryable=True))

    with pytest.raises(sdk.ApiError) as caught:
        await client.transfers.get("t_1")

    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.retryable) == (status, "some_code", True)
    assert str(error) == error.detail == "It is so."
    assert error.next == ("Do this.",)


@pytest.mark.parametrize("status", [200, 301, 404, 500])
async def test_an_answer_that_is_not_the_apis_says_to_check_the_address(
    server: Scripted, client: Client, status: int
) -> None:
    server.on("GET", ONE, Answer(status, b"<html>Welcome to nginx</html>", "text/html"))

    with pytest.raises(sdk.ApiError) as caught:
        await client.transfers.get("t_1")

    assert caught.value.code == "unexpected_answer"
    assert caught.value.status == status
    assert "http://server.test" in caught.value.detail
    assert "CLOUDCOPY_URL" in caught.value.next[0]


async def test_a_copy_asked_for_again_after_a_503_carries_the_same_idempotency_key(
    server: Scripted, client: Client, pauses: Pauses
) -> None:
    busy = problem(503, "unavailable", "Busy.", headers={"Retry-After": "7"})
    server.on("POST", ALL, busy, Answer(502, b"bad gateway"), ok(views.transfer(), 202))

    made = await client.transfers.create(**COPY)
    await client.transfers.create(**COPY)

    assert made.id == "t_1"
    sent = [each.headers["idempotency-key"] for each in server.seen]
    assert sent == ["idem-0", "idem-0", "idem-0", "idem-1"]
    assert pauses == [7.0, 0.5]


async def test_tries_are_bounded(server: Scripted, client: Client, pauses: Pauses) -> None:
    server.on("GET", ONE, problem(503, "unavailable", "Busy."))

    with pytest.raises(sdk.Unavailable):
        await client.transfers.get("t_1")

    assert len(server.seen) == TRIES
    assert pauses == [0.25, 0.5, 1.0, 2.0]


async def test_a_server_that_asks_for_a_long_wait_is_not_asked_again(
    server: Scripted, client: Client
) -> None:
    server.on("GET", ONE, problem(429, "slow", "Slow down.", headers={"Retry-After": "3600"}))

    with pytest.raises(sdk.Unavailable):
        await client.transfers.get("t_1")

    assert len(server.seen) == 1


async def test_a_call_that_could_do_its_work_twice_is_not_repeated_after_a_502(
    server: Scripted, client: Client
) -> None:
    server.on("POST", "/v1/keys", Answer(502, b"bad gateway"))

    with pytest.raises(sdk.Unavailable):
        await client.keys.create(name="ci")

    assert len(server.seen) == 1


async def test_it_is_repeated_after_a_503_because_nothing_was_started(
    server: Scripted, client: Client
) -> None:
    made = views.created_key()
    server.on("POST", "/v1/keys", problem(503, "unavailable", "Busy."), ok(made, 201))

    assert await client.keys.create(name="ci") == made


async def test_nobody_listening_is_unreachable_and_says_how_to_start(pauses: Pauses) -> None:
    with socket.socket() as taken:  # bound, never listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with Client(url, KEY, sleep=pauses) as client:
            with pytest.raises(sdk.Unreachable) as caught:
                await client.keys.create(name="ci")

    assert len(pauses) == TRIES - 1  # never sent, so it is safe to try again
    assert caught.value.retryable
    assert url in str(caught.value)
    assert any("cloudcopy up" in each for each in caught.value.next)


async def test_the_key_is_sent_and_is_in_no_repr_and_no_error(
    server: Scripted, client: Client
) -> None:
    server.on("GET", ONE, problem(401, "unauthenticated", "This API key is unknown."))

    with pytest.raises(sdk.Unauthenticated) as caught:
        await client.transfers.get("t_1")

    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    shown = [repr(client), repr(caught.value), *traceback.format_exception(caught.value)]
    assert not any(KEY in text for text in shown)


@pytest.mark.parametrize("key", ["", "   ", "cck_x\ny", "cck_ключ", "two words"])
def test_what_cannot_be_a_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(sdk.Unauthenticated) as caught:
        Client("http://server.test", key)

    assert not key.strip() or key not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", ["", "server.test", "ftp://server.test", "http://", "http://h:x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(sdk.Unreachable) as caught:
        Client(url, KEY)

    assert caught.value.code == "bad_url"


async def test_a_password_in_the_address_is_in_no_error() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadError("gone")

    async with Client(
        "http://ann:hunter2@server.test",
        KEY,
        transport=httpx2.MockTransport(refuse),
        sleep=Pauses(),
    ) as client:
        with pytest.raises(sdk.Unreachable) as caught:
            await client.keys.list()

    assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + repr(client)
