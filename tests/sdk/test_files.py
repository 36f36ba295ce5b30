"""What became of each file, streamed."""

import httpx2
import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client
from tests.sdk import views
from tests.sdk.conftest import KEY, Pauses
from tests.sdk.scripted import Answer, Scripted, lines, problem

FILES = "/v1/transfers/t_1/files"
ROWS = [views.row("a", "failed", why="It is gone."), views.row("b/ü", "copied", hash="0f")]


async def test_files_come_row_by_row_with_the_filters_asked_for(
    server: Scripted, client: Client
) -> None:
    server.on("GET", FILES, lines(*ROWS))

    found = [
        each
        async for each in client.transfers.files(
            "t_1", outcomes=("failed", "copied"), prefix="b/", attempt=2
        )
    ]

    assert found == ROWS
    assert server.seen[0].query == {"outcome": "failed,copied", "prefix": "b/", "attempt": "2"}


async def test_a_list_is_written_as_the_server_sends_it(server: Scripted, client: Client) -> None:
    server.on("GET", FILES, Answer(200, b"path,outcome\r\na,failed\r\n", "text/csv"))
    written: list[bytes] = []

    await client.transfers.files_to(written.append, "t_1", format="csv")

    assert b"".join(written) == b"path,outcome\r\na,failed\r\n"
    assert server.seen[0].query == {"format": "csv"}


async def test_there_may_be_no_list(server: Scripted, client: Client) -> None:
    server.on("GET", FILES, problem(404, "no_files", "There is no list.", "Ask later."))

    with pytest.raises(sdk.NotFound) as caught:
        _ = [each async for each in client.transfers.files("t_1")]
    assert caught.value.next == ("Ask later.",)


async def test_opening_a_list_outlives_a_restart_of_the_server(
    server: Scripted, client: Client
) -> None:
    server.on("GET", FILES, problem(503, "unavailable", "Restarting."), lines(*ROWS))

    assert [each async for each in client.transfers.files("t_1")] == ROWS


class Broken(httpx2.AsyncByteStream):
    """A body that breaks off."""

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        yield f"{ROWS[0].model_dump_json()}\n".encode()
        raise httpx2.ReadError("reset")


async def test_a_list_that_breaks_off_is_never_taken_for_the_whole_one(pauses: Pauses) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=Broken()))
    async with Client("http://s.test", KEY, transport=transport, sleep=pauses) as client:
        rows = client.transfers.files("t_1")
        assert await anext(rows) == ROWS[0]
        with pytest.raises(sdk.Unreachable, match="reset"):
            await anext(rows)
        with pytest.raises(sdk.Unreachable, match="reset"):
            await client.transfers.files_to(len, "t_1")


async def test_a_row_that_is_none_is_told_apart(server: Scripted, client: Client) -> None:
    server.on("GET", FILES, Answer(200, b"{}\n", "application/x-ndjson"))

    with pytest.raises(sdk.ApiError) as caught:
        _ = [each async for each in client.transfers.files("t_1")]
    assert caught.value.code == "unexpected_answer"
