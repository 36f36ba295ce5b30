"""`cloudcopy check`."""

from cloudcopy.cli import exits
from tests.cli.conftest import CommandLine
from tests.sdk import views
from tests.sdk.scripted import Scripted, lines, ok

ONE = "/v1/transfers/t_1"
FILES = f"{ONE}/files"
CHECK = ("check", "@here:/data", "my-s3:bucket/data")


def begun(server: Scripted, **end: object) -> None:
    server.on("POST", "/v1/checks", ok(views.transfer(work="check"), 202))
    server.on("GET", ONE, ok(views.transfer(work="check", **end)))


def test_equal_sides_are_told_with_how_they_were_compared(
    server: Scripted, cli: CommandLine
) -> None:
    begun(server, state="succeeded", result=views.result(copied=0, unchanged=40))

    ran = cli(*CHECK, "--compare", "size", "--exclude", "*.tmp")

    assert ran.code == exits.DONE
    assert ran.out == "✔ 40 equal, 0 not; compared by md5 → my-s3:bucket/data  (t_1)\n"
    (body,) = server.bodies("POST", "/v1/checks")
    assert isinstance(body, dict)
    assert (body["compare"], body["flags"]) == ("size", ["--exclude=*.tmp"])


def test_differences_are_shown_up_to_a_bound_and_have_their_exit_code(
    server: Scripted, cli: CommandLine
) -> None:
    begun(server, state="partial", result=views.result(copied=0, unchanged=40, failed=25))
    rows = [views.row(f"f{n:02}", "differs", why="the content differs") for n in range(25)]
    server.on("GET", FILES, lines(*rows))

    ran = cli(*CHECK)

    assert ran.code == exits.PARTIAL
    shown = ran.out.splitlines()
    assert shown == [f"differs\t10\tf{n:02}\tthe content differs" for n in range(20)]
    assert "… and 5 more. See them all: cloudcopy transfer files t_1 --outcome differs" in ran.err
    assert "✖ The check t_1 found differences: 40 equal, 25 not; compared by md5." in ran.err
    assert server.seen[-1].query == {"outcome": "differs,missing,extra,unread"}


def test_as_json_the_check_comes_last_and_no_file_is_asked_for(
    server: Scripted, cli: CommandLine
) -> None:
    begun(server, state="partial", result=views.result(failed=1))

    ran = cli(*CHECK, "--json")

    assert ran.code == exits.PARTIAL
    assert ran.json_lines()[-1]["state"] == "partial"
    assert FILES not in {each.path for each in server.seen}


def test_a_check_that_could_not_be_made_failed(server: Scripted, cli: CommandLine) -> None:
    begun(server, state="failed", reason="There is no such bucket.")

    ran = cli(*CHECK)

    assert (ran.code, ran.out) == (exits.FAILED, "")
    assert "✖ The check t_1 failed: There is no such bucket." in ran.err
