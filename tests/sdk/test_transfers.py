import httpx2
import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client, TransferView
from cloudcopy.sdk.events import MAX_MISSED
from cloudcopy.wire import v1
from tests.sdk import views
from tests.sdk.conftest import KEY, Pauses
from tests.sdk.scripted import Answer, Scripted, ok, problem

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
        compare="checksum",
        verify="size",
        bwlimit="10M",
    )

    assert server.bodies("POST", ALL) == [
        {
            "instance": 7,
            "connection": "my-s3",
            "direction": "cloud_to_instance",
            "src": "bucket/x",
            "dst": "/x",
            "flags": ["--dry-run"],
            "compare": "checksum",
            "verify": "size",
            "mode": "copy",
            "bwlimit": "10M",
        }
    ]


async def test_a_copy_from_another_instance_names_no_connection_and_no_direction(
    server: Scripted, client: Client
) -> None:
    server.on("POST", ALL, ok(views.transfer(source_instance=7), 202))

    made = await client.transfers.create(instance="b", source_instance="a", src="/x", dst="/y")

    assert made.source_instance == 7
    (body,) = server.bodies("POST", ALL)
    assert isinstance(body, dict)
    assert (body["instance"], body["source_instance"]) == ("b", "a")
    assert not {"connection", "direction"} & body.keys()


async def test_a_list_goes_on_through_all_pages_with_its_filters(
    server: Scripted, client: Client
) -> None:
    server.on("GET", ALL, ok(page("t_3", "t_2", after="t_2")), ok(page("t_1")))

    found = [
        each.id
        async for each in client.transfers.list(
            states=("running", "queued"), work="check", instance=7, connection=101, page_size=2
        )
    ]

    assert found == ["t_3", "t_2", "t_1"]
    same = {"state": "running,queued", "work": "check", "instance": "7", "connection": "101"}
    same["limit"] = "2"
    assert [each.query for each in server.seen] == [same, same | {"cursor": "t_2"}]


async def test_a_list_fetches_no_page_that_nobody_reads(server: Scripted, client: Client) -> None:
    server.on("GET", ALL, ok(page("t_3", "t_2", after="t_2")))

    pages = client.transfers.list()

    assert (await anext(pages)).id == "t_3"
    await pages.aclose()
    assert len(server.seen) == 1


@pytest.mark.parametrize("state", ["succeeded", "partial", "failed", "cancelled"])
async def test_without_events_waiting_polls_until_every_final_state(
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

    assert polls == 1 + 1 + 5 * (MAX_MISSED + 1)  # the second looked for events


async def test_each_change_returns_the_transfer(server: Scripted, client: Client) -> None:
    server.on("POST", f"{ONE}/cancel", ok(views.transfer(state="cancelling"), 202))
    server.on("POST", f"{ONE}/pause", ok(views.transfer(state="pausing"), 202))
    server.on("POST", f"{ONE}/resume", ok(views.transfer(attempt=2), 202))
    server.on("POST", f"{ONE}/retry", ok(views.transfer(attempt=3), 202))
    server.on("PATCH", ONE, ok(views.transfer(bwlimit="1M")))

    assert (await client.transfers.cancel("t_1")).state == "cancelling"
    assert (await client.transfers.pause("t_1")).state == "pausing"
    assert (await client.transfers.resume("t_1")).attempt == 2
    assert (await client.transfers.retry("t_1", only="failed")).attempt == 3
    assert (await client.transfers.limit("t_1", "1M")).bwlimit == "1M"
    assert server.bodies("POST", f"{ONE}/retry") == [{"only": "failed"}]
    assert server.bodies("PATCH", ONE) == [{"bwlimit": "1M"}]


async def test_a_retry_that_may_have_begun_is_not_asked_for_twice(
    server: Scripted, client: Client
) -> None:
    for verb in ("retry", "resume"):
        server.on("POST", f"{ONE}/{verb}", problem(502, "bad_gateway", "Lost."))
        with pytest.raises(sdk.Unavailable):
            await getattr(client.transfers, verb)("t_1")

    assert len(server.seen) == 2


async def test_a_log_is_text_and_none_is_empty(server: Scripted, client: Client) -> None:
    server.on("GET", f"{ONE}/log", Answer(200, "a: copied\nbé\n".encode(), "text/plain"))

    assert await client.transfers.log("t_1") == "a: copied\nbé\n"


@pytest.mark.parametrize("id", ["", "..", "t_1/cancel", "t_1?x", "t_é"])
async def test_what_is_no_id_never_becomes_a_path(
    server: Scripted, client: Client, id: str
) -> None:
    with pytest.raises(sdk.NotFound):
        await client.transfers.get(id)

    assert server.seen == []
