"""`cloudcopy plan` and `cloudcopy apply`."""

import json
from pathlib import Path

import pytest

from cloudcopy.cli import exits
from cloudcopy.wire import v1
from tests.cli.conftest import CommandLine
from tests.sdk import views
from tests.sdk.scripted import Scripted, lines, ok, problem

BODY = {"confirm_deletions": None, "approval": None, "verify": "hash", "bwlimit": ""}
PLAN = "/v1/plans/t_plan"
SIDES = ("@here:/data", "my-s3:bucket/data")
ROWS = [
    views.row("a", "new", why="the destination has none", size=10),
    views.row("b", "update", why="the size differs", size=20),
    views.row("old", "delete", why="the source has none"),
]
DONE = views.transfer(state="succeeded", plan="t_plan", result=views.result())


@pytest.fixture(autouse=True)
def a_plan_that_succeeds(server: Scripted) -> None:
    waiting = views.plan(state="queued", result=None, ended_at=None)
    server.on("POST", "/v1/plans", ok(waiting, 202))
    server.on("GET", "/v1/transfers/t_plan", ok(views.plan()))
    server.on("GET", "/v1/transfers/t_plan/files", lines(*ROWS))
    server.on("GET", "/v1/receipt-key", ok(v1.ReceiptKey(public_key="one=")))
    server.on("GET", PLAN, ok(views.plan()))
    server.on("POST", f"{PLAN}/apply", ok(views.transfer(plan="t_plan"), 202))
    server.on("GET", "/v1/transfers/t_1", ok(DONE))


@pytest.fixture
def file(cli: CommandLine, tmp_path: Path) -> Path:
    path = tmp_path / "plan.jsonl"
    assert cli("plan", *SIDES, "--mirror", "-o", str(path)).code == exits.DONE
    return path


def applied(server: Scripted) -> list[object]:
    return server.bodies("POST", f"{PLAN}/apply")


def test_a_plan_is_shown_with_its_deletions_first(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", "/v1/transfers/t_plan/files", lines(ROWS[2]), lines(*ROWS[:2]))

    ran = cli("plan", *SIDES, "--mirror")

    assert ran.code == exits.DONE
    assert ran.out.splitlines() == [
        "delete\t10\told\tthe source has none",
        "new\t10\ta\tthe destination has none",
        "update\t20\tb\tthe size differs",
        "✔ plan: 2 to copy (30 B), 1 to delete, 4 unchanged → my-s3:bucket/data  (t_plan)",
    ]
    (body,) = server.bodies("POST", "/v1/plans")
    assert isinstance(body, dict)
    assert body["mode"] == "mirror"


def test_a_plan_in_a_file_begins_with_what_it_is_about(file: Path) -> None:
    header, *rows = [json.loads(line) for line in file.read_text().splitlines()]

    assert rows == [each.model_dump(mode="json") for each in ROWS]
    assert header.pop("sha256")
    assert header == {
        "kind": "cloudcopy plan",
        "version": 1,
        "plan": "t_plan",
        "attempt": 1,
        "server_key": "one=",
        "made_at": "2026-01-02T03:04:05Z",
        "src": "@here:/data",
        "dst": "my-s3:bucket/data",
        "mode": "mirror",
        "compare": "mtime",
        "flags": [],
        "source": "aa" * 32,
        "destination": "bb" * 32,
        "copies": 2,
        "bytes": 30,
        "deletions": 1,
        "rows": 3,
    }


def test_as_json_the_same_plan_is_all_there_is_on_stdout(cli: CommandLine, file: Path) -> None:
    ran = cli("plan", *SIDES, "--mirror", "--json")

    assert (ran.out, ran.err) == (file.read_text(), "")


def test_a_plan_that_failed_writes_no_file(
    server: Scripted, cli: CommandLine, tmp_path: Path
) -> None:
    failed = views.plan(state="failed", reason="No such bucket.", result=None)
    server.on("GET", "/v1/transfers/t_plan", ok(failed))

    ran = cli("plan", *SIDES, "-o", str(tmp_path / "plan.jsonl"))

    assert ran.code == exits.FAILED
    assert "✖ The plan t_plan failed: No such bucket." in ran.err
    assert [*tmp_path.iterdir()] == []


def test_a_plan_is_carried_out_and_waited_for(
    server: Scripted, cli: CommandLine, file: Path
) -> None:
    server.on("GET", "/v1/transfers/t_plan/files", lines(ROWS[2]))

    ran = cli("apply", str(file), "--verify", "size", "--bwlimit", "1M")

    assert ran.code == exits.DONE
    assert ran.out == "✔ 3 copied (3.0 KiB); verified by md5 → my-s3:bucket/data  (t_1)\n"
    assert "delete  10 B  old  the source has none" in ran.err
    assert applied(server) == [BODY | {"verify": "size", "bwlimit": "1M"}]


def test_a_plan_is_carried_out_without_waiting(
    server: Scripted, cli: CommandLine, file: Path
) -> None:
    assert cli("apply", str(file), "--detach", "--confirm-deletions", "1").out == "t_1\n"
    assert applied(server) == [BODY | {"confirm_deletions": 1}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"path":"b"', '"path":"c"'),  # another file
        ('"outcome":"delete"', '"outcome":"new"'),
        ("\n", "\r\n"),
    ],
)
def test_a_file_whose_rows_were_edited_is_refused(
    server: Scripted, cli: CommandLine, file: Path, old: str, new: str
) -> None:
    head, _, rows = file.read_bytes().partition(b"\n")
    file.write_bytes(head + b"\n" + rows.replace(old.encode(), new.encode()))

    ran = cli("apply", str(file))

    assert ran.code == exits.USAGE
    assert "was changed after it was written" in ran.err
    assert applied(server) == []


