"""`cloudcopy transfer files`, `log`, `receipt` and `report`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudcopy.cli import exits
from cloudcopy.wire import v1
from tests.cli.conftest import KEY, PROGRAM, SOURCE, CommandLine, Typing
from tests.sdk import signed, views
from tests.sdk.scripted import Answer, Scripted, lines, ok, problem

ONE = "/v1/transfers/t_1"
FILES = f"{ONE}/files"
ROWS = [
    views.row("a\x1b[2K.bin", "failed", size=2048, code="access_denied", why="Not allowed."),
    views.row("b.bin", "copied", hash="0f"),
    views.row("c", "skipped", size=-1, why="a symbolic link"),
]


def test_in_a_pipe_files_are_lines_with_tabs_and_exact_sizes(
    server: Scripted, cli: CommandLine
) -> None:
    server.on("GET", FILES, lines(*ROWS))

    ran = cli(
        *("transfer", "files", "t_1", "--outcome", "failed", "--outcome", "copied"),
        *("--outcome", "skipped", "--prefix", "a/", "--attempt", "2"),
    )

    assert (ran.code, ran.err) == (exits.DONE, "")
    assert ran.out.splitlines() == [
        "failed\t2048\ta�[2K.bin\tNot allowed.",
        "copied\t10\tb.bin\t",
        "skipped\t\tc\ta symbolic link",
    ]
    assert server.seen[0].query == {
        "outcome": "failed,copied,skipped",
        "prefix": "a/",
        "attempt": "2",
    }


def test_as_json_or_csv_they_are_as_the_server_has_them(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", FILES, lines(*ROWS))
    ran = cli("transfer", "files", "t_1", "--json")
    assert ran.json_lines() == [each.model_dump(mode="json") for each in ROWS]

    server.on("GET", FILES, Answer(200, b"path\r\na\r\n", "text/csv"))
    assert "path\na\n" in cli("transfer", "files", "t_1", "--csv").out.replace("\r\n", "\n")
    assert [each.query for each in server.seen] == [{"format": "jsonl"}, {"format": "csv"}]


def test_a_file_is_there_whole_or_not_at_all(
    server: Scripted, cli: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "files.jsonl"
    broken = Answer(200, b'{"path":"a"}\n', headers={"Content-Length": "100"})
    server.on("GET", FILES, problem(404, "no_files", "There is no list."), lines(*ROWS), broken)
    words = ("transfer", "files", "t_1", "-o", str(path))

    assert cli(*words).code == exits.FAILED
    assert [*tmp_path.iterdir()] == []
    ran = cli(*words)
    assert (ran.code, ran.out) == (exits.DONE, "")
    whole = path.read_text()
    assert len(whole.splitlines()) == 3
    assert cli(*words).code == exits.TEMPORARY
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_text() == whole


def test_a_file_that_cannot_be_written_is_told_so(
    server: Scripted, cli: CommandLine, tmp_path: Path
) -> None:
    server.on("GET", FILES, lines(*ROWS))

    ran = cli("transfer", "files", "t_1", "-o", str(tmp_path / "none" / "x"))

    assert ran.code == exits.USAGE
    assert "cannot be written: No such file or directory" in ran.err


def test_a_reader_that_goes_away_is_no_traceback(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", FILES, lines(*[ROWS[1]] * 20_000))
    ours, theirs = os.pipe()
    os.close(ours)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "transfer", "files", "t_1", "--json"],
        env={"PYTHONPATH": str(SOURCE), "CLOUDCOPY_URL": cli.url, "CLOUDCOPY_API_KEY": KEY},
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)

    assert (ran.returncode, ran.stderr) == (exits.CUT_OFF, "")


def test_a_log_is_shown_without_control_characters(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", f"{ONE}/log", Answer(200, b"a: copied\n\x1b[2Kb\n", "text/plain"))

    assert cli("transfer", "log", "t_1").out == "a: copied\n�[2Kb\n"
    assert cli("transfer", "log", "t_1", "--json").json_lines() == [["a: copied", "\x1b[2Kb"]]


def test_an_empty_log_says_so(server: Scripted, cli: CommandLine) -> None:
    server.on("GET", f"{ONE}/log", Answer(200, b"", "text/plain"))

    ran = cli("transfer", "log", "t_1")
    assert (ran.code, ran.out, ran.err) == (exits.DONE, "", "There is nothing in its log.\n")


def test_a_receipt_is_kept_in_a_file_that_can_be_verified(
    server: Scripted, cli: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "receipt.json"
    server.on("GET", f"{ONE}/receipt", Answer(200, signed.receipt()))

    ran = cli("transfer", "receipt", "t_1", "-o", str(path))

    assert (ran.code, ran.out) == (exits.DONE, "")
    assert f"cloudcopy receipt verify {path}" in ran.err
    assert cli("receipt", "verify", str(path)).code == exits.DONE
    assert cli("transfer", "receipt", "t_1").json_lines() == [json.loads(path.read_text())]


def test_a_report_of_a_retry_says_that_its_numbers_are_of_the_failed_files_only(
    server: Scripted, cli: CommandLine
) -> None:
    again = views.transfer(state="succeeded", attempt=2, scope="failed", result=views.result())
    server.on("GET", ONE, ok(again))

    ran = cli("transfer", "report", "t_1")

    assert (
        "about      only the files that had failed in the attempt before; the numbers are of those"
    ) in ran.out.splitlines()


def test_a_report_has_the_numbers_the_proof_and_what_to_do_about_each_kind_of_failure(
    server: Scripted, cli: CommandLine
) -> None:
    group = v1.ErrorGroupView(
        code="access_denied",
        text="The store does not allow it.",
        cure="Give the key write rights.",
        count=7,
        samples=["a.bin", "b\x1b.bin"],
    )
    result = views.result(
        failed=7,
        skipped={"symbolic link": 2},
        retried=1,
        changed=1,
        by_size_only=1,
        errors=[group],
        notes=["A note."],
    )
    final = views.transfer(state="partial", reason="7 files failed.", result=result)
    server.on("GET", ONE, ok(final))

    ran = cli("transfer", "report", "t_1")

    assert ran.code == exits.DONE
    assert ran.out.splitlines() == [
        "id         t_1",
        "state      partial",
        "reason     7 files failed.",
        "from       @here:/data",
        "to         my-s3:bucket/data",
        "attempt    1",
        "found      3 files, 3.0 KiB",
        "copied     3 files, 3.0 KiB",
        "unchanged  0",
        "skipped    2 symbolic link",
        "failed     7",
        "retried    1",
        "changed    1 while they were copied",
        "verified   3 by md5, 1 by size only, 3.0 KiB",
        "seen       3 files by the control plane, 3 of them with their hash",
        f"root       {'ab' * 32} over 3 files",
        "note       A note.",
        "✖ 7 × access_denied: The store does not allow it.",
        "    a.bin",
        "    b�.bin",
        "    and 5 more",
        "  Now: Give the key write rights.",
    ]
    assert "cloudcopy transfer files t_1 --outcome failed" in ran.err
    assert "cloudcopy transfer retry t_1 --failed" in ran.err
    assert cli("transfer", "report", "t_1", "--json").json_lines() == [
        final.model_dump(mode="json")
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"verified": "size", "hash": ""}, "verified   by size only, 3.0 KiB"),
        ({"verified": "nothing", "bytes_verified": 0}, "verified   not at all"),
        (
            {"recheck": v1.RecheckView(files=0, hashed=0, why_not="it is the host's disk")},
            "seen       not by the control plane: it is the host's disk",
        ),
    ],
)
def test_what_was_not_proven_is_said_plainly(
    server: Scripted, cli: CommandLine, changes: dict[str, object], line: str
) -> None:
    final = views.transfer(state="succeeded", result=views.result(**changes))
    server.on("GET", ONE, ok(final))

    assert line in cli("transfer", "report", "t_1").out.splitlines()


def test_on_a_terminal_no_form_of_a_list_can_write_to_it(server: Scripted, typing: Typing) -> None:
    server.on("GET", FILES, Answer(200, "path\nü\x9b2K\n".encode(), "text/csv"))
    assert typing("transfer", "files", "t_1", "--csv", stdout=True).err == "path\nü�2K\n"

    server.on("GET", FILES, lines(ROWS[0]))
    ran = typing("transfer", "files", "t_1", stdout=True)
    assert "\x1b" not in ran.err
    assert "2.0 KiB" in ran.err
