"""Plans, what is made of them, and checks."""

from typing import Any

import pytest

from cloudcopy.domain.progress import Digests
from tests.http.conftest import Plane
from tests.http.test_native import problem

SEEN = Digests(source="a" * 64, destination="b" * 64)


async def planned(plane: Plane, *, mode: str = "mirror", **numbers: Any) -> str:
    """The id of a plan that has succeeded with these numbers."""
    made = await plane.ask("POST", "/v1/plans", plane.native(mode=mode))
    assert made.status_code == 202, made.text
    counts = {"found": 10, "copied": 2, "at_destination": 100, "digests": SEEN}
    await plane.report("succeeded", **counts | numbers)
    return str(made.json()["id"])


@pytest.mark.parametrize("mode", ["copy", "mirror"])
async def test_a_plan_is_accepted_with_its_location_and_moves_nothing(plane: Plane, mode: str):
    reply = await plane.ask("POST", "/v1/plans", plane.native(mode=mode))
    made = reply.json()
    assert (reply.status_code, reply.headers["location"]) == (202, f"/v1/plans/{made['id']}")
    assert (made["work"], made["mode"], made["state"]) == ("plan", mode, "queued")
    assert (await plane.ask("GET", reply.headers["location"])).json() == made
    assert (await plane.ask("GET", f"/v1/transfers/{made['id']}")).json() == made


@pytest.mark.parametrize(
    ("changes", "compare"),
    [
        ({}, "checksum"),
        ({"flags": ["--size-only"]}, "size"),
        ({"compare": "mtime"}, "mtime"),
        ({"compare": "exists"}, "exists"),
    ],
)
async def test_a_check_compares_by_checksum_unless_told_otherwise(
    plane: Plane, changes: dict[str, Any], compare: str
):
    reply = await plane.ask("POST", "/v1/checks", plane.native(**changes))
    made = reply.json()
    assert (reply.status_code, reply.headers["location"]) == (202, f"/v1/checks/{made['id']}")
    assert (made["work"], made["mode"], made["compare"]) == ("check", "copy", compare)
    assert (await plane.ask("GET", reply.headers["location"])).json() == made


async def test_a_check_that_finds_differences_is_partial(plane: Plane):
    made = (await plane.ask("POST", "/v1/checks", plane.native())).json()["id"]
    await plane.report("partial", "the sides differ", found=3, unchanged=2, failed=1)
    seen = (await plane.ask("GET", f"/v1/checks/{made}")).json()
    assert (seen["state"], seen["reason"]) == ("partial", "the sides differ")
    assert (seen["result"]["unchanged"], seen["result"]["failed"]) == (2, 1)


@pytest.mark.parametrize(("noun", "other"), [("plans", "checks"), ("checks", "plans")])
async def test_an_id_of_another_work_is_not_found(plane: Plane, noun: str, other: str):
    code = f"no_such_{noun[:-1]}"
    copy = await plane.submitted()
    problem(await plane.ask("GET", f"/v1/{noun}/{copy}"), 404, code)
    made = (await plane.ask("POST", f"/v1/{other}", plane.native())).json()["id"]
    problem(await plane.ask("GET", f"/v1/{noun}/{made}"), 404, code)
    assert (await plane.ask("GET", f"/v1/{noun}/t_none")).status_code == 404


