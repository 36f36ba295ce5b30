"""The compatible API's cloud copy, as its clients use it."""

from datetime import timedelta

import pytest

from cloudcopy.domain.progress import ErrorGroup, Verified
from tests.http.conftest import Plane

COPY = "/api/v0/commands/rclone/"


async def live(plane: Plane) -> list[dict]:
    return (await plane.ask("GET", "/v1/transfers?state=queued,running,cancelling")).json()["data"]


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
    await plane.report("succeeded")
    assert len(await live(plane)) == 1


async def test_an_order_that_has_ended_is_done_anew(plane: Plane):
    first = (await plane.ask("POST", COPY, plane.order())).json()
    await plane.report("failed", "disk full")
    again = (await plane.ask("POST", COPY, plane.order())).json()
    assert first["result_url"] != again["result_url"]


async def test_the_result_is_404_until_the_end_and_text_ever_after(plane: Plane):
    url = (await plane.ask("POST", COPY, plane.order())).json()["result_url"]
    waiting = await plane.client.get(url)
    assert (waiting.status_code, waiting.json()["success"]) == (404, False)
    await plane.report("started")
    assert (await plane.client.get(url)).status_code == 404
    await plane.report(
        "succeeded", found=2, copied=2, bytes_copied=10, verified=Verified.HASH, hash="md5",
        by_hash=2,
    )  # fmt: skip
    done = await plane.client.get(url.rstrip("/"))
    assert done.status_code == 200
    assert done.headers["content-type"].startswith("text/plain")
    assert done.text == "Cloud Copy Operation Finished\n2 copied (10 B); verified by md5\n"


async def test_a_failed_result_is_200_text_with_the_reason(plane: Plane):
    url = (await plane.ask("POST", COPY, plane.order())).json()["result_url"]
    await plane.report("failed", "the instance's disk is full", failed=1, notes=("a.bin: full",))
    done = await plane.client.get(url)
    assert done.status_code == 200
    assert "Failed: the instance's disk is full" in done.text
    assert "a.bin: full" in done.text
    assert "Finished" not in done.text


async def test_a_result_url_cannot_be_guessed_and_expires(plane: Plane):
    url = (await plane.ask("POST", COPY, plane.order())).json()["result_url"]
    await plane.report("succeeded")
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
    await plane.report("started")
    assert await status() == "Cloud Copy: preparing"
    await plane.note(bytes_copied=1288490188, bytes_to_copy=3113851289, copied=310, to_copy=812)
    assert await status() == "Cloud Copy: transferring 41% 1.2/2.9 GiB 310/812 files"
    await plane.report("failed", "it said: Cloud Copy Operation Finished")
    assert (await status()).startswith("Cloud Copy Operation Failed: ")
    assert "Cloud Copy Operation Finished" not in await status()
    await plane.ask("POST", COPY, plane.order())
    await plane.report("succeeded")
    assert await status() == "Cloud Copy Operation Finished"


async def test_the_same_order_after_a_cancel_is_a_new_copy(plane: Plane):
    first = (await plane.ask("POST", COPY, plane.order())).json()
    await plane.ask("DELETE", COPY, {"client_id": "me", "dst_id": plane.instance})
    again = (await plane.ask("POST", COPY, plane.order())).json()
    assert again["result_url"] != first["result_url"]
    assert {each["state"] for each in await live(plane)} == {"cancelling", "queued"}


async def test_a_partial_copy_is_a_failure_in_words_with_its_errors_by_kind(plane: Plane):
    url = (await plane.ask("POST", COPY, plane.order())).json()["result_url"]
    group = ErrorGroup(
        code="access_denied",
        text="the store refused access",
        cure="Give the key write rights.",
        count=2,
        samples=("a.bin", "b.bin"),
    )
    await plane.report(
        "partial", "2 of 3 files failed", found=3, copied=1, failed=2, errors=(group,)
    )
    text = (await plane.client.get(url)).text
    row = (await plane.ask("GET", f"/api/v0/instances/{plane.instance}/")).json()["instances"]
    assert text.splitlines()[0] == row["status_msg"]
    assert row["status_msg"] == "Cloud Copy Operation Failed: partial: 2 of 3 files failed"
    assert "2 failed: the store refused access. Give the key write rights.\n  a.bin\n" in text
    assert "Finished" not in text


async def test_no_word_of_a_body_reaches_a_mirror_a_plan_a_check_or_the_proof(plane: Plane):
    order = plane.order(
        mode="mirror",
        work="plan",
        verify="none",
        compare="exists",
        bwlimit="1",
        scope="failed",
        agreed={"plan": "t_1", "source": "", "destination": ""},
        confirm_deletions=1,
        flags=["--delete-excluded"],
    )
    assert (await plane.ask("POST", COPY, order)).status_code == 200
    (made,) = await live(plane)
    assert {name: made[name] for name in ("work", "mode", "verify", "scope", "plan")} == {
        "work": "transfer",
        "mode": "copy",
        "verify": "hash",
        "scope": "all",
        "plan": None,
    }
    assert (made["compare"], made["bwlimit"]) == ("mtime", "")


@pytest.mark.parametrize("flag", ["--delete-before", "--delete-during", "--delete-after"])
async def test_no_flag_deletes(plane: Plane, flag: str):
    reply = await plane.ask("POST", COPY, plane.order(flags=[flag]))
    assert (reply.status_code, reply.json()["error"]) == (400, "bad_flag")


@pytest.mark.parametrize("noun", ["plans", "checks", "transfers"])
async def test_what_is_native_has_no_address_here(plane: Plane, noun: str):
    for path in (f"/api/v0/{noun}/", f"/api/v0/commands/{noun}/", f"/api/v1/{noun}/"):
        assert (await plane.ask("POST", path, plane.order())).status_code == 404


async def test_a_plan_or_a_check_never_stands_where_the_latest_copy_is_shown(plane: Plane):
    await plane.ask("POST", COPY, plane.order())
    await plane.report("started")
    for noun in ("plans", "checks"):
        assert (await plane.ask("POST", f"/v1/{noun}", plane.native())).status_code == 202
        await plane.report("succeeded", found=1)
    row = (await plane.ask("GET", f"/api/v0/instances/{plane.instance}/")).json()["instances"]
    assert row["status_msg"] == "Cloud Copy: preparing"
