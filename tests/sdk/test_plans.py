"""Plans and checks, and the key that names a server."""

import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client
from cloudcopy.wire import v1
from tests.sdk import views
from tests.sdk.scripted import Scripted, ok, problem

PLAN = "/v1/plans/t_plan"
SIDES = {
    "instance": "here",
    "connection": 101,
    "direction": "instance_to_cloud",
    "src": "/data",
    "dst": "bucket/data",
    "flags": ["--exclude=*.tmp"],
    "compare": "size",
}


async def test_a_plan_is_asked_for_once_even_when_it_is_tried_again(
    server: Scripted, client: Client
) -> None:
    server.on("POST", "/v1/plans", problem(503, "unavailable", "Busy."), ok(views.plan(), 202))

    made = await client.plans.create(
        instance="here",
        connection=101,
        direction="instance_to_cloud",
        src="/data",
        dst="bucket/data",
        flags=["--exclude=*.tmp"],
        compare="size",
        mode="mirror",
    )

    assert made == views.plan()
    assert server.bodies("POST", "/v1/plans") == [{**SIDES, "mode": "mirror"}] * 2
    assert len({each.headers["idempotency-key"] for each in server.seen}) == 1


async def test_a_check_is_asked_for(server: Scripted, client: Client) -> None:
    asked = views.transfer(work="check")
    server.on("POST", "/v1/checks", ok(asked, 202))

    made = await client.checks.create(
        instance="here",
        connection=101,
        direction="instance_to_cloud",
        src="/data",
        dst="bucket/data",
        flags=["--exclude=*.tmp"],
        compare="size",
    )

    assert made == asked
    assert server.bodies("POST", "/v1/checks") == [SIDES]


async def test_a_plan_is_carried_out_with_what_was_confirmed(
    server: Scripted, client: Client
) -> None:
    server.on("POST", f"{PLAN}/apply", ok(views.transfer(plan="t_plan"), 202))

    begun = await client.plans.apply("t_plan", confirm_deletions=12, verify="size", bwlimit="1M")

    assert begun.plan == "t_plan"
    assert server.bodies("POST", f"{PLAN}/apply") == [
        {"confirm_deletions": 12, "approval": None, "verify": "size", "bwlimit": "1M"}
    ]


async def test_deletions_that_nobody_confirmed_are_a_conflict(
    server: Scripted, client: Client
) -> None:
    server.on("POST", f"{PLAN}/apply", problem(409, "deletions_not_confirmed", "It deletes 12."))

    with pytest.raises(sdk.Conflict) as caught:
        await client.plans.apply("t_plan")
    assert caught.value.code == "deletions_not_confirmed"


async def test_plans_and_checks_are_shown_and_listed_apart(
    server: Scripted, client: Client
) -> None:
    check = views.transfer(id="t_check", work="check")
    server.on("GET", PLAN, ok(views.plan()))
    server.on("GET", "/v1/checks/t_check", ok(check))
    server.on("GET", "/v1/plans", ok(v1.TransferPage(data=[views.plan()], next_cursor=None)))
    server.on("GET", "/v1/checks", ok(v1.TransferPage(data=[check], next_cursor=None)))

    assert await client.plans.get("t_plan") == views.plan()
    assert await client.checks.get("t_check") == check
    assert [each async for each in client.plans.list()] == [views.plan()]
    assert [each async for each in client.checks.list(page_size=5)] == [check]
    assert server.seen[-1].query == {"limit": "5"}
    with pytest.raises(sdk.NotFound, match="is not a plan's id"):
        await client.plans.get("../keys")


async def test_a_server_is_named_by_the_key_of_its_receipts(
    server: Scripted, client: Client
) -> None:
    server.on("GET", "/v1/receipt-key", ok(v1.ReceiptKey(public_key="abc=")))

    assert await client.receipt_key() == "abc="


async def test_a_plan_of_a_program_is_approved_and_carried_out_with_that(
    server: Scripted, client: Client
) -> None:
    approval = v1.Approval(plan="t_plan", deletions=3, approval="cca_1_x", expires_at=views.AT)
    server.on("POST", "/v1/plans/t_plan/approve", ok(approval))
    server.on("POST", "/v1/plans/t_plan/apply", ok(views.transfer(plan="t_plan"), 202))

    assert await client.plans.approve("t_plan") == approval
    await client.plans.apply("t_plan", approval=approval.approval)

    (body,) = server.bodies("POST", "/v1/plans/t_plan/apply")
    assert isinstance(body, dict)
    assert (body["approval"], body["confirm_deletions"]) == ("cca_1_x", None)
