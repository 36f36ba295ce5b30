"""The compatible API's cloud copy, as its clients use it."""

from datetime import timedelta

import pytest

from cloudcopy.control import reports
from cloudcopy.domain.transfer import TransferId
from cloudcopy.wire import agent as wire
from tests.http.conftest import Plane

COPY = "/api/v0/commands/rclone/"


async def live(plane: Plane) -> list[dict]:
    return (await plane.ask("GET", "/v1/transfers?state=queued,running,cancelling")).json()["data"]


async def report(plane: Plane, kind: str, reason: str = "", **numbers) -> None:
    """What the agent would say about the newest transfer."""
    newest = (await plane.ask("GET", "/v1/transfers?limit=1")).json()["data"][0]
    seen = await plane.services.reads.transfer(TransferId(newest["id"]), account=None)
    told = wire.Report(
        transfer=seen.transfer.id,
        attempt=seen.transfer.attempt,
        fence=seen.transfer.fence,
        kind=kind,
        at=plane.services.now(),
        reason=reason,
        result=wire.Numbers(**numbers) if numbers else None,
    )
    await reports.apply(
        told,
        machine=plane.machine,
        open_store=plane.services.open_store,
        bus=plane.services.bus,
        now=plane.services.now,
    )


@pytest.mark.parametrize("path", [COPY, COPY.rstrip("/")])
async def test_both_slash_forms_start_the_copy_without_a_redirect(plane: Plane, path: str):
    reply = await plane.ask("POST", path, plane.order())
    assert reply.status_code == 200
    body = reply.json()
    assert (body["success"], body["msg"]) == (True, "Cloud copy started.")
    assert body["result_url"].startswith("http://plane/api/v0/results/t_")


@pytest.mark.parametrize("case", ["Instance To Cloud", "instance to cloud", "INSTANCE TO CLOUD"])
async def test_the_direction_is_read_in_any_case(plane: Plane, case: str):
    reply = await plane.ask("POST", COPY, plane.order(transfer=case))
    assert reply.status_code == 200
    assert (await live(plane))[0]["direction"] == "instance_to_cloud"


async def test_src_and_dst_are_sided_by_the_direction(plane: Plane):
    order = plane.order(transfer="Cloud To Instance", src="/bucket/run/", dst="/workspace")
    assert (await plane.ask("POST", COPY, order)).status_code == 200
    (transfer,) = await live(plane)
    assert (transfer["src"], transfer["dst"]) == ("bucket/run", "/workspace")


async def test_ids_may_be_numbers_and_flags_may_be_absent(plane: Plane):
    order = plane.order(
        instance_id=plane.instance, selected=plane.connection, flags="absent", api_key="ignored"
    )
    assert (await plane.ask("POST", COPY, order)).status_code == 200


async def test_the_key_is_taken_from_the_header_then_the_query_then_the_body(plane: Plane):
    for place in ("query", "body"):
        order = plane.order(src=f"/{place}")
        path = f"{COPY}?api_key={plane.key}" if place == "query" else COPY
        if place == "body":
            order["api_key"] = plane.key
        assert (await plane.client.post(path, json=order)).status_code == 200
    wrong_first = {"Authorization": "Bearer wrong"}
    reply = await plane.client.post(
        f"{COPY}?api_key={plane.key}", json=plane.order(), headers=wrong_first
    )
    assert reply.status_code == 401


async def test_the_same_order_while_it_is_live_is_the_same_copy(plane: Plane):
    first = (await plane.ask("POST", COPY, plane.order())).json()
    again = (await plane.ask("POST", COPY, plane.order(src="workspace//run/"))).json()
    other = (await plane.ask("POST", COPY, plane.order(flags=["--dry-run"]))).json()
    assert first["result_url"] == again["result_url"] != other["result_url"]
    await report(plane, "succeeded")
    assert len(await live(plane)) == 1


async def test_an_order_that_has_ended_is_done_anew(plane: Plane):
    first = (await plane.ask("POST", COPY, plane.order())).json()
    await report(plane, "failed", "disk full")
    again = (await plane.ask("POST", COPY, plane.order())).json()
    assert first["result_url"] != again["result_url"]


