"""Approvals of plans: of one plan, once, for an hour, and never by the key that planned."""

from datetime import timedelta
from typing import Any

from tests.http.conftest import Plane
from tests.http.test_native import problem
from tests.http.test_plans import planned


async def person(plane: Plane, **limits: Any) -> dict[str, str]:
    """The headers of another key of the account."""
    made = (await plane.ask("POST", "/v1/keys", {"name": "person"} | limits)).json()
    return {"Authorization": f"Bearer {made['key']}"}


async def approval(plane: Plane, plan: str) -> str:
    reply = await plane.client.post(f"/v1/plans/{plan}/approve", headers=await person(plane))
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert (told["plan"], told["deletions"]) == (plan, 60)
    return str(told["approval"])


async def test_an_approved_plan_is_carried_out_once(plane: Plane):
    plan = await planned(plane, deleted=60)
    apply = f"/v1/plans/{plan}/apply"
    problem(await plane.ask("POST", apply), 409, "deletions_not_confirmed")

    body = {"approval": await approval(plane, plan)}
    first = await plane.ask("POST", apply, body)
    assert first.status_code == 202
    assert first.headers["location"] == f"/v1/transfers/{first.json()['id']}"
    assert (first.json()["plan"], first.json()["mode"]) == (plan, "mirror")
    await plane.report("succeeded")
    again = await plane.ask("POST", apply, body)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["state"] == "succeeded"
    other = await plane.ask("POST", apply, body | {"bwlimit": "1M"})
    problem(other, 409, "idempotency_key_reused")


async def test_the_key_that_made_a_plan_cannot_approve_it(plane: Plane):
    plan = await planned(plane, deleted=60)
    told = problem(await plane.ask("POST", f"/v1/plans/{plan}/approve"), 409, "own_plan")
    assert "cloudcopy key create" in told["next"][0]


async def test_only_a_plan_that_has_succeeded_is_approved(plane: Plane):
    headers = await person(plane)
    waiting = (await plane.ask("POST", "/v1/plans", plane.native(mode="mirror"))).json()["id"]
    copy = await plane.submitted()
    for id, status, code in (
        (waiting, 409, "plan_not_ready"),
        (copy, 409, "plan_not_ready"),
        ("t_nope", 404, "no_such_transfer"),
    ):
        reply = await plane.client.post(f"/v1/plans/{id}/approve", headers=headers)
        problem(reply, status, code)


async def test_what_is_not_an_approval_of_this_plan_is_refused(plane: Plane):
    one = await planned(plane, deleted=60)
    good = await approval(plane, one)
    other = await planned(plane, deleted=60)
    _, seconds, key, proof = good.split("_")
    longer = f"cca_{int(seconds) + 3600}_{key}_{proof}"
    made_up = ["", "x", "cca", "cca__", f"cca_{seconds}_", f"cca_{seconds}_é", longer, proof]
    made_up += [f"cca_0{seconds}_{key}_{proof}", f"cca_{seconds}_{key[::-1]}_{proof}"]
    for text in [*made_up, good.upper(), good + "0", "cca_" + "9" * 5_000 + "_x"]:
        reply = await plane.ask("POST", f"/v1/plans/{one}/apply", {"approval": text})
        told = problem(reply, 403, "not_approved")
        assert told["next"] == [
            f"A person who has seen the plan runs: cloudcopy plan approve {one}"
        ]
    reply = await plane.ask("POST", f"/v1/plans/{other}/apply", {"approval": good})
    problem(reply, 403, "not_approved")


async def test_one_approval_in_other_spellings_carries_nothing_out_again(plane: Plane):
    plan = await planned(plane, deleted=60)
    good = await approval(plane, plan)
    apply = f"/v1/plans/{plan}/apply"
    assert (await plane.ask("POST", apply, {"approval": good})).status_code == 202
    for text in (good.replace("cca_", "cca_0"), good + " ", " " + good, good + "0" * 200):
        problem(await plane.ask("POST", apply, {"approval": text}), 403, "not_approved")


async def test_a_key_that_is_limited_to_other_instances_approves_nothing(plane: Plane):
    plan = await planned(plane, deleted=60)
    other = {"constraints": {"id": {"eq": plane.instance + 1}}}
    headers = await person(plane, permissions={"api": {"instance_write": other}})
    reply = await plane.client.post(f"/v1/plans/{plan}/approve", headers=headers)
    problem(reply, 403, "missing_permission")
    body = {"approval": await approval(plane, plan)}
    reply = await plane.ask("POST", f"/v1/plans/{plan}/apply", body, headers=headers)
    problem(reply, 403, "missing_permission")


async def test_revoking_the_key_that_approved_takes_the_approval_back(plane: Plane):
    plan = await planned(plane, deleted=60)
    made = (await plane.ask("POST", "/v1/keys", {"name": "person"})).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    told = (await plane.client.post(f"/v1/plans/{plan}/approve", headers=headers)).json()
    await plane.ask("DELETE", f"/v1/keys/{made['id']}")
    body = {"approval": told["approval"]}
    refused = problem(await plane.ask("POST", f"/v1/plans/{plan}/apply", body), 403, "not_approved")
    assert "revoked" in refused["detail"]


async def test_a_key_that_may_not_approve_deletes_nothing_without_an_approval(plane: Plane):
    copies: dict[str, Any] = {"api.instance.copy": {}}
    writes = {"instance_read": {}, "instance_write": copies}
    model = await person(plane, permissions={"api": writes})
    deleting = await planned(plane, deleted=60)
    for body in ({}, {"confirm_deletions": 60}):
        reply = await plane.ask("POST", f"/v1/plans/{deleting}/apply", body, headers=model)
        assert "api.plan.approve" in problem(reply, 403, "missing_permission")["detail"]
    one = await planned(plane, deleted=1)
    reply = await plane.ask("POST", f"/v1/plans/{one}/apply", {}, headers=model)
    problem(reply, 403, "missing_permission")

    harmless = await planned(plane, deleted=0)
    reply = await plane.ask("POST", f"/v1/plans/{harmless}/apply", {}, headers=model)
    assert reply.status_code == 202, reply.text
    body = {"approval": await approval(plane, deleting)}
    reply = await plane.ask("POST", f"/v1/plans/{deleting}/apply", body, headers=model)
    assert reply.status_code == 202, reply.text
    await plane.report("failed", "the store is full")
    again = f"/v1/transfers/{reply.json()['id']}/retry"
    problem(await plane.ask("POST", again, headers=model), 403, "missing_permission")
    assert (await plane.ask("POST", again)).status_code == 202
    copies["api.plan.approve"] = {}
    may = await person(plane, permissions={"api": writes})
    reply = await plane.ask("POST", f"/v1/plans/{one}/apply", {}, headers=may)
    assert reply.status_code == 202, reply.text


async def test_an_approval_expires(plane: Plane):
    plan = await planned(plane, deleted=60)
    good = await approval(plane, plan)
    now = plane.services.now
    for after, status in ((timedelta(minutes=61), 403), (timedelta(minutes=59), 202)):
        later = now() + after
        object.__setattr__(plane.services.transfers, "now", lambda later=later: later)
        reply = await plane.ask("POST", f"/v1/plans/{plan}/apply", {"approval": good})
        assert reply.status_code == status, reply.text
