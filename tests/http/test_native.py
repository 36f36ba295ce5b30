"""The native API: what it answers, and how it refuses."""

from typing import Any

import pytest

from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.progress import (
    CurrentFile,
    Digests,
    ErrorGroup,
    Phase,
    Progress,
    Recheck,
    Result,
    Verified,
)
from cloudcopy.http.v1 import views
from cloudcopy.wire import v1
from tests.http.conftest import Plane


def problem(reply: Any, status: int, code: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "retryable", "next"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    assert isinstance(body["next"], list)
    return body


async def test_a_transfer_is_accepted_with_its_location(plane: Plane):
    reply = await plane.ask("POST", "/v1/transfers", plane.native(flags=["--exclude", "*.tmp"]))
    assert reply.status_code == 202
    made = reply.json()
    assert reply.headers["location"] == f"/v1/transfers/{made['id']}"
    assert made["id"].startswith("t_")
    assert (made["state"], made["attempt"], made["flags"]) == ("queued", 1, ["--exclude=*.tmp"])
    assert (made["src"], made["dst"]) == ("/workspace/run", "bucket/run")
    assert (made["work"], made["mode"], made["scope"], made["plan"]) == (
        "transfer",
        "copy",
        "all",
        None,
    )
    assert (made["compare"], made["verify"], made["bwlimit"]) == ("mtime", "hash", "")
    assert (await plane.ask("GET", reply.headers["location"])).json() == made


async def test_instances_and_connections_go_by_id_or_name(plane: Plane):
    for instance in ("box", plane.instance, str(plane.instance)):
        for connection in ("store", plane.connection, str(plane.connection)):
            order = plane.native(instance=instance, connection=connection)
            assert (await plane.ask("POST", "/v1/transfers", order)).status_code == 202


async def test_another_instance_stands_in_the_place_of_a_connection(plane: Plane):
    body = {"source_instance": "box", "instance": "other", "src": "/a", "dst": "/b"}
    for path in ("/v1/transfers", "/v1/plans", "/v1/checks"):
        for source in ("box", plane.instance, str(plane.instance)):
            reply = await plane.ask("POST", path, body | {"source_instance": source})
            assert reply.status_code == 202, reply.text
            made = reply.json()
            assert (made["source_instance"], made["instance"]) == (
                plane.instance,
                plane.instance + 1,
            )
            assert (made["src"], made["dst"], made["cloud_type"]) == ("/a", "/b", "instance")
            assert made["connection_name"] == f"@{plane.instance}"
    said = body | {"direction": "cloud_to_instance"}
    assert (await plane.ask("POST", "/v1/transfers", said)).status_code == 202
    shown = (await plane.ask("GET", "/v1/connections")).json()["data"]
    assert [each["name"] for each in shown] == ["store"]


async def test_an_idempotency_key_makes_a_repetition_safe(plane: Plane):
    headers = plane.auth | {"Idempotency-Key": "run-1"}
    first = await plane.ask("POST", "/v1/transfers", plane.native(), headers=headers)
    again = await plane.ask("POST", "/v1/transfers", plane.native(), headers=headers)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    other = await plane.ask("POST", "/v1/transfers", plane.native(src="/x"), headers=headers)
    problem(other, 409, "idempotency_key_reused")
    without = await plane.ask("POST", "/v1/transfers", plane.native())
    assert without.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"instance": "nowhere"}, 404, "no_such_instance"),
        ({"instance": 2**70}, 404, "no_such_instance_or_connection"),
        ({"connection": "nothing"}, 404, "no_such_connection"),
        ({"direction": "sideways"}, 422, "invalid"),
        ({"src": "/a/../b"}, 422, "bad_path"),
        ({"dst": ""}, 422, "no_bucket"),
        ({"flags": ["--rc"]}, 400, "bad_flag"),
        ({"unknown": 1}, 422, "invalid"),
        ({"src": None}, 422, "invalid"),
        ({"mode": "mirror"}, 422, "mirror_needs_plan"),
        ({"mode": "sync"}, 422, "invalid"),
        ({"compare": "colour"}, 422, "invalid"),
        ({"compare": "size", "flags": ["--checksum"]}, 422, "invalid"),
        ({"verify": "twice"}, 422, "invalid"),
        ({"bwlimit": "fast"}, 422, "bad_bwlimit"),
        ({"bwlimit": "1M " * 100_000}, 413, "too_large"),
        ({"src": "a/" * 600}, 422, "bad_path"),
        ({"dst": "b/" + "n" * 256}, 422, "bad_path"),
        ({"flags": ["--exclude", "*.tmp"] * 33}, 400, "bad_flag"),
        ({"flags": ["--exclude", "x" * 1025]}, 400, "bad_flag"),
        ({"src": "../" * 50_000}, 422, "bad_path"),
        ({"n" * 5_000: 1}, 422, "invalid"),
    ],
)
async def test_a_bad_order_is_a_problem(plane: Plane, changes, status: int, code: str):
    problem(await plane.ask("POST", "/v1/transfers", plane.native(**changes)), status, code)
    assert (await plane.ask("GET", "/v1/transfers")).json()["data"] == []


