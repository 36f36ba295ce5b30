"""The life of a transfer, read like sentences."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.order import Direction, Order, Scope, TransferId
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Phase, Progress, Result
from cloudcopy.domain.transfer import (
    TABLE,
    CancelRequested,
    Event,
    Failed,
    GivenUp,
    IllegalMove,
    PartlyDone,
    PauseRequested,
    Resumed,
    Retried,
    Started,
    State,
    Stopped,
    Succeeded,
    Transfer,
    accept,
    step,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
RESULT = Result(found=3, copied=3)
ORDER = Order(
    instance=InstanceId(101),
    connection=ConnectionId(1001),
    direction=Direction.TO_CLOUD,
    local=InstancePath("data"),
    remote=RemotePath("bucket/run"),
    flags=Flags(),
)


def accepted() -> Transfer:
    return accept(
        TransferId("t_1"),
        ORDER,
        account=AccountId(1),
        key=KeyId("k1"),
        machine=MachineId(1),
        fence="f1",
        at=T0,
    )


def after(*events: Event) -> Transfer:
    transfer = accepted()
    for event in events:
        transfer = step(transfer, event)
    return transfer


def test_a_copy_that_starts_and_succeeds_has_its_times_and_result():
    t1, t2 = T0 + timedelta(seconds=1), T0 + timedelta(seconds=2)
    transfer = after(Started(t1), Succeeded(t2, RESULT))
    assert transfer == replace(
        accepted(), state=State.SUCCEEDED, started_at=t1, ended_at=t2, result=RESULT
    )


def test_a_cancel_in_flight_does_not_undo_a_finished_copy():
    transfer = after(Started(T0), CancelRequested(T0), Succeeded(T0, RESULT))
    assert transfer.state is State.SUCCEEDED


def test_a_cancel_is_confirmed_by_the_host_only():
    asked = after(Started(T0), CancelRequested(T0))
    assert (asked.state, asked.state.want, asked.ended_at) == (State.CANCELLING, "stop", None)
    assert step(asked, Stopped(T0)).state is State.CANCELLED


@pytest.mark.parametrize("end", [Succeeded(T0, RESULT), Failed(T0, "no space left")])
def test_a_redelivered_report_changes_nothing(end: Event):
    once = after(Started(T0), end)
    late = T0 + timedelta(hours=1)
    assert step(step(once, replace(end, at=late)), Started(late)) is once


def test_times_and_reason_are_those_of_the_first_telling():
    t1, t2, t3, t4 = (T0 + timedelta(seconds=n) for n in range(1, 5))
    transfer = after(Started(t1), Started(t2), Failed(t3, "disk full"), GivenUp(t4))
    assert (transfer.started_at, transfer.ended_at, transfer.reason) == (t1, t3, "disk full")


def test_a_retry_draws_a_new_attempt_and_fence_and_forgets_the_old_end():
    transfer = after(Started(T0), Failed(T0, "disk full", RESULT), Retried(T0, "f2"))
    assert transfer == replace(accepted(), attempt=2, fence="f2")


def test_giving_up_on_a_machine_fails_its_transfer_in_words():
    transfer = after(Started(T0), GivenUp(T0))
    assert transfer.state is State.FAILED
    assert "gave up on this machine" in transfer.reason


def test_a_refused_event_says_what_was_asked_and_changes_nothing():
    done = after(Started(T0), Succeeded(T0, RESULT))
    with pytest.raises(
        IllegalMove, match=r"t_1 is succeeded: cancelling it is not possible"
    ) as error:
        step(done, CancelRequested(T0))
    assert error.value.code == "transfer_succeeded"


def test_every_pair_has_a_known_answer():
    """Adding a state or an event without deciding its row fails here.

    The refused pairs are spelled out, so that leaving a pair out of TABLE is a decision
    someone wrote down and not an oversight.
    """
    refused = {
        (state, event) for state in State for event in get_args(Event) if event not in TABLE[state]
    }
    live = {State.QUEUED, State.RUNNING, State.PAUSING, State.CANCELLING}
    ended = {State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELLED}
    assert refused == {
        (State.QUEUED, Stopped),
        (State.RUNNING, Stopped),
        (State.CANCELLING, PauseRequested),  # a cancel is not taken back
        *((state, CancelRequested) for state in ended),
        *((state, PauseRequested) for state in ended),
        *((state, Resumed) for state in live | ended),
        *((state, Retried) for state in live | {State.PAUSED, State.SUCCEEDED}),
    }


def test_a_paused_transfer_goes_on_in_an_attempt_of_its_own():
    paused = after(Started(T0), PauseRequested(T0), Stopped(T0, RESULT))
    assert (paused.state, paused.ended_at, paused.result) == (State.PAUSED, None, RESULT)
    assert step(paused, Resumed(T0, "f2")) == replace(accepted(), attempt=2, fence="f2")


def test_a_copy_that_finished_before_the_pause_arrived_is_a_success():
    assert after(Started(T0), PauseRequested(T0), Succeeded(T0, RESULT)).state is State.SUCCEEDED


def test_a_paused_transfer_is_cancelled_at_once_because_nothing_runs():
    paused = after(PauseRequested(T0), Stopped(T0))
    assert step(paused, CancelRequested(T0)).state is State.CANCELLED


def test_a_cancel_is_stronger_than_a_pause_that_is_under_way():
    asked = after(Started(T0), PauseRequested(T0), CancelRequested(T0))
    assert (asked.state, asked.state.want) == (State.CANCELLING, "stop")
    assert step(asked, Stopped(T0)).state is State.CANCELLED


def test_a_part_that_failed_is_told_and_can_be_tried_again_alone():
    part = after(Started(T0), PartlyDone(T0, "1 of 3 files failed", RESULT))
    assert (part.state, part.reason, part.result) == (State.PARTIAL, "1 of 3 files failed", RESULT)
    again = step(part, Retried(T0, "f2", Scope.FAILED))
    assert (again.state, again.scope, again.reason) == (State.QUEUED, Scope.FAILED, "")


def test_its_agent_is_told_of_a_transfer_that_has_its_turn_and_of_each_that_must_stop():
    waiting = accepted()
    its_turn = replace(waiting, admitted=True)
    assert (waiting.told, its_turn.told) == (False, True)
    for wish in (CancelRequested(T0), PauseRequested(T0)):
        stopping = step(waiting, wish)
        assert (stopping.told, stopping.state.want) == (True, "stop")
    assert not step(step(its_turn, PauseRequested(T0)), Stopped(T0)).told


@pytest.mark.parametrize(
    "end",
    [
        Succeeded(T0, RESULT),
        PartlyDone(T0, "x", RESULT),
        Failed(T0, "x"),
        GivenUp(T0),
    ],
)
def test_an_end_gives_the_turn_back(end: Event):
    running = step(replace(accepted(), admitted=True), Started(T0))
    assert running.admitted
    assert not step(running, end).admitted


@pytest.mark.parametrize(
    ("events", "progress", "word"),
    [
        ([], None, "queued"),
        ([Started(T0)], None, "preparing"),
        ([Started(T0)], Progress(phase=Phase.VERIFYING), "verifying"),
        ([Started(T0), PauseRequested(T0)], Progress(phase=Phase.VERIFYING), "pausing"),
        ([Started(T0), Succeeded(T0, RESULT)], None, "succeeded"),
    ],
)
def test_people_are_shown_one_word(events: list[Event], progress: Progress | None, word: str):
    assert after(*events).shown_as(progress) == word


class Life(RuleBasedStateMachine):
    """A host that tells the truth out of order and more than once, and callers who ask."""

    def __init__(self) -> None:
        super().__init__()
        self.transfer = accepted()
        self.clock = T0
        self.truth: Event | None = None  # how this attempt really ended
        self.asked = False  # to stop, for good or for now

    def tick(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    @rule()
    def host_reports_start(self) -> None:
        self.transfer = step(self.transfer, Started(self.tick()))

    @rule(end=st.sampled_from(["succeeded", "partial", "failed"]))
    def host_reports_end(self, end: str) -> None:
        if self.truth is None:
            ends: dict[str, Event] = {
                "succeeded": Succeeded(self.tick(), RESULT),
                "partial": PartlyDone(self.tick(), "because", RESULT),
                "failed": Failed(self.tick(), "because"),
            }
            self.truth = ends[end]
        self.transfer = step(self.transfer, self.truth)

    @rule()
    def host_confirms_stop(self) -> None:
        if self.asked and self.truth is None:
            self.truth = Stopped(self.tick())
        if isinstance(self.truth, Stopped):
            self.transfer = step(self.transfer, self.truth)

    @rule()
    def caller_cancels(self) -> None:
        if self.transfer.state.final:
            with pytest.raises(IllegalMove):
                step(self.transfer, CancelRequested(self.tick()))
        else:
            self.transfer = step(self.transfer, CancelRequested(self.tick()))
            self.asked = True

    @rule()
    def caller_pauses(self) -> None:
        if self.transfer.state.final or self.transfer.state is State.CANCELLING:
            with pytest.raises(IllegalMove):
                step(self.transfer, PauseRequested(self.tick()))
        else:
            self.transfer = step(self.transfer, PauseRequested(self.tick()))
            self.asked = True

    @rule()
    def caller_resumes(self) -> None:
        event = Resumed(self.tick(), f"fence-{self.transfer.attempt + 1}")
        if self.transfer.state is State.PAUSED:
            self.transfer = step(self.transfer, event)
            self.truth, self.asked = None, False
        else:
            with pytest.raises(IllegalMove):
                step(self.transfer, event)

    @rule()
    def caller_retries(self) -> None:
        before = self.transfer
        event = Retried(self.tick(), f"fence-{before.attempt + 1}")
        if before.state in (State.PARTIAL, State.FAILED, State.CANCELLED):
            self.transfer = step(before, event)
            self.truth, self.asked = None, False
            assert self.transfer.attempt == before.attempt + 1
            assert self.transfer.fence != before.fence
        else:
            with pytest.raises(IllegalMove):
                step(before, event)

    @invariant()
    def a_final_state_is_the_truth_and_has_an_end(self) -> None:
        state = self.transfer.state
        assert state.final == (self.transfer.ended_at is not None)
        if state.final:
            expected = {
                Succeeded: State.SUCCEEDED,
                PartlyDone: State.PARTIAL,
                Failed: State.FAILED,
                Stopped: State.CANCELLED,
            }
            assert self.truth is not None
            assert state is expected[type(self.truth)]

    @invariant()
    def only_what_failed_has_a_reason(self) -> None:
        failed = self.transfer.state in (State.FAILED, State.PARTIAL)
        assert bool(self.transfer.reason) == failed

    @invariant()
    def the_order_never_changes(self) -> None:
        assert self.transfer.order == ORDER


TestLife = Life.TestCase