def test_a_file_that_was_cut_or_is_none_is_refused(cli: CommandLine, file: Path) -> None:
    kept = file.read_bytes()
    file.write_bytes(kept[: kept.rindex(b"{")])
    assert "it must have 3 actions" in cli("apply", str(file)).err

    file.write_text('{"kind": "shopping"}\n')
    ran = cli("apply", str(file))
    assert (ran.code, "is not a plan" in ran.err) == (exits.USAGE, True)

    ran = cli("apply", str(file.parent / "none"))
    assert (ran.code, "cannot be read" in ran.err) == (exits.USAGE, True)


def test_a_file_of_another_server_is_refused(
    server: Scripted, cli: CommandLine, file: Path
) -> None:
    server.on("GET", "/v1/receipt-key", ok(v1.ReceiptKey(public_key="another=")))

    ran = cli("apply", str(file))

    assert ran.code == exits.USAGE
    assert "was made by another server" in ran.err
    assert applied(server) == []


def test_a_header_that_does_not_agree_with_the_servers_plan_is_refused(
    server: Scripted, cli: CommandLine, file: Path
) -> None:
    file.write_text(file.read_text().replace('"deletions":1', '"deletions":0', 1))

    ran = cli("apply", str(file))

    assert ran.code == exits.USAGE
    assert "does not agree with the plan t_plan" in ran.err
    assert applied(server) == []


def test_a_confirmation_of_another_number_is_refused_before_the_server_is_asked(
    server: Scripted, cli: CommandLine, file: Path
) -> None:
    ran = cli("apply", str(file), "--confirm-deletions", "2")

    assert ran.code == exits.USAGE
    assert "the plan deletes 1 files" in ran.err
    assert applied(server) == []


def test_the_servers_guard_is_told_with_its_cure(
    server: Scripted, cli: CommandLine, file: Path
) -> None:
    guard = problem(
        409,
        "deletions_not_confirmed",
        "It deletes 1 of 5 files.",
        "Confirm it: --confirm-deletions 1",
    )
    server.on("POST", f"{PLAN}/apply", guard)

    ran = cli("apply", str(file))

    assert ran.code == exits.FAILED
    assert "  Now: Confirm it: --confirm-deletions 1" in ran.err


def test_a_side_that_has_changed_asks_for_another_plan(
    server: Scripted, cli: CommandLine, file: Path
) -> None:
    reason = "the source changed since the plan was made"
    server.on(
        "GET", "/v1/transfers/t_1", ok(views.transfer(state="failed", plan="t_plan", reason=reason))
    )

    ran = cli("apply", str(file))

    assert ran.code == exits.FAILED
    assert reason in ran.err
    assert "cloudcopy plan" in ran.err
    assert "cloudcopy transfer retry" not in ran.err
