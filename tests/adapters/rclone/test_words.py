"""rclone's words: the log we read, the errors we explain, the arguments we write."""

import json

import pytest

from cloudcopy.adapters.rclone.flags import PATIENT, as_arguments, as_daemon
from cloudcopy.adapters.rclone.ledger import MAX_ERRORS, Ledger, Part
from cloudcopy.adapters.rclone.reasons import cure, fatal, reason
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow, Outcome


def line(msg: str, **fields: object) -> bytes:
    return json.dumps({"time": "x", "level": "info", "msg": msg, **fields}).encode()


def ledger(*lines: bytes, part: Part = Part.COPY) -> Ledger:
    made = Ledger()
    made.begin(part)
    for each in lines:
        made.feed(each)
    return made


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("api error SignatureDoesNotMatch: The request signature", "bad_credentials"),
        ("StatusCode: 403, api error InvalidAccessKeyId: The key", "bad_credentials"),
        ("api error ExpiredToken: The provided token", "expired_credentials"),
        ("StatusCode: 403, RequestID: 1, api error AccessDenied: no", "access_denied"),
        ("NoSuchBucket: The specified bucket does not exist", "no_such_bucket"),
        ("write /data/x: no space left on device", "disk_full"),
        ("preallocate: file too big for remaining disk space", "disk_full"),
        ("open /data/x: permission denied", "permission_denied"),
        ("max transfer limit reached as set by --max-transfer", "max_transfer"),
        ("immutable file modified", "immutable"),
        ("can't copy - source file is being updated", "source_changed"),
        ("corrupted on transfer: md5 hashes differ", "corrupted"),
        ("dial tcp: lookup s3.nowhere on 1.1.1.1:53: no such host", "unknown_host"),
        ("dial tcp 127.0.0.1:9: connect: connection refused", "unreachable"),
        ("api error SlowDown: Please reduce your request rate", "throttled"),
        ("tls: failed to verify certificate: x509: unknown authority", "bad_certificate"),
        ("read tcp 1.2.3.4: connection reset by peer", "connection_lost"),
        ("failed to decode response body, unexpected EOF", "connection_lost"),
        ("net/http: timeout awaiting response headers", "connection_lost"),
        ("remote error: tls: bad record MAC", "connection_lost"),
        ("StatusCode: 503, RequestID: , api error SlowDown: injected", "throttled"),
        ("StatusCode: 429, api error TooManyRequests: injected", "throttled"),
        ("StatusCode: 500, api error InternalError: injected", "store_error"),
        ("StatusCode: 400, api error BadDigest: The Content-Md5 you specified", "corrupted"),
        ("StatusCode: 403, api error ExpiredToken: injected", "expired_credentials"),
        ("StatusCode: 404, api error NoSuchBucket: injected", "no_such_bucket"),
        ("dial tcp: lookup s3.here on 1.1.1.1:53: server misbehaving", "unreachable"),
        ('Put "http://host/bucket/no space left on device": EOF', "connection_lost"),
        ("open /data/NoSuchBucket: permission denied", "permission_denied"),
        ("directory not found", "not_found"),
        ("something new", "error"),
    ],
)
def test_an_error_text_has_a_plain_reason_and_a_cure(text: str, code: str):
    found = reason(text)
    assert found.code == code
    assert found.text
    assert found.cure.endswith(".")


def test_an_unknown_text_is_shown_short_and_without_addresses_and_request_ids():
    text = "strange thing RequestID: ABC, HostID: , at https://key:secret@host/x?sig=1 " + "y" * 900
    shown = reason(text).text
    assert "secret" not in shown
    assert "ABC" not in shown
    assert len(shown) < 350


def test_what_waits_for_nothing_better_is_fatal_and_what_may_pass_is_not():
    assert reason("no space left on device").fatal
    assert not reason("connection reset by peer").fatal


@pytest.mark.parametrize(
    ("text", "code", "hopeless"),
    [
        ("api error ExpiredToken", "expired_credentials", True),
        ("api error NoSuchBucket", "no_such_bucket", True),
        ("no space left on device", "disk_full", True),
        ("max transfer limit reached", "max_transfer", True),
        ("permission denied", "permission_denied", False),
        ("api error AccessDenied", "access_denied", False),
    ],
)
def test_what_is_fatal_for_one_file_is_told_from_what_is_for_all(
    text: str, code: str, hopeless: bool
):
    assert reason(text).hopeless is hopeless
    assert fatal(code)
    assert cure(code) == reason(text).cure


