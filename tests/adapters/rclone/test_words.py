"""rclone's words: the log we read, the errors we explain, the arguments we write."""

import json

import pytest

from cloudcopy.adapters.rclone.flags import as_arguments, as_daemon
from cloudcopy.adapters.rclone.ledger import MAX_NAMES, Ledger
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.domain.flags import Flags


def line(msg: str, **fields: object) -> bytes:
    return json.dumps({"time": "x", "level": "info", "msg": msg, **fields}).encode()


def ledger(*lines: bytes, keep_names: bool = False) -> Ledger:
    made = Ledger(keep_names=keep_names)
    made.begin_pass()
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


def test_copied_files_and_bytes_are_counted():
    made = ledger(
        line("Copied (new)", object="a", size=3),
        line("Multi-thread Copied (replaced existing)", object="b", size=4),
        line("Set directory modification time (using DirSetModTime)", object="d"),
    )
    assert (made.sent, made.bytes_sent) == (2, 7)


def test_a_failure_is_forgotten_when_the_file_arrives_after_all():
    failed = line(
        "Failed to copy: no space left", level="error", object="a", objectType="*s3.Object"
    )
    assert ledger(failed).failures == {"a": "Failed to copy: no space left"}
    assert ledger(failed, line("Copied (new)", object="a", size=1)).failures == {}


def test_it_is_known_which_files_were_sent():
    copied = line("Copied (new)", object="a", size=1)
    assert ledger(copied, keep_names=True).was_sent("a")
    assert not ledger(copied, keep_names=True).was_sent("b")
    assert not ledger(copied).was_sent("b")


def test_what_is_listed_again_to_verify_is_not_counted_twice():
    skipped = line("Can't follow symlink without -L/--copy-links", level="notice", object="l")
    made = ledger(skipped)
    made.end_pass()
    made.feed(skipped)
    made.feed(line("12 hashes could not be checked", level="notice"))
    assert dict(made.skipped) == {"symbolic link": 1}
    assert made.hashless == 12


def test_memory_is_bounded_however_many_files_fail():
    made = ledger(
        *(
            line("Failed to copy: x", level="error", object=f"{n}", objectType="*s3.Object")
            for n in range(500)
        ),
        *(line("listing failed", level="error") for _ in range(500)),
    )
    assert (len(made.failures), len(made.errors)) == (MAX_NAMES, MAX_NAMES)


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


def test_the_socket_lies_in_the_run_directory_and_ours_come_before_the_callers():
    words = as_daemon("/run", ("--config", "/cred/c"), Flags.parse(["--transfers=8"]))
    assert words[:3] == ["rcd", "--config", "/cred/c"]
    assert "--rc-addr=unix:///run/rc.sock" in words
    assert words[-1] == "--transfers=8"
    assert "--rc-addr=unix://rc.sock" in as_daemon("", (), Flags())