async def test_an_unknown_name_is_told_which_ones_there_are(plane: Plane):
    reply = await plane.ask("POST", "/v1/transfers", plane.native(instance="nowhere"))
    assert f"{plane.instance} (box)" in problem(reply, 404, "no_such_instance")["next"][0]


async def test_lists_are_pages_newest_first(plane: Plane):
    ids = [
        (await plane.ask("POST", "/v1/transfers", plane.native(src=f"/{n}"))).json()["id"]
        for n in range(5)
    ]
    seen, cursor = [], ""
    while True:
        path = f"/v1/transfers?limit=2{f'&cursor={cursor}' if cursor else ''}"
        page = (await plane.ask("GET", path)).json()
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]


async def test_lists_are_filtered_by_state_instance_and_connection(plane: Plane):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()["id"]
    await plane.ask("POST", f"/v1/transfers/{made}/cancel")
    await plane.ask("POST", "/v1/transfers", plane.native(instance="other"))

    async def count(query: str) -> int:
        return len((await plane.ask("GET", f"/v1/transfers?{query}")).json()["data"])

    assert await count("state=cancelling") == 1
    assert await count("state=queued,cancelling") == 2
    assert await count(f"instance={plane.instance}") == 1
    assert await count(f"connection={plane.connection}") == 2
    assert await count("connection=1") == 0
    problem(await plane.ask("GET", "/v1/transfers?state=odd"), 422, "invalid")
    problem(await plane.ask("GET", "/v1/transfers?limit=0"), 422, "invalid")


async def test_a_list_may_be_of_transfers_of_plans_or_of_checks(plane: Plane):
    made = {
        "transfer": await plane.submitted(),
        "plan": (await plane.ask("POST", "/v1/plans", plane.native())).json()["id"],
        "check": (await plane.ask("POST", "/v1/checks", plane.native())).json()["id"],
    }
    for work, id in made.items():
        page = (await plane.ask("GET", f"/v1/transfers?work={work}")).json()["data"]
        assert [(each["id"], each["work"]) for each in page] == [(id, work)]
    everything = (await plane.ask("GET", "/v1/transfers")).json()["data"]
    assert len(everything) == 3
    problem(await plane.ask("GET", "/v1/transfers?work=theft"), 422, "invalid")


@pytest.mark.parametrize(
    ("changes", "compare", "flags"),
    [
        ({}, "mtime", []),
        ({"compare": "mtime"}, "mtime", []),
        ({"compare": "size"}, "size", ["--size-only"]),
        ({"compare": "exists"}, "exists", ["--ignore-existing"]),
        ({"compare": "checksum"}, "checksum", ["--checksum"]),
        ({"compare": "size", "flags": ["--size-only"]}, "size", ["--size-only"]),
        ({"flags": ["--checksum"]}, "checksum", ["--checksum"]),
    ],
)
async def test_the_comparison_is_a_level_or_its_flag(plane: Plane, changes, compare: str, flags):
    made = (await plane.ask("POST", "/v1/transfers", plane.native(**changes))).json()
    assert (made["compare"], made["flags"]) == (compare, flags)


async def test_a_transfer_is_paused_and_goes_on_as_another_attempt(plane: Plane):
    made = await plane.submitted()
    await plane.report("started")
    paused = await plane.ask("POST", f"/v1/transfers/{made}/pause")
    assert (paused.status_code, paused.json()["state"]) == (202, "pausing")
    await plane.report("stopped")
    now = (await plane.ask("GET", f"/v1/transfers/{made}")).json()
    assert (now["state"], now["phase"], now["ended_at"]) == ("paused", "paused", None)
    resumed = await plane.ask("POST", f"/v1/transfers/{made}/resume")
    assert (resumed.status_code, resumed.json()["state"], resumed.json()["attempt"]) == (
        202,
        "queued",
        2,
    )
    problem(await plane.ask("POST", f"/v1/transfers/{made}/resume"), 409, "transfer_queued")
    problem(await plane.ask("POST", "/v1/transfers/t_none/pause"), 404, "no_such_transfer")


async def test_the_bandwidth_is_changed_while_it_is_live_and_not_afterwards(plane: Plane):
    made = await plane.submitted(bwlimit="10M")
    path = f"/v1/transfers/{made}"
    assert (await plane.ask("GET", path)).json()["bwlimit"] == "10M"
    for limit in ("1M", "off", "08:00,1M 18:00,off [Europe/Berlin]", ""):
        changed = await plane.ask("PATCH", path, {"bwlimit": limit})
        assert (changed.status_code, changed.json()["bwlimit"]) == (200, limit)
    problem(await plane.ask("PATCH", path, {"bwlimit": "fast"}), 422, "bad_bwlimit")
    problem(await plane.ask("PATCH", path, {"src": "/x"}), 422, "invalid")
    await plane.report("succeeded")
    problem(await plane.ask("PATCH", path, {"bwlimit": "1M"}), 409, "transfer_succeeded")


