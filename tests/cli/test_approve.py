"""`cloudcopy plan approve`: nothing is approved that was not shown and confirmed."""

import pytest

from cloudcopy.cli import exits
from cloudcopy.wire import v1
from tests.cli.conftest import CommandLine, Typing
from tests.sdk import views
from tests.sdk.scripted import Scripted, lines, ok, problem

APPROVE = "/v1/plans/t_plan/approve"
APPROVAL = v1.Approval(plan="t_plan", deletions=1, approval="cca_1_x", expires_at=views.AT)


@pytest.fixture(autouse=True)
def a_plan_that_deletes_one(server: Scripted) -> None:
    server.on("GET", "/v1/plans/t_plan", ok(views.plan()))
    row = views.row("old", "delete", why="the source has none")
    server.on("GET", "/v1/transfers/t_plan/files", lines(row))
    server.on("POST", APPROVE, ok(APPROVAL))


def asked(server: Scripted) -> int:
    return len(server.bodies("POST", APPROVE))


def test_a_person_sees_it_says_yes_and_gets_the_approval(server: Scripted, typing: Typing) -> None:
    ran = typing("plan", "approve", "t_plan", keys="y\n")

    assert (ran.code, ran.out) == (exits.DONE, "cca_1_x\n")
    assert "mirror @here:/data → my-s3:bucket/data" in ran.err
    assert "delete  10 B  old  the source has none" in ran.err
    assert "Let the program do this, and delete 1 files? [y/N]" in ran.err
    assert "it works once, until 03:04 UTC" in ran.err


def test_without_a_yes_nothing_is_approved(server: Scripted, typing: Typing) -> None:
    ran = typing("plan", "approve", "t_plan", keys="\n")

    assert (ran.code, ran.out) == (exits.CANCELLED, "")
    assert asked(server) == 0


def test_a_script_must_know_the_number(server: Scripted, cli: CommandLine) -> None:
    ran = cli("plan", "approve", "t_plan")
    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert "--confirm-deletions 1" in ran.err
    assert cli("plan", "approve", "t_plan", "--confirm-deletions", "2").code == exits.USAGE
    assert asked(server) == 0

    ran = cli("plan", "approve", "t_plan", "--confirm-deletions", "1", "--json")
    assert ran.code == exits.DONE
    assert ran.json_lines() == [APPROVAL.model_dump(mode="json")]


def test_what_cannot_be_approved_is_said(server: Scripted, cli: CommandLine) -> None:
    server.on("POST", APPROVE, problem(409, "own_plan", "Made with this key.", "Use another."))
    ran = cli("plan", "approve", "t_plan", "--confirm-deletions", "1")
    assert ran.code == exits.FAILED
    assert "Use another." in ran.err

    server.on("GET", "/v1/plans/t_plan", ok(views.plan(state="failed", result=None)))
    ran = cli("plan", "approve", "t_plan")
    assert ran.code == exits.USAGE
    assert "is failed" in ran.err
