"""`cloudcopy schedule`."""

from cloudcopy.cli import exits
from cloudcopy.wire import v1
from tests.cli.conftest import CommandLine
from tests.sdk import views
from tests.sdk.scripted import Answer, Scripted, ok, problem

ONE = "/v1/schedules/5"


def test_one_is_made_from_addresses_flags_and_times(server: Scripted, cli: CommandLine):
    server.on("POST", "/v1/schedules", ok(views.schedule(), 201))
    ran = cli(
        *("schedule", "create", "my-s3:bucket/data", "@here:/data", "--cron", "0 3 * * *"),
        *("--zone", "Europe/Berlin", "--end", "2027-01-01", "--overlap", "cancel_old"),
        *("--catch-up", "once", "--jitter", "60", "--pause-after", "0", "--exclude", "*.tmp"),
    )
    assert ran.code == exits.DONE
    assert "when         0 3 * * * [Europe/Berlin]" in ran.out.splitlines()
    assert "cloudcopy schedule run 5" in ran.err
    [body] = server.bodies("POST", "/v1/schedules")
    assert isinstance(body, dict)
    expected = {
        "instance": "here",
        "connection": "my-s3",
        "direction": "cloud_to_instance",
        "src": "bucket/data",
        "dst": "/data",
        "flags": ["--exclude=*.tmp"],
        "cron": "0 3 * * *",
        "zone": "Europe/Berlin",
        "start_at": None,
        "end_at": "2027-01-01T00:00:00Z",
        "overlap": "cancel_old",
        "catch_up": "once",
        "jitter_seconds": 60,
        "pause_after": 0,
    }
    assert {name: body[name] for name in expected} == expected


def test_a_line_that_the_server_refuses_is_told_with_what_to_write(
    server: Scripted, cli: CommandLine
):
    refusal = problem(422, "bad_cron", "cron: 'x' must have five fields.", "Write '0 3 * * *'.")
    server.on("POST", "/v1/schedules", refusal)
    ran = cli("schedule", "create", "@here:/data", "my-s3:b/data", "--cron", "x")
    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert "five fields" in ran.err
    assert "Now: Write '0 3 * * *'." in ran.err


def test_the_list_says_when_and_whether_it_is_overdue(server: Scripted, cli: CommandLine):
    page = v1.SchedulePage(data=[views.schedule(overdue=True, last_success=None)])
    server.on("GET", "/v1/schedules", ok(page))
    [row] = [line.split("\t") for line in cli("schedule", "list").out.splitlines()]
    assert row == [
        *("5", "active, overdue", "0 3 * * * [Europe/Berlin]", "@here:/data", "my-s3:bucket/data"),
        *("2026-01-02 03:04:05Z", ""),
    ]


def test_one_is_shown_with_its_history(server: Scripted, cli: CommandLine):
    runs = [
        views.run(manual=True, state="running", ended_at=None),
        views.run(outcome="refused", transfer=None, state=None, reason="gone", failure="gone"),
        views.run(outcome="missed", transfer=None, state=None, missed=3, reason="Nobody."),
        views.run(state="failed", failure="no_space"),
        views.run(),
    ]
    server.on("GET", ONE, ok(views.schedule(runs=runs)))
    lines = [line.split("  ", 1) for line in cli("schedule", "show", "5").out.splitlines()]
    shown = [(name.strip(), rest.strip()) for name, rest in lines]
    assert ("runs", "✔✖·✖·") in shown
    at = "2026-01-02 03:04:05Z"
    assert [rest for name, rest in shown if name == "run"] == [
        f"{at}  running  t_1  by hand",
        f"{at}  refused  gone",
        f"{at}  missed 3 times  Nobody.",
        f"{at}  failed  t_1  no_space",
        f"{at}  succeeded  t_1",
    ]


def test_it_is_paused_resumed_run_and_deleted(server: Scripted, cli: CommandLine):
    paused = views.schedule(state="paused", paused_why="Paused by its owner.", next_at=None)
    server.on("POST", f"{ONE}/pause", ok(paused))
    server.on("POST", f"{ONE}/resume", ok(views.schedule()))
    server.on("POST", f"{ONE}/run", ok(views.run(state="queued"), 202))
    server.on("DELETE", ONE, Answer(204))
    told = cli("schedule", "pause", "5")
    assert "Paused by its owner." in told.out
    assert "cloudcopy schedule resume 5" in told.err
    assert cli("schedule", "resume", "5").code == exits.DONE
    ran = cli("schedule", "run", "5")
    assert (ran.code, ran.out) == (exits.DONE, "t_1\n")
    assert cli("schedule", "run", "5", "--json").json_lines()[0]["outcome"] == "accepted"
    assert cli("schedule", "delete", "5").code == exits.DONE


def test_a_run_that_was_refused_is_a_failure(server: Scripted, cli: CommandLine):
    refused = views.run(outcome="refused", transfer=None, state=None, reason="The box is gone.")
    server.on("POST", f"{ONE}/run", ok(refused, 202))
    ran = cli("schedule", "run", "5")
    assert (ran.code, ran.out) == (exits.FAILED, "")
    assert "Schedule 5 was not run: The box is gone." in ran.err
