import httpx2
import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client, TransferView
from cloudcopy.sdk.transfers import MAX_MISSED_POLLS
from cloudcopy.wire import v1
from tests.sdk import views
from tests.sdk.conftest import KEY, Pauses
from tests.sdk.scripted import Scripted, ok, problem

ONE = "/v1/transfers/t_1"
ALL = "/v1/transfers"


def page(*ids: str, after: str | None = None) -> v1.TransferPage:
    return v1.TransferPage(data=[views.transfer(id=id) for id in ids], next_cursor=after)


async def test_a_copy_is_asked_for_in_the_documented_body(server: Scripted, client: Client) -> None:
    server.on("POST", ALL, ok(views.transfer(), 202))

    await client.transfers.create(
        instance=7,
        connection="my-s3",
        direction="cloud_to_instance",
        src="bucket/x",
        dst="/x",
        flags=["--dry-run"],
    )

    assert server.bodies("POST", ALL) == [
        {
            "instance": 7,
            "connection": "my-s3",
            "direction": "cloud_to_instance",
            "src": "bucket/x",
            "dst": "/x",
            "flags": ["--dry-run"],
        }
    ]


async def test_a_list_goes_on_through_all_pages_with_its_filters(
    server: Scripted, client: Client
) -> None:
    server.on("GET", ALL, ok(page("t_3", "t_2", after="t_2")), ok(page("t_1")))

    found = [
        each.id
        async for each in client.transfers.list(
            states=("running", "queued"), instance=7, connection=101, page_size=2
        )
    ]

    assert found == ["t_3", "t_2", "t_1"]
    same = {"state": "running,queued", "instance": "7", "connection": "101", "limit": "2"}
    assert [each.query for each in server.seen] == [same, same | {"cursor": "t_2"}]


async def test_a_list_fetches_no_page_that_nobody_reads(server: Scripted, client: Client) -> None:
    server.on("GET", ALL, ok(page("t_3", "t_2", after="t_2")))

    pages = client.transfers.list()

    assert (await anext(pages)).id == "t_3"
    await pages.aclose()
    assert len(server.seen) == 1


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
async def test_waiting_ends_at_every_final_state(
    server: Scripted, client: Client, pauses: Pauses, state: v1.StateName
) -> None:
    running = views.transfer(state="running", progress=views.progress())
    final = views.transfer(state=state)
    server.on(
        "GET",
        ONE,
        ok(views.transfer()),
        ok(running),
        ok(running),
        ok(views.transfer(state="cancelling")),
        ok(final),
    )
    shown: list[TransferView] = []

    ended = await client.transfers.wait("t_1", shown.append)

    assert ended == final
    assert [each.state for each in shown] == ["queued", "running", "cancelling", state]
    assert pauses == pytest.approx([0.1, 0.15, 0.225, 0.3375])


async def test_polls_slow_down_to_one_a_second(
    server: Scripted, client: Client, pauses: Pauses
) -> None:
    server.on("GET", ONE, *[ok(views.transfer())] * 20, ok(views.transfer(state="failed")))

    await client.transfers.wait("t_1")

    assert pauses[0] == 0.1
    assert pauses[-1] == 1.0


async def test_waiting_outlives_a_restart_of_the_server(server: Scripted, client: Client) -> None:
    away = [problem(503, "unavailable", "Restarting.")] * 12
    final = views.transfer(state="succeeded", result=views.result())
    server.on("GET", ONE, ok(views.transfer()), *away, ok(final))

    assert await client.transfers.wait("t_1") == final


async def test_waiting_gives_up_on_a_server_that_stays_away(pauses: Pauses) -> None:
    polls = 0

    def once(request: httpx2.Request) -> httpx2.Response:
        nonlocal polls
        polls += 1
        if polls > 1:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(200, content=views.transfer().model_dump_json())

    transport = httpx2.MockTransport(once)
    async with Client("http://s.test", KEY, transport=transport, sleep=pauses) as client:
        with pytest.raises(sdk.Unreachable):
            await client.transfers.wait("t_1")

    assert polls == 1 + 5 * (MAX_MISSED_POLLS + 1)


async def test_cancel_and_retry_return_the_transfer(server: Scripted, client: Client) -> None:
    server.on("POST", f"{ONE}/cancel", ok(views.transfer(state="cancelling"), 202))
    server.on("POST", f"{ONE}/retry", ok(views.transfer(attempt=2), 202))

    assert (await client.transfers.cancel("t_1")).state == "cancelling"
    assert (await client.transfers.retry("t_1")).attempt == 2


@pytest.mark.parametrize("id", ["", "..", "t_1/cancel", "t_1?x", "t_é"])
async def test_what_is_no_id_never_becomes_a_path(
    server: Scripted, client: Client, id: str
) -> None:
    with pytest.raises(sdk.NotFound):
        await client.transfers.get(id)

    assert server.seen == []
