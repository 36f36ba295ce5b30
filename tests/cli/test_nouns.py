"""What the other nouns print, for people, for pipes and for programs."""

import pytest

from cloudcopy.cli import exits
from cloudcopy.wire import v1
from tests.cli.conftest import CommandLine
from tests.sdk import views
from tests.sdk.scripted import Scripted, ok

RUNNING = views.transfer(state="running", progress=views.progress())
LISTS = [
    ("transfer", "/v1/transfers", v1.TransferPage(data=[RUNNING], next_cursor=None)),
    ("schedule", "/v1/schedules", v1.SchedulePage(data=[views.schedule()])),
    ("connection", "/v1/connections", v1.ConnectionPage(data=[views.connection()])),
    ("instance", "/v1/instances", v1.InstancePage(data=[views.instance()])),
    ("machine", "/v1/machines", v1.MachinePage(data=[views.machine()])),
    ("key", "/v1/keys", v1.KeyPage(data=[views.key()])),
]


@pytest.mark.parametrize(("noun", "path", "page"), LISTS)
def test_a_list_is_one_json_list(
    server: Scripted, cli: CommandLine, noun: str, path: str, page: v1.KeyPage
) -> None:
    server.on("GET", path, ok(page))

    ran = cli(noun, "list", "--json")

    assert (ran.code, ran.err) == (exits.DONE, "")
    assert ran.json_lines() == [[each.model_dump(mode="json") for each in page.data]]


@pytest.mark.parametrize(("noun", "path", "page"), LISTS)
def test_an_empty_list_says_so_on_stderr(
    server: Scripted, cli: CommandLine, noun: str, path: str, page: v1.KeyPage
) -> None:
    server.on("GET", path, ok(page.model_copy(update={"data": []})))

    ran = cli(noun, "list")

    assert (ran.code, ran.out) == (exits.DONE, "")
    assert ran.err.startswith(("There are no", "No machine"))


