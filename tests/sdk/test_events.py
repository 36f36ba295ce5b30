"""Server-Sent Events, and waiting that follows them."""

import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client, EventView, TransferView
from cloudcopy.sdk.calls import LONGEST_LINE_BYTES
from cloudcopy.sdk.events import MAX_MISSED
from tests.sdk import views
from tests.sdk.conftest import Pauses
from tests.sdk.scripted import Answer, Scripted, ok, problem, told

ONE = "/v1/transfers/t_1"
EVENTS = f"{ONE}/events"
QUEUED, RUNNING, DONE = (
    views.event(1, "queued"),
    views.event(2, "running"),
    views.event(3, "succeeded"),
)
NUMBERS = views.progress()


def asked_after(server: Scripted) -> list[str | None]:
    return [each.headers.get("last-event-id") for each in server.seen if each.path == EVENTS]


async def test_events_are_told_in_order_until_the_end(server: Scripted, client: Client) -> None:
    server.on("GET", EVENTS, told(QUEUED, None, RUNNING, NUMBERS, DONE))

    assert [each async for each in client.transfers.events("t_1")] == [
        QUEUED,
        RUNNING,
        NUMBERS,
        DONE,
    ]


async def test_a_lost_connection_goes_on_behind_the_last_event(
    server: Scripted, client: Client
) -> None:
    busy = problem(503, "unavailable", "Restarting.")
    server.on("GET", EVENTS, told(QUEUED, RUNNING, NUMBERS), busy, told(NUMBERS), told(DONE))

    found = [each async for each in client.transfers.events("t_1") if isinstance(each, EventView)]

    assert found == [QUEUED, RUNNING, DONE]
    assert asked_after(server) == [None, "2", "2", "2"]


async def test_an_end_before_a_retry_is_not_the_end(server: Scripted, client: Client) -> None:
    failed, again = views.event(3, "failed"), views.event(4, "queued", attempt=2)
    done = views.event(5, "succeeded", attempt=2)
    server.on("GET", EVENTS, told(QUEUED, RUNNING, failed, again), told(done))

    numbers = [
        each.number async for each in client.transfers.events("t_1") if isinstance(each, EventView)
    ]

    assert numbers == [1, 2, 3, 4, 5]


async def test_nothing_more_to_tell_is_an_end(server: Scripted, client: Client) -> None:
    server.on("GET", EVENTS, Answer(204))

    assert [each async for each in client.transfers.events("t_1")] == []


async def test_a_server_that_stays_away_is_given_up(
    server: Scripted, client: Client, pauses: Pauses
) -> None:
    server.on("GET", EVENTS, problem(503, "unavailable", "Down."))

    with pytest.raises(sdk.Unavailable):
        _ = [each async for each in client.transfers.events("t_1")]

    assert len(server.seen) == MAX_MISSED + 1
    assert len(pauses) == MAX_MISSED


async def test_connections_without_an_event_come_to_an_end(
    server: Scripted, client: Client
) -> None:
    server.on("GET", EVENTS, told())

    assert [each async for each in client.transfers.events("t_1")] == []
    assert len(server.seen) == MAX_MISSED + 1


async def test_what_is_no_stream_of_events_is_told_apart(server: Scripted, client: Client) -> None:
    for answer in (
        Answer(200, b"<html>", "text/html"),
        Answer(200, b"event: state\ndata: {}\n\n", "text/event-stream"),
        Answer(200, b"data: " + b"x" * (LONGEST_LINE_BYTES + 1), "text/event-stream"),
    ):
        server.on("GET", EVENTS, answer)
        with pytest.raises(sdk.ApiError) as caught:
            _ = [each async for each in client.transfers.events("t_1")]
        assert caught.value.code == "unexpected_answer"


async def test_waiting_follows_the_events_and_asks_again_only_at_changes(
    server: Scripted, client: Client, pauses: Pauses
) -> None:
    later = views.progress(copied=30)
    running = views.transfer(state="running")
    final = views.transfer(state="succeeded", result=views.result())
    server.on("GET", ONE, ok(views.transfer()), ok(running), ok(final))
    server.on("GET", EVENTS, told(QUEUED, RUNNING, NUMBERS, later, DONE))
    shown: list[TransferView] = []

    assert await client.transfers.wait("t_1", shown.append) == final

    assert [each.phase for each in shown] == [
        "queued",
        "preparing",
        "transferring",
        "transferring",
        "succeeded",
    ]
    assert [each.progress for each in shown[2:4]] == [NUMBERS, later]
    assert [each.path for each in server.seen] == [ONE, EVENTS, ONE, ONE]
    assert pauses == []


async def test_waiting_shows_a_sign_of_life_with_the_place_in_the_queue(
    server: Scripted, client: Client
) -> None:
    final = views.transfer(state="failed")
    server.on("GET", ONE, ok(views.transfer(ahead=3)), ok(views.transfer(ahead=1)), ok(final))
    server.on("GET", EVENTS, told(QUEUED, None, views.event(2, "failed")))
    shown: list[TransferView] = []

    await client.transfers.wait("t_1", shown.append)

    assert [each.ahead for each in shown] == [3, 1, None]


async def test_waiting_takes_up_the_events_again_after_a_lost_connection(
    server: Scripted, client: Client
) -> None:
    final = views.transfer(state="succeeded")
    server.on("GET", ONE, ok(views.transfer()), ok(views.transfer(state="paused")), ok(final))
    server.on("GET", EVENTS, told(QUEUED), told(DONE))

    assert await client.transfers.wait("t_1") == final
    assert asked_after(server) == [None, "1"]


@pytest.mark.parametrize(
    "answer",
    [
        problem(404, "no_such_route", "No."),
        problem(429, "too_many_streams", "No."),
        Answer(200, b"<html>", "text/html"),
        told(),
    ],
)
async def test_without_events_waiting_polls_and_does_not_ask_for_them_again(
    server: Scripted, client: Client, answer: Answer
) -> None:
    final = views.transfer(state="succeeded")
    server.on("GET", ONE, *[ok(views.transfer())] * 5, ok(final))
    server.on("GET", EVENTS, answer)

    assert await client.transfers.wait("t_1") == final
    assert asked_after(server) == [None]
