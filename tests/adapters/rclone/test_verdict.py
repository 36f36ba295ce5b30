"""What each file is judged to be, given what is known of it."""

from dataclasses import replace

import pytest

from cloudcopy.adapters.rclone.facts import Facts
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.adapters.rclone.verdict import Verdict
from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.order import Verify
from cloudcopy.domain.progress import Verified

PROVEN = Verdict(proven=True)
CUT_SHORT = Verdict(proven=False)
LOST = reason("connection reset by peer")
_SAME = {
    "size": 5,
    "time": "t",
    "later_size": 5,
    "later_time": "t",
    "there_size": 5,
}
_SENT = {**_SAME, "outcome": "copied", "marked_size": 5, "tries": 1}
_HASHED = {**_SENT, "later_hash": "aa", "there_hash": "aa"}


def facts(**known: object) -> Facts:
    nothing: dict[str, object] = dict.fromkeys(Facts._fields)
    return Facts(**{**nothing, "path": "a", "tries": 0, **known})  # type: ignore[arg-type]


def judged(verdict: Verdict = PROVEN, **known: object) -> tuple[object, ...]:
    row = verdict.row(facts(**known))
    assert row is not None
    return row.outcome, row.code, row.verified


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (_HASHED, (Outcome.COPIED, "", Verified.HASH)),
        (_SENT, (Outcome.COPIED, "", Verified.SIZE)),
        (_SAME, (Outcome.UNCHANGED, "", Verified.SIZE)),
        ({**_HASHED, "there_hash": "bb"}, (Outcome.FAILED, "differs_after", Verified.NOTHING)),
        ({**_SENT, "there_size": None}, (Outcome.FAILED, "did_not_arrive", Verified.NOTHING)),
        ({**_SENT, "there_size": 4}, (Outcome.FAILED, "differs_after", Verified.NOTHING)),
        ({**_SAME, "there_size": None}, (Outcome.FAILED, "did_not_arrive", Verified.NOTHING)),
        ({**_SAME, "there_size": 4}, (Outcome.FAILED, "not_updated", Verified.NOTHING)),
        ({**_SENT, "later_size": 6}, (Outcome.FAILED, "source_changed", Verified.NOTHING)),
        ({**_HASHED, "later_time": "u"}, (Outcome.COPIED, "source_changed", Verified.HASH)),
        ({**_SENT, "later_time": "u"}, (Outcome.FAILED, "source_changed", Verified.NOTHING)),
        ({**_SAME, "later_time": "u"}, (Outcome.FAILED, "source_changed", Verified.NOTHING)),
        (
            {**_SENT, "later_size": None, "there_size": None},
            (Outcome.FAILED, "source_vanished", Verified.NOTHING),
        ),
        ({**_SENT, "later_size": None}, (Outcome.COPIED, "", Verified.SIZE)),
    ],
)
def test_a_file_is_judged_by_what_both_sides_have_after_the_copy(known, expected):
    assert judged(**known) == expected


def test_a_file_that_failed_is_there_only_if_its_hash_says_so():
    told = {**_SAME, "outcome": "failed", "code": "connection_lost", "why": "lost", "tries": 1}
    assert judged(**told) == (Outcome.FAILED, "connection_lost", Verified.NOTHING)
    arrived = {**told, "later_hash": "aa", "there_hash": "aa"}
    assert judged(**arrived) == (Outcome.COPIED, "", Verified.HASH)


def test_what_was_not_tried_failed_for_the_reason_that_ended_the_copy():
    verdict = replace(PROVEN, trouble=LOST)
    assert judged(verdict, size=5, later_size=5)[1] == "connection_lost"
    assert judged(verdict, **_SAME)[0] is Outcome.UNCHANGED


def test_a_file_of_a_plan_that_was_never_sent_is_not_there_though_its_size_is_equal():
    verdict = replace(PROVEN, planned=True)
    assert judged(verdict, **{**_SAME, "outcome": "update"})[:2] == (
        Outcome.FAILED,
        "did_not_arrive",
    )
    assert judged(PROVEN, **{**_SAME, "outcome": "new"})[0] is Outcome.UNCHANGED


def test_what_differs_is_kept_where_a_flag_says_so():
    verdict = replace(PROVEN, keeps=True)
    assert judged(verdict, **{**_SAME, "there_size": 4})[0] is Outcome.KEPT
    assert judged(verdict, **_SAME)[0] is Outcome.UNCHANGED
    assert judged(verdict, **{**_SENT, "there_size": 4})[1] == "differs_after"


def test_without_verification_a_file_must_still_be_there():
    verdict = replace(PROVEN, verify=Verify.NONE)
    assert judged(verdict, **_SENT) == (Outcome.COPIED, "", Verified.NOTHING)
    assert judged(verdict, **{**_SENT, "there_size": None})[0] is Outcome.FAILED


def test_a_copy_that_was_cut_short_claims_what_was_sent_and_proves_nothing():
    assert judged(CUT_SHORT, **_SENT) == (Outcome.COPIED, "", Verified.NOTHING)
    assert judged(CUT_SHORT, size=5)[:2] == (Outcome.FAILED, "stopped")


def test_a_deletion_that_was_not_done_is_a_failure():
    assert judged(outcome="delete", there_size=3)[:2] == (Outcome.FAILED, "not_deleted")
    assert judged(outcome="deleted", there_size=3)[0] is Outcome.DELETED


def test_what_came_to_the_source_meanwhile_is_judged_only_if_it_was_brought():
    late = {"later_size": 5, "later_time": "t", "there_size": 5}
    assert PROVEN.row(facts(**late)) is None
    assert judged(**late, outcome="copied", tries=1)[0] is Outcome.COPIED
    assert PROVEN.row(facts(there_size=5)) is None


def test_what_a_store_does_not_know_the_size_of_is_there_when_it_is_there():
    unknown = {**_SENT, "size": -1, "later_size": -1}
    assert judged(**unknown) == (Outcome.COPIED, "", Verified.SIZE)


def test_what_rclone_did_not_come_to_is_unchanged_only_with_the_same_hash():
    short = Verdict(proven=True, trouble=LOST, unreached=True)
    failed = (Outcome.FAILED, "connection_lost", Verified.NOTHING)
    assert judged(short, **_SAME) == failed
    hashed = {**_SAME, "later_hash": "aa", "there_hash": "aa"}
    assert judged(short, **hashed) == (Outcome.UNCHANGED, "", Verified.HASH)
    assert judged(replace(short, keeps=True), **_SAME) == failed
    reached = Verdict(proven=True, trouble=LOST)
    assert judged(reached, **_SAME) == (Outcome.UNCHANGED, "", Verified.SIZE)


def test_other_content_counts_only_where_content_was_to_be_compared():
    other = {**_SAME, "later_hash": "aa", "there_hash": "bb"}
    assert judged(**other)[:2] == (Outcome.FAILED, "not_updated")
    assert judged(Verdict(proven=True, content=False), **other)[0] is Outcome.UNCHANGED
    assert judged(Verdict(proven=True, keeps=True), **other)[0] is Outcome.KEPT
    assert judged(Verdict(proven=True, keeps=True, content=False), **other)[0] is Outcome.UNCHANGED


@pytest.mark.parametrize("path", ["a\u201bb", "a\tb", "a\x7f"])
def test_a_name_that_rclone_cannot_say_is_blamed_for_what_is_not_found(path: str):
    assert judged(path=path, **{**_SENT, "there_size": None})[1] == "bad_name"
    lost = {**_SENT, "there_size": None, "outcome": "failed", "code": "access_denied"}
    assert judged(path=path, **lost)[1] == "access_denied"