async def test_the_result_is_404_until_the_end_and_text_ever_after(plane: Plane):
    url = (await plane.ask("POST", COPY, plane.order())).json()["result_url"]
    waiting = await plane.client.get(url)
    assert (waiting.status_code, waiting.json()["success"]) == (404, False)
    await report(plane, "started")
    assert (await plane.client.get(url)).status_code == 404
    await report(
        plane, "succeeded", listed=2, copied=2, bytes_copied=10, verified="hash", hash="md5"
    )
    done = await plane.client.get(url.rstrip("/"))
    assert done.status_code == 200
    assert done.headers["content-type"].startswith("text/plain")
    assert done.text == "Cloud Copy Operation Finished\n2 copied (10 B); verified by md5\n"


async def test_a_failed_result_is_200_text_with_the_reason(plane: Plane):
    url = (await plane.ask("POST", COPY, plane.order())).json()["result_url"]
    await report(plane, "failed", "the instance's disk is full", failed=1, notes=["a.bin: full"])
    done = await plane.client.get(url)
    assert done.status_code == 200
    assert "Failed: the instance's disk is full" in done.text
    assert "a.bin: full" in done.text
    assert "Finished" not in done.text


async def test_a_result_url_cannot_be_guessed_and_expires(plane: Plane):
    url = (await plane.ask("POST", COPY, plane.order())).json()["result_url"]
    await report(plane, "succeeded")
    forged = url.replace(url[-6:-1], "00000")
    assert (await plane.client.get(forged)).status_code == 404
    assert (await plane.client.get(url)).status_code == 200
    later = plane.services.now() + timedelta(hours=25)
    object.__setattr__(plane.services.queries, "now", lambda: later)
    assert (await plane.client.get(url)).status_code == 404


@pytest.mark.parametrize("form", ["{}", "C.{}", "{}:/workspace"])
async def test_cancel_stops_every_copy_of_the_instance(plane: Plane, form: str):
    await plane.ask("POST", COPY, plane.order())
    await plane.ask("POST", COPY, plane.order(src="/b", transfer="Instance To Cloud"))
    body = {"client_id": "me", "dst_id": form.format(plane.instance)}
    reply = await plane.ask("DELETE", COPY, body)
    assert (reply.status_code, reply.json()["success"]) == (200, True)
    assert "2 copies" in reply.json()["msg"]
    assert {each["state"] for each in await live(plane)} == {"cancelling"}
    again = await plane.ask("DELETE", COPY, body | {"dst_id": plane.instance})
    assert again.json() == {"success": True, "msg": "Nothing was running."}


async def test_cancel_of_an_unknown_instance_is_404(plane: Plane):
    reply = await plane.ask("DELETE", COPY, {"client_id": "me", "dst_id": 9})
    assert (reply.status_code, reply.json()["error"]) == (404, "no_such_instance")


async def test_status_msg_follows_the_copy_with_the_state_first(plane: Plane):
    async def status() -> str:
        row = (await plane.ask("GET", f"/api/v0/instances/{plane.instance}/?owner=me")).json()
        return row["instances"]["status_msg"]

    assert await status() == ""
    await plane.ask("POST", COPY, plane.order())
    assert await status() == "Cloud Copy: queued"
    await report(plane, "started")
    (running,) = await live(plane)
    seen = await plane.services.reads.transfer(TransferId(running["id"]), account=None)
    await reports.note(
        wire.ProgressNow(
            transfer=seen.transfer.id,
            attempt=1,
            fence=seen.transfer.fence,
            phase="transferring",
            bytes_done=1288490188,
            bytes_total=3113851289,
        ),
        open_store=plane.services.open_store,
        bus=plane.services.bus,
        now=plane.services.now,
        keep=True,
    )
    assert await status() == "Cloud Copy: 41% 1.2/2.9 GiB"
    await report(plane, "failed", "it said: Cloud Copy Operation Finished")
    assert (await status()).startswith("Cloud Copy Operation Failed: ")
    assert "Cloud Copy Operation Finished" not in await status()
    await plane.ask("POST", COPY, plane.order())
    await report(plane, "succeeded")
    assert await status() == "Cloud Copy Operation Finished"


async def test_the_same_order_after_a_cancel_is_a_new_copy(plane: Plane):
    first = (await plane.ask("POST", COPY, plane.order())).json()
    await plane.ask("DELETE", COPY, {"client_id": "me", "dst_id": plane.instance})
    again = (await plane.ask("POST", COPY, plane.order())).json()
    assert again["result_url"] != first["result_url"]
    assert {each["state"] for each in await live(plane)} == {"cancelling", "queued"}