def test_copied_files_and_bytes_are_counted():
    made = ledger(
        line("Copied (new)", object="a", size=3),
        line("Multi-thread Copied (replaced existing)", object="b", size=4),
        line("Set directory modification time (using DirSetModTime)", object="d"),
    )
    assert (made.sent, made.bytes_sent, made.replaced) == (2, 7, 1)
    assert made.take() == [FileRow("a", Outcome.COPIED, 3), FileRow("b", Outcome.COPIED, 4)]
    assert made.take() == []


def failure(name: str, text: str = "Failed to copy: connection reset", kind: str = "s3") -> bytes:
    return line(text, level="error", object=name, objectType=f"*{kind}.Object")


def test_a_failure_is_a_row_with_its_reason():
    (row,) = ledger(failure("a")).take()
    assert (row.path, row.outcome, row.code) == ("a", Outcome.FAILED, "connection_lost")
    assert row.why == "the connection to the store was lost"


def test_a_download_that_fails_under_its_temporary_name_is_told_under_its_own():
    rows = ledger(failure("d/a.bin.0bb6fb07.partial", "corrupted on transfer", "local")).take()
    assert [each.path for each in rows] == ["d/a.bin"]


def test_a_single_file_is_told_under_its_name_wherever_it_lies_in_the_store():
    made = ledger()
    made.name = "a.bin"
    made.feed(line("Copied (new) to: a.bin", object="bucket/deep/a.bin", size=1))
    assert [each.path for each in made.take()] == ["a.bin"]


@pytest.mark.parametrize(
    ("msg", "code", "why"),
    [
        ("Can't follow symlink without -L/--copy-links", "symbolic_link", "symbolic link"),
        ("Can't transfer non file/directory", "not_regular", "not a regular file"),
    ],
)
def test_what_the_source_has_that_cannot_be_copied_is_skipped(msg: str, code: str, why: str):
    told = line(msg, level="notice", object="d/l")
    assert ledger(told, part=Part.SOURCE).take() == [FileRow("d/l", Outcome.SKIPPED, -1, code, why)]
    assert ledger(told, part=Part.COPY).take() == []


def test_a_directory_that_cannot_be_read_is_a_row_of_its_own():
    told = 'failed to open directory "d": open /data/d: permission denied'
    (row,) = ledger(line(told, level="error", object="d"), part=Part.SOURCE).take()
    assert (row.path, row.outcome, row.code) == ("d/", Outcome.FAILED, "permission_denied")


def test_an_error_that_ends_everything_is_told_at_once():
    made = ledger(failure("a", "api error ExpiredToken: The provided token has expired"))
    assert made.doomed.is_set()
    assert made.hopeless is not None
    assert made.hopeless.code == "expired_credentials"
    assert not ledger(failure("a", "permission denied")).doomed.is_set()


def test_names_that_the_source_has_twice_are_kept_for_the_report():
    twice = line("Duplicate object found in source - ignoring", level="notice", object="a")
    assert dict(ledger(twice).duplicates) == {"a": 1}


def test_texts_that_name_no_file_are_bounded():
    made = ledger(*(line("listing failed", level="error") for _ in range(500)))
    assert len(made.errors) == MAX_ERRORS


def test_the_end_of_the_log_is_kept_without_addresses():
    made = ledger(
        *(line(f"line {n}") for n in range(100)),
        line("Failed to copy: Put https://k:SECRET@host/x?sig=1 : EOF", level="error", object="a"),
    )
    assert len(made.log) == 40
    assert made.log[0] == "info: line 61"
    assert made.log[-1].startswith("error: a: Failed to copy")
    assert "SECRET" not in made.log[-1]


def test_a_line_that_is_no_json_is_kept_as_an_error():
    assert ledger(b"panic: runtime error").errors == ["panic: runtime error"]


def test_arguments_are_single_words_that_begin_with_a_known_flag():
    flags = Flags.parse(["--exclude", "--config=/etc/x", "--dry-run", "--delete-excluded"])
    assert as_arguments(flags) == ["--dry-run", "--exclude=--config=/etc/x"]


def test_the_password_lies_in_the_run_directory_and_ours_come_before_the_callers():
    words = as_daemon(
        "/run", ("--config", "/cred/c"), Flags.parse(["--transfers=8"]), patience=PATIENT
    )
    assert words[:3] == ["rcd", "--config", "/cred/c"]
    assert "--rc-htpasswd=/run/rc.htpasswd" in words
    assert "--rc-no-auth" not in words
    assert words[-1] == "--transfers=8"
    assert "--rc-htpasswd=rc.htpasswd" in as_daemon("", (), Flags(), patience=())
