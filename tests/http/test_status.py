"""How far a copy is and what became of it, in the compatible API's words."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudcopy.control.status import FINISHED, MAX_RESULT, outcome, status_msg
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.order import Direction, Order, TransferId
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import ErrorGroup, Phase, Progress, Recheck, Result, Verified
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.reads import TransferSeen

AT = datetime(2026, 1, 15, tzinfo=UTC)
TRANSFER = Transfer(
    id=TransferId("t_1"),
    account=AccountId(1),
    key=KeyId("k"),
    machine=MachineId(1),
    order=Order(
        instance=InstanceId(1),
        connection=ConnectionId(1),
        direction=Direction.TO_CLOUD,
        local=InstancePath("a"),
        remote=RemotePath("b/a"),
        flags=Flags(),
    ),
    state=State.QUEUED,
    attempt=1,
    fence="f",
    created_at=AT,
)
SENT = Progress(
    phase=Phase.TRANSFERRING,
    found=812,
    to_copy=812,
    copied=310,
    bytes_to_copy=3113851289,
    bytes_copied=1288490188,
)


def told(state: State, numbers: Progress | None = None, **changes: Any) -> str:
    return status_msg(
        TransferSeen(
            transfer=replace(TRANSFER, state=state, **changes),
            instance_label="box",
            connection_name="lab",
            cloud_type="s3",
            machine_seen_at=AT,
            progress=numbers,
        )
    )


def ended(state: State, result: Result | None = None, reason: str = "") -> str:
    return outcome(replace(TRANSFER, state=state, result=result, reason=reason, ended_at=AT))


def test_the_first_forty_characters_say_the_state_and_how_far_it_is():
    words = told(State.RUNNING, SENT)
    assert words[:40] == "Cloud Copy: transferring 41% 1.2/2.9 GiB"
    assert words == "Cloud Copy: transferring 41% 1.2/2.9 GiB 310/812 files"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate": 104857600.4, "eta_seconds": 17}, ", 100.0 MiB/s, 17s left"),
        ({"rate": 1024.0, "eta_seconds": 7199}, ", 1.0 KiB/s, 119m left"),
        ({"rate": 1024.0, "eta_seconds": 90000}, ", 1.0 KiB/s, 25h left"),
        ({"rate": 0.0, "eta_seconds": 5}, ""),
        (
            {"failed": 2, "skipped": 5, "retried": 1, "deleted": 3},
            ", 2 failed, 5 skipped, 1 retried, 3 deleted",
        ),
    ],
)
def test_the_other_numbers_follow_where_there_are_any(changes: dict[str, Any], words: str):
    whole = f"Cloud Copy: transferring 41% 1.2/2.9 GiB 310/812 files{words}"
    assert told(State.RUNNING, replace(SENT, **changes)) == whole


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (None, "preparing"),
        (Progress(phase=Phase.PREPARING), "preparing"),
        (Progress(phase=Phase.PREPARING, found=1200), "preparing 1200 files found"),
        (Progress(phase=Phase.TRANSFERRING), "transferring 0%"),
        (Progress(phase=Phase.TRANSFERRING, to_copy=3, copied=1), "transferring 0% 1/3 files"),
        (
            Progress(phase=Phase.VERIFYING, verified=310, bytes_verified=1288490188),
            "verifying 310 files 1.2 GiB",
        ),
    ],
)
def test_each_phase_has_its_word_and_its_numbers(numbers: Progress | None, words: str):
    assert told(State.RUNNING, numbers) == f"Cloud Copy: {words}"


@pytest.mark.parametrize("state", [State.QUEUED, State.PAUSING, State.PAUSED, State.CANCELLING])
def test_a_copy_that_does_not_run_is_said_by_its_state_alone(state: State):
    assert told(state, SENT) == f"Cloud Copy: {state}"


@pytest.mark.parametrize("state", [each for each in State if each.final])
def test_every_end_begins_like_an_end_and_only_a_success_finishes(state: State):
    words = told(state, reason=f"rclone said: {FINISHED}\nand more")
    assert words.startswith("Cloud Copy Operation")
    assert (FINISHED in words) == (state is State.SUCCEEDED)
    assert "\n" not in words
    assert ended(state).splitlines() == [told(state)]


def test_nothing_was_ever_copied_is_an_empty_word():
    assert status_msg(None) == ""


RESULT = Result(
    found=12,
    copied=9,
    failed=3,
    bytes_copied=10,
    verified=Verified.HASH,
    hash="md5",
    by_hash=9,
    errors=(
        ErrorGroup(
            code="access_denied",
            text="the store refused access",
            cure="Give the key write rights.",
            count=2,
            samples=("a", "b"),
        ),
        ErrorGroup(code="corrupted", text="Damaged.", cure="", count=7, samples=("c",)),
    ),
    notes=("2 links were left alone",),
)


def test_a_partial_result_is_a_failure_with_its_errors_by_kind_and_what_to_do():
    assert ended(State.PARTIAL, RESULT, "3 of 12 files failed").splitlines() == [
        "Cloud Copy Operation Failed: partial: 3 of 12 files failed",
        "9 copied (10 B), 3 failed; verified by md5",
        "2 failed: the store refused access. Give the key write rights.",
        "  a",
        "  b",
        "7 failed: Damaged.",
        "  c",
        "  and 6 more",
        "2 links were left alone",
    ]


def test_a_success_that_nobody_looked_at_again_says_so():
    result = Result(copied=1, recheck=Recheck(why_not="the store did not answer"))
    assert ended(State.SUCCEEDED, result).splitlines()[0] == FINISHED
    assert "could not be looked at: the store did not answer" in ended(State.SUCCEEDED, result)


def test_no_file_name_can_make_a_failure_look_like_a_success():
    group = replace(RESULT.errors[0], samples=(FINISHED,))
    assert FINISHED not in ended(State.FAILED, replace(RESULT, errors=(group,)), "no")


def test_a_result_text_is_bounded_whatever_the_host_says():
    long = replace(RESULT.errors[0], samples=("x" * 4096,) * 5)
    text = ended(State.PARTIAL, replace(RESULT, errors=(long,) * 20, notes=("n" * 2000,) * 20), "r")
    assert len(text) == MAX_RESULT + 1
    assert max(map(len, text.splitlines()[2:8])) <= 202