@pytest.mark.parametrize("noun", ["plans", "checks"])
async def test_lists_hold_their_own_kind_in_pages_newest_first(plane: Plane, noun: str):
    await plane.submitted()
    for each in ("plans", "checks"):
        await plane.ask("POST", f"/v1/{each}", plane.native(src=f"/{each}"))
    ids = [
        (await plane.ask("POST", f"/v1/{noun}", plane.native(src=f"/{n}"))).json()["id"]
        for n in range(2)
    ]
    first = (await plane.ask("GET", f"/v1/{noun}?limit=2")).json()
    assert [each["id"] for each in first["data"]] == ids[::-1]
    path = f"/v1/{noun}?limit=2&cursor={first['next_cursor']}"
    rest = (await plane.ask("GET", path)).json()
    assert [each["src"] for each in rest["data"]] == [f"/{noun}"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("noun", ["plans", "checks"])
async def test_an_idempotency_key_makes_a_repetition_safe(plane: Plane, noun: str):
    headers = plane.auth | {"Idempotency-Key": "one"}
    first = await plane.ask("POST", f"/v1/{noun}", plane.native(), headers=headers)
    again = await plane.ask("POST", f"/v1/{noun}", plane.native(), headers=headers)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    other = await plane.ask("POST", f"/v1/{noun}", plane.native(src="/x"), headers=headers)
    problem(other, 409, "idempotency_key_reused")
    copy = await plane.ask("POST", "/v1/transfers", plane.native(), headers=headers)
    problem(copy, 409, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("noun", "changes"),
    [
        ("plans", {"verify": "none"}),
        ("plans", {"bwlimit": "1M"}),
        ("plans", {"mode": "sync"}),
        ("checks", {"mode": "mirror"}),
        ("checks", {"verify": "hash"}),
    ],
)
async def test_what_has_no_meaning_there_is_refused(plane: Plane, noun: str, changes):
    problem(await plane.ask("POST", f"/v1/{noun}", plane.native(**changes)), 422, "invalid")


async def test_a_plan_is_carried_out_as_a_transfer_of_its_own(plane: Plane):
    plan = await planned(plane)
    reply = await plane.ask("POST", f"/v1/plans/{plan}/apply", {"verify": "size", "bwlimit": "1M"})
    made = reply.json()
    assert (reply.status_code, reply.headers["location"]) == (202, f"/v1/transfers/{made['id']}")
    assert (made["work"], made["mode"], made["plan"]) == ("transfer", "mirror", plan)
    assert (made["verify"], made["bwlimit"], made["state"]) == ("size", "1M", "queued")
    assert (made["src"], made["dst"]) == ("/workspace/run", "bucket/run")


async def test_carrying_out_needs_no_body_and_the_same_key_is_the_same_transfer(plane: Plane):
    plan = await planned(plane, mode="copy")
    headers = plane.auth | {"Idempotency-Key": "apply-1"}
    first = await plane.ask("POST", f"/v1/plans/{plan}/apply", headers=headers)
    again = await plane.ask("POST", f"/v1/plans/{plan}/apply", headers=headers)
    assert (first.status_code, first.json()["mode"]) == (202, "copy")
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize(
    ("deleted", "confirmed", "status"),
    [(10, None, 202), (11, None, 409), (11, 10, 409), (11, 12, 409), (11, 11, 202)],
)
async def test_many_deletions_want_their_number(
    plane: Plane, deleted: int, confirmed: int | None, status: int
):
    plan = await planned(plane, deleted=deleted)
    path = f"/v1/plans/{plan}/apply"
    reply = await plane.ask("POST", path, {"confirm_deletions": confirmed})
    assert reply.status_code == status, reply.text
    if status == 409:
        told = problem(reply, 409, "deletions_not_confirmed")
        assert "11" in " ".join((told["detail"], *told["next"]))
        assert (await plane.ask("GET", "/v1/transfers?work=transfer")).json()["data"] == []


async def test_only_a_plan_that_has_succeeded_is_carried_out(plane: Plane):
    copy = await plane.submitted()
    assert (await plane.ask("POST", f"/v1/plans/{copy}/apply")).is_client_error
    assert (await plane.ask("POST", "/v1/plans/t_none/apply")).status_code == 404
    waiting = (await plane.ask("POST", "/v1/plans", plane.native())).json()["id"]
    assert (await plane.ask("POST", f"/v1/plans/{waiting}/apply")).status_code == 409
    await plane.report("failed", "no")
    assert (await plane.ask("POST", f"/v1/plans/{waiting}/apply")).status_code == 409
    assert len((await plane.ask("GET", "/v1/transfers?work=transfer")).json()["data"]) == 1