async def test_a_retry_is_of_everything_or_of_what_failed(plane: Plane):
    made = await plane.submitted()
    path = f"/v1/transfers/{made}/retry"
    await plane.report("partial", "1 of 2 failed", found=2, copied=1, failed=1)
    problem(await plane.ask("POST", path, {"only": "failed"}), 409, "nothing_failed")
    await plane.keep(FileRow("a", Outcome.FAILED))
    again = (await plane.ask("POST", path, {"only": "failed"})).json()
    assert (again["state"], again["attempt"], again["scope"]) == ("queued", 2, "failed")
    await plane.report("failed", "no", failed=1)
    whole = (await plane.ask("POST", path)).json()
    assert (whole["attempt"], whole["scope"]) == (3, "all")
    await plane.report("failed", "no")
    problem(await plane.ask("POST", path, {"only": "some"}), 422, "invalid")


async def test_the_phase_is_the_state_and_while_it_runs_what_it_does(plane: Plane):
    made = await plane.submitted()

    async def told() -> tuple[str, str]:
        view = (await plane.ask("GET", f"/v1/transfers/{made}")).json()
        return view["state"], view["phase"]

    assert await told() == ("queued", "queued")
    await plane.report("started")
    assert await told() == ("running", "preparing")
    for phase in Phase:
        await plane.note(phase=phase)
        assert await told() == ("running", phase.value)
    await plane.report("succeeded")
    assert await told() == ("succeeded", "succeeded")


async def test_what_waits_for_its_turn_says_how_many_are_ahead(plane: Plane):
    plane.limit_to(1)
    first, second, third = [await plane.submitted(src=f"/{n}") for n in range(3)]

    async def ahead(id: str) -> int | None:
        return (await plane.ask("GET", f"/v1/transfers/{id}")).json()["ahead"]

    assert [await ahead(each) for each in (first, second, third)] == [None, 0, 1]
    page = (await plane.ask("GET", "/v1/transfers")).json()["data"]
    assert [each["ahead"] for each in page] == [1, 0, None]


def test_every_number_of_the_domain_is_shown():
    progress = Progress(
        phase=Phase.VERIFYING,
        bytes_copied=1,
        bytes_to_copy=2,
        current=(CurrentFile("a", 1, 2),),
        log=("not here",),
    )
    shown = views.progress(progress).model_dump()
    assert shown["current"] == [{"name": "a", "bytes": 1, "size": 2}]
    assert (shown["phase"], shown["percent"]) == ("verifying", 50)
    assert set(Progress.__dataclass_fields__) - {"log"} | {"percent"} == set(shown)
    assert set(Result.__dataclass_fields__) - {"interrupted"} | {"summary", "proof"} == set(
        v1.ResultView.model_fields
    )
    for model, view in (
        (ErrorGroup, v1.ErrorGroupView),
        (Recheck, v1.RecheckView),
        (Digests, v1.DigestsView),
    ):
        assert set(model.__dataclass_fields__) == set(view.model_fields)


async def test_a_result_is_shown_whole(plane: Plane):
    made = await plane.submitted()
    group = ErrorGroup(code="corrupted", text="Damaged.", cure="Again.", count=1, samples=("a",))
    await plane.report(
        "partial",
        "1 of 3 failed",
        found=3,
        copied=2,
        failed=1,
        skipped=(("link", 2),),
        verified=Verified.HASH,
        hash="md5",
        by_hash=2,
        errors=(group,),
        notes=("note",),
        limited_by="your cap (--transfers 2)",
    )
    view = (await plane.ask("GET", f"/v1/transfers/{made}")).json()
    result = view["result"]
    assert (view["state"], view["reason"], view["progress"]) == ("partial", "1 of 3 failed", None)
    assert (result["found"], result["skipped"], result["verified"]) == (3, {"link": 2}, "hash")
    assert result["errors"] == [
        {"code": "corrupted", "text": "Damaged.", "cure": "Again.", "count": 1, "samples": ["a"]}
    ]
    assert result["notes"] == ["note"]
    assert result["limited_by"] == "your cap (--transfers 2)"
    assert result["summary"].startswith("2 copied (0 B), 2 skipped (link), 1 failed; verified by")


async def test_a_retry_of_a_live_transfer_is_a_conflict(plane: Plane):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()["id"]
    problem(await plane.ask("POST", f"/v1/transfers/{made}/retry"), 409, "transfer_queued")
    problem(await plane.ask("POST", "/v1/transfers/t_none/cancel"), 404, "no_such_transfer")


async def test_the_end_of_the_log_is_there_while_it_runs_and_after_its_end(plane: Plane):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()["id"]
    path = f"/v1/transfers/{made}/log"
    assert (await plane.ask("GET", path)).text == ""
    lines = tuple(f"info: {n}" for n in range(50))
    await plane.note(log=lines)
    live = await plane.ask("GET", path)
    assert live.headers["content-type"].startswith("text/plain")
    assert live.text.splitlines() == list(lines[-10:])
    await plane.note(log=("x" * 100_000,))
    assert len((await plane.ask("GET", path)).text) < 3_000
    await plane.report("failed", log=("error: a: full",))
    assert (await plane.ask("GET", path)).text == "error: a: full\n"
    problem(await plane.ask("GET", "/v1/transfers/t_none/log"), 404, "no_such_transfer")
