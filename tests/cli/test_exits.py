import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from cloudcopy.cli import exits
from cloudcopy.cli.call import DEFAULT_URL
from tests.cli.conftest import KEY, PROGRAM, SOURCE, CommandLine
from tests.sdk import views
from tests.sdk.scripted import Answer, Scripted, Seen, ok, problem

# A shell's background process ignores Ctrl-C, and so does what it starts.
LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"

ONE = "/v1/transfers/t_1"
SHOW = ("transfer", "show", "t_1")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, exits.USAGE),
        (401, exits.AUTH),
        (403, exits.AUTH),
        (404, exits.FAILED),
        (409, exits.FAILED),
        (422, exits.USAGE),
        (500, exits.FAILED),
    ],
)
def test_each_refusal_has_its_exit_code(
    server: Scripted, cli: CommandLine, status: int, code: int
) -> None:
    server.on("GET", ONE, problem(status, "some_code", "It is so.", "Do this.", "Or that."))

    ran = cli(*SHOW)

    assert (ran.code, ran.out) == (code, "")
    assert ran.err == "✖ It is so.\n  Now: Do this.\n  Now: Or that.\n"


def test_a_server_that_cannot_serve_now_is_temporary(server: Scripted, cli: CommandLine) -> None:
    wait = {"Retry-After": "3600"}
    server.on("GET", ONE, problem(503, "unavailable", "Busy.", retryable=True, headers=wait))

    assert cli(*SHOW).code == exits.TEMPORARY


def test_as_json_a_problem_is_one_object_on_stderr(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", ONE, problem(404, "no_such_transfer", "It is not yours.", "List them."))

    ran = cli(*SHOW, "--json")

    assert ran.out == ""
    assert json.loads(ran.err) == {
        "code": "no_such_transfer",
        "detail": "It is not yours.",
        "next": ["List them."],
        "status": 404,
        "retryable": False,
    }


def test_without_a_key_it_says_what_to_export(server: Scripted, cli: CommandLine) -> None:
    del cli.environ["CLOUDCOPY_API_KEY"]

    ran = cli(*SHOW)

    assert ran.code == exits.AUTH
    assert "export CLOUDCOPY_API_KEY=" in ran.err
    assert server.seen == []


def test_a_key_on_the_command_line_is_refused_and_not_repeated(cli: CommandLine) -> None:
    for words in (("--api-key", KEY), (f"--api-key={KEY}",)):
        ran = cli(*SHOW, *words)

        assert ran.code == exits.USAGE
        assert "export CLOUDCOPY_API_KEY=" in ran.err
        assert KEY not in ran.err


@pytest.mark.parametrize(
    "words",
    [("copy", "a:b"), ("transfer", "show"), ("tansfer", "list"), ("key", "list", "--nope=x")],
)
def test_a_command_line_that_cannot_be_read_is_a_usage_error(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    plain, as_json = cli(*words), cli(*words, "--json")

    assert (plain.code, plain.out) == (exits.USAGE, "")
    assert plain.err.startswith("✖ ")
    assert "--help" in plain.err
    assert as_json.code == exits.USAGE
    assert json.loads(as_json.err)["code"] == "usage"


def test_the_url_option_wins_over_the_environment(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", ONE, ok(views.transfer()))
    cli.environ["CLOUDCOPY_URL"] = "http://127.0.0.1:1"

    assert cli(*SHOW, "--url", cli.url).code == exits.DONE


def test_what_is_no_url_is_a_usage_error(cli: CommandLine) -> None:
    ran = cli(*SHOW, "--url", "localhost")

    assert ran.code == exits.USAGE
    assert "http://" in ran.err


def test_an_answer_from_another_program_is_told_apart(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", ONE, Answer(200, b"<html>", "text/html"))

    ran = cli(*SHOW)

    assert ran.code == exits.FAILED
    assert "CLOUDCOPY_URL" in ran.err


def test_the_help_has_every_exit_code_and_the_default_address(
    cli: CommandLine,
) -> None:
    top, noun = cli("--help"), cli("key", "list", "--help")

    for code, meaning in exits.EXIT_CODES.items():
        assert f"{code}  {meaning}" in top.out
    assert DEFAULT_URL in noun.out
    assert "CLOUDCOPY_URL" in noun.out


def test_a_local_failure_is_told_in_the_same_style(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits.local_failure("The port is taken.", ("Choose another.",), usage=False) == 1
    assert exits.local_failure("It is no port.", (), usage=True) == exits.USAGE

    assert capsys.readouterr().err == (
        "✖ The port is taken.\n  Now: Choose another.\n✖ It is no port.\n"
    )


def test_the_help_does_not_wait_for_the_http_client() -> None:
    asks = (
        "import sys\n"
        "from cloudcopy.cli.app import build_app\n"
        "try: build_app({})(['--help'])\n"
        "except SystemExit: pass\n"
        "print('httpx2' in sys.modules, 'pydantic' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", asks],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.splitlines()[-1] == "False False"


def test_nobody_there_is_temporary_and_says_how_to_start() -> None:
    with socket.socket() as taken:  # bound, never listening
        taken.bind(("127.0.0.1", 0))
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *SHOW],
            env=_environ(f"http://127.0.0.1:{taken.getsockname()[1]}"),
            capture_output=True,
            text=True,
            check=False,
        )

    assert ran.returncode == exits.TEMPORARY
    assert "cloudcopy up" in ran.stderr
    assert KEY not in ran.stderr


def test_an_interrupt_stops_the_watching_and_not_the_copy(
    server: Scripted, cli: CommandLine
) -> None:
    polled = threading.Event()

    def count(seen: Seen) -> None:
        if len(server.seen) > 2:
            polled.set()

    server.on_request = count
    server.on("GET", ONE, ok(views.transfer(state="running", progress=views.progress())))
    child = subprocess.Popen(
        [sys.executable, "-c", f"{LISTEN}; {PROGRAM}", "transfer", "watch", "t_1"],
        env=_environ(cli.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            assert polled.wait(timeout=30)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
        finally:
            child.kill()

    assert (child.returncode, out) == (exits.INTERRUPTED, "")
    assert err.splitlines()[-3:] == [
        "Stopped watching; the copy goes on.",
        "  Watch it:  cloudcopy transfer watch t_1",
        "  Cancel it: cloudcopy transfer cancel t_1",
    ]
    assert {each.method for each in server.seen} == {"GET"}


def _environ(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name == "PATH"}
    ours = {"PYTHONPATH": str(SOURCE), "CLOUDCOPY_URL": url, "CLOUDCOPY_API_KEY": KEY}
    return kept | ours
