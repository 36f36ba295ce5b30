"""`cloudcopy mirror`: nothing is deleted that was not shown and confirmed."""

import pytest

from cloudcopy.cli import exits
from tests.cli.conftest import CommandLine, Typing
from tests.sdk import views
from tests.sdk.scripted import Scripted, lines, ok, problem

APPLY = "/v1/plans/t_plan/apply"
MIRROR = ("mirror", "@here:/data", "my-s3:bucket/data")
GUARD = problem(409, "deletions_not_confirmed", "It would delete 3 of 20 files.")


@pytest.fixture(autouse=True)
def a_mirror_that_deletes_three(server: Scripted) -> None:
    plan = views.plan()
    assert plan.result is not None
    plan = plan.model_copy(update={"result": plan.result.model_copy(update={"deleted": 3})})
    server.on("POST", "/v1/plans", ok(views.plan(state="queued", result=None), 202))
    server.on("GET", "/v1/transfers/t_plan", ok(plan))
    rows = [views.row(f"old{n}", "delete", why="the source has none") for n in range(3)]
    server.on("GET", "/v1/transfers/t_plan/files", lines(*rows))
    server.on("POST", APPLY, ok(views.transfer(plan="t_plan", mode="mirror"), 202))
    server.on("GET", "/v1/transfers/t_1", ok(views.transfer(state="succeeded", mode="mirror",
              result=views.result())))  # fmt: skip


def confirmed(server: Scripted) -> list[object]:
    bodies = server.bodies("POST", APPLY)
    return [body["confirm_deletions"] for body in bodies if isinstance(body, dict)]


def test_a_script_that_confirms_nothing_deletes_nothing(server: Scripted, cli: CommandLine) -> None:
    ran = cli(*MIRROR)

    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert "delete  10 B  old2  the source has none" in ran.err
    assert "plan: 2 to copy (30 B), 3 to delete, 4 unchanged" in ran.err
    assert "--confirm-deletions 3" in ran.err
    assert confirmed(server) == []


def test_a_script_confirms_the_exact_number(server: Scripted, cli: CommandLine) -> None:
    assert cli(*MIRROR, "--confirm-deletions", "2").code == exits.USAGE
    assert confirmed(server) == []

    ran = cli(*MIRROR, "--confirm-deletions", "3")
    assert ran.code == exits.DONE
    assert ran.out.startswith("✔ 3 copied")
    assert confirmed(server) == [3]


def test_without_deletions_nobody_is_asked(server: Scripted, cli: CommandLine) -> None:
    plan = views.plan(result=views.result(copied=2))
    server.on("GET", "/v1/transfers/t_plan", ok(plan))

    assert cli(*MIRROR).code == exits.DONE
    assert confirmed(server) == [None]
    assert "/v1/transfers/t_plan/files" not in {each.path for each in server.seen}


def test_many_deletions_are_shown_up_to_a_bound(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", "/v1/transfers/t_plan", ok(views.plan(result=views.result(deleted=50))))
    rows = [views.row(f"old{n:02}", "delete") for n in range(50)]
    server.on("GET", "/v1/transfers/t_plan/files", lines(*rows))

    ran = cli(*MIRROR)

    assert "old19" in ran.err
    assert "old20" not in ran.err
    assert "… and 30 more. See them all: cloudcopy transfer files t_plan --outcome delete" in (
        ran.err
    )


def test_as_json_the_plan_comes_first_and_nobody_is_asked(
    server: Scripted, cli: CommandLine
) -> None:
    ran = cli(*MIRROR, "--confirm-deletions", "3", "--json")

    assert [each["id"] for each in ran.json_lines()] == ["t_plan", "t_1"]
    assert ran.err == ""
    assert cli(*MIRROR, "--json").code == exits.USAGE


def test_on_a_terminal_a_yes_is_enough(server: Scripted, typing: Typing) -> None:
    ran = typing(*MIRROR, keys="y\n")

    assert ran.code == exits.DONE
    assert "old0" in ran.err.partition("Delete 3 files at the destination? [y/N] ")[0]
    assert ran.out.startswith("✔ 3 copied")
    assert confirmed(server) == [None]


@pytest.mark.parametrize("keys", ["\n", "n\n", "3\n", "\x04"])
def test_on_a_terminal_anything_else_is_a_no(server: Scripted, typing: Typing, keys: str) -> None:
    ran = typing(*MIRROR, keys=keys)

    assert (ran.code, ran.out) == (exits.CANCELLED, "")
    assert "It was not confirmed, so nothing was done." in ran.err
    assert confirmed(server) == []


def test_the_servers_guard_wants_the_number_typed(server: Scripted, typing: Typing) -> None:
    begun = ok(views.transfer(plan="t_plan"), 202)
    server.on("POST", APPLY, GUARD, begun)

    ran = typing(*MIRROR, keys="y\n3\n")

    assert ran.code == exits.DONE
    assert "It would delete 3 of 20 files." in ran.err
    assert confirmed(server) == [None, 3]


def test_another_number_is_a_no(server: Scripted, typing: Typing) -> None:
    server.on("POST", APPLY, GUARD)

    ran = typing(*MIRROR, keys="y\ny\n")

    assert ran.code == exits.CANCELLED
    assert confirmed(server) == [None]
