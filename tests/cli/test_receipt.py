"""`cloudcopy receipt`: offline, and what it says of lies."""

import json
from base64 import b64encode
from pathlib import Path

import pytest

from cloudcopy.adapters.vault import FileVault
from cloudcopy.cli import exits
from tests.cli.conftest import CommandLine
from tests.sdk import signed
from tests.sdk.scripted import Answer, Scripted

KEY = b64encode(signed.VAULT.public_key).decode()


@pytest.fixture
def offline(cli: CommandLine) -> CommandLine:
    """A command line that knows neither a server nor a key."""
    cli.environ.clear()
    return cli


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    path = tmp_path / "receipt.json"
    path.write_bytes(signed.receipt())
    return path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    path = tmp_path / "files.jsonl"
    path.write_bytes(b"".join(signed.lines()))
    return path


def test_a_receipt_is_verified_without_a_server_or_a_key_to_it(
    server: Scripted, offline: CommandLine, receipt: Path, files: Path
) -> None:
    ran = offline("receipt", "verify", str(receipt), "--key", KEY, "--files", str(files))

    assert (ran.code, ran.err) == (exits.DONE, "")
    assert ran.out.startswith("✔ t_1, attempt 1, partial: not changed since it was signed")
    assert "✔ 3 files are those of the receipt" in ran.out
    assert "✔ that is the key that was given" in ran.out
    assert server.seen == []


def test_without_a_key_it_says_who_signed_and_that_this_was_not_checked(
    offline: CommandLine, receipt: Path
) -> None:
    ran = offline("receipt", "verify", str(receipt))

    assert ran.code == exits.DONE
    assert "SHA256:" in ran.out
    assert "The key itself was not checked" in ran.err


def test_what_was_checked_is_json_for_programs(offline: CommandLine, receipt: Path) -> None:
    (found,) = offline("receipt", "verify", str(receipt), "--json").json_lines()

    assert found["key"] == KEY
    assert (found["transfer"], found["key_checked"], found["files_checked"]) == ("t_1", False, None)


def test_an_edited_receipt_fails_in_words(offline: CommandLine, receipt: Path) -> None:
    receipt.write_text(receipt.read_text().replace('"failed":1', '"failed":0'))
    for verb in ("verify", "show"):
        ran = offline("receipt", verb, str(receipt))
        assert (ran.code, ran.out) == (exits.FAILED, "")
        assert "changed after it was signed" in ran.err


def test_another_key_fails_in_words(offline: CommandLine, receipt: Path) -> None:
    other = b64encode(FileVault(b"o" * 32).public_key).decode()
    ran = offline("receipt", "verify", str(receipt), "--key", other)

    assert (ran.code, ran.out) == (exits.FAILED, "")
    assert "was signed with the key SHA256:" in ran.err


@pytest.mark.parametrize("drop", [0, 3])
def test_a_missing_row_fails_in_words(
    offline: CommandLine, receipt: Path, files: Path, drop: int
) -> None:
    lines = signed.lines()
    files.write_bytes(b"".join(lines[:drop] + lines[drop + 1 :]))
    ran = offline("receipt", "verify", str(receipt), "--files", str(files))

    assert (ran.code, ran.out) == (exits.FAILED, "")
    assert "it has 2 that arrived, the receipt is about 3" in ran.err


def test_a_problem_is_json_where_that_was_asked_for(
    offline: CommandLine, receipt: Path, files: Path
) -> None:
    files.write_text("{}\n")
    ran = offline("receipt", "verify", str(receipt), "--files", str(files), "--json")

    assert (ran.code, json.loads(ran.err)["code"]) == (exits.FAILED, "receipt_other_files")


def test_a_file_that_is_not_there_is_told_so(
    offline: CommandLine, receipt: Path, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone.json")
    for words in (
        ("receipt", "verify", gone),
        ("receipt", "show", gone),
        ("receipt", "verify", str(receipt), "--files", gone),
    ):
        ran = offline(*words)
        assert (ran.code, ran.out) == (exits.USAGE, "")
        assert gone in ran.err


def test_a_receipt_is_shown_from_its_file(offline: CommandLine, receipt: Path) -> None:
    lines = offline("receipt", "show", str(receipt)).out.splitlines()

    assert "from       @here:/data" in lines
    assert "to         my-s3:bucket/data" in lines
    assert "copied     2 files, 5 B" in lines
    assert "verified   2 by md5, 1 by size only" in lines
    assert "seen       3 files by the control plane, 2 of them with their hash" in lines


def test_a_receipt_is_fetched_by_its_transfer_and_stays_verifiable(
    server: Scripted, cli: CommandLine, tmp_path: Path
) -> None:
    server.on("GET", "/v1/transfers/t_1/receipt", Answer(200, signed.receipt()))
    kept = tmp_path / "kept.json"
    kept.write_text(cli("receipt", "show", "t_1", "--json").out)

    assert cli("receipt", "verify", str(kept), "--key", KEY).code == exits.DONE


def test_a_hostile_reason_cannot_write_to_the_terminal(
    offline: CommandLine, tmp_path: Path
) -> None:
    evil = tmp_path / "evil.json"
    evil.write_bytes(signed.receipt(signed.ended(reason="\x1b[2Kgone\u202e")))

    shown = offline("receipt", "show", str(evil)).out

    assert "�[2Kgone�" in shown
    assert not any(char in shown for char in "\x1b\u202e")