def test_in_a_pipe_a_list_has_tabs_and_no_heads(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", "/v1/instances", ok(v1.InstancePage(data=[views.instance()])))

    assert cli("instance", "list").out == "7\there\tbox\trunning\tyes\t/workspace\n"


def test_transfers_are_listed_up_to_a_limit_with_names_for_filters(
    server: Scripted, cli: CommandLine
) -> None:
    many = v1.TransferPage(data=[RUNNING, RUNNING], next_cursor="t_1")
    server.on("GET", "/v1/transfers", ok(many))
    server.on("GET", "/v1/instances", ok(v1.InstancePage(data=[views.instance()])))

    ran = cli(
        *("transfer", "list", "--state", "running", "--state", "queued"),
        *("--work", "transfer", "--instance", "here", "--limit", "3", "--json"),
    )

    assert len(ran.json_lines()[0]) == 3
    assert server.seen[1].query == {
        "state": "running,queued",
        "work": "transfer",
        "instance": "7",
        "limit": "3",
    }


def test_a_state_that_does_not_exist_is_refused(cli: CommandLine) -> None:
    ran = cli("transfer", "list", "--state", "lost")

    assert ran.code == exits.USAGE
    assert "succeeded" in ran.err


def test_a_transfer_is_shown_with_its_places_and_numbers(
    server: Scripted, cli: CommandLine
) -> None:
    server.on("GET", "/v1/transfers/t_1", ok(RUNNING))

    lines = cli("transfer", "show", "t_1").out.splitlines()

    assert "from     @here:/data" in lines
    assert "to       my-s3:bucket/data" in lines
    assert "created  2026-01-02 03:04:05Z" in lines
    assert "compare  mtime" in lines
    assert "files    found 48, to copy 40, copied 12, skipped 8" in lines
    assert lines[1].startswith("state    transferring 50%")
    assert cli("transfer", "show", "t_1", "--json").json_lines() == [
        RUNNING.model_dump(mode="json")
    ]


def test_a_name_cannot_write_to_the_terminal(server: Scripted, cli: CommandLine) -> None:
    evil = views.transfer(state="failed", reason="\x1b]0;owned\x07\x1b[2Kgone\u202e")
    server.on("GET", "/v1/transfers/t_1", ok(evil))

    shown = cli("transfer", "show", "t_1").out
    watched = cli("transfer", "watch", "t_1").err

    assert "�]0;owned" in shown
    assert not any(char in shown + watched for char in "\x1b\x07\u202e")


def test_in_a_list_each_line_says_how_far_it_is(server: Scripted, cli: CommandLine) -> None:
    paused = views.transfer(id="t_2", state="paused")
    page = v1.TransferPage(data=[RUNNING, paused, views.plan()], next_cursor=None)
    server.on("GET", "/v1/transfers", ok(page))

    rows = [line.split("\t") for line in cli("transfer", "list").out.splitlines()]

    assert [row[:3] for row in rows] == [
        ["t_1", "transfer", "transferring"],
        ["t_2", "transfer", "paused"],
        ["t_plan", "plan", "succeeded"],
    ]
    assert rows[1][-1] == "paused; go on with: cloudcopy transfer resume t_2"
    assert rows[2][-1] == "plan: 2 to copy (30 B), 1 to delete, 4 unchanged"


def test_a_transfer_is_changed_and_says_what_came_of_it(server: Scripted, cli: CommandLine) -> None:
    one = "/v1/transfers/t_1"
    server.on("POST", f"{one}/cancel", ok(views.transfer(state="cancelling"), 202))
    server.on("POST", f"{one}/pause", ok(views.transfer(state="pausing"), 202))
    server.on("POST", f"{one}/resume", ok(views.transfer(attempt=2), 202))
    server.on("POST", f"{one}/retry", ok(views.transfer(attempt=2, scope="failed"), 202))
    server.on("PATCH", one, ok(views.transfer(bwlimit="10M")))

    assert "state    cancelling" in cli("transfer", "cancel", "t_1").out
    paused = cli("transfer", "pause", "t_1")
    assert "state    pausing" in paused.out
    assert "cloudcopy transfer resume t_1" in paused.err
    assert "attempt  2" in cli("transfer", "resume", "t_1").out
    assert "scope    only what failed before" in cli("transfer", "retry", "t_1", "--failed").out
    assert cli("transfer", "retry", "t_1", "--json").json_lines()[0]["attempt"] == 2
    assert "limit    10M" in cli("transfer", "limit", "t_1", "10M").out
    assert server.bodies("POST", f"{one}/retry") == [{"only": "failed"}, {"only": "all"}]
    assert server.bodies("PATCH", one) == [{"bwlimit": "10M"}]


def test_watching_a_transfer_that_has_ended_tells_its_end(
    server: Scripted, cli: CommandLine
) -> None:
    final = views.transfer(state="succeeded", result=views.result())
    server.on("GET", "/v1/transfers/t_1", ok(final))

    assert cli("transfer", "watch", "t_1").out.startswith("✔ 3 copied")
    assert cli("transfer", "watch", "t_1", "--json").json_lines() == [final.model_dump(mode="json")]


def test_a_join_token_is_all_there_is_on_stdout(server: Scripted, cli: CommandLine) -> None:
    made = v1.JoinToken(token="ccj_once", expires_at=views.AT)
    server.on("POST", "/v1/machines/tokens", ok(made, 201))

    ran = cli("machine", "token")

    assert ran.out == "ccj_once\n"
    assert "ccj_once" not in ran.err
    assert "cloudcopy agent" in ran.err
    assert cli("machine", "token", "--json").json_lines() == [made.model_dump(mode="json")]
    assert cli("machine", "token", "--account", "2").out == "ccj_once\n"
    assert server.bodies("POST", "/v1/machines/tokens") == [None, None, {"account": 2}]


def test_a_machine_is_given_up_by_name(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", "/v1/machines", ok(v1.MachinePage(data=[views.machine()])))
    server.on("POST", "/v1/machines/3/give-up", ok(v1.GivenUp(ended=2)))

    assert cli("machine", "give-up", "box").out == "ended  2 transfers of box\n"
    assert cli("machine", "give-up", "box", "--json").json_lines() == [{"ended": 2}]


def test_an_instance_is_shown_by_its_label(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", "/v1/instances", ok(v1.InstancePage(data=[views.instance()])))

    assert "machine  box (3)\n" in cli("instance", "show", "here").out
