"""The life of a transfer, read like sentences."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Result
from cloudcopy.domain.transfer import (
    TABLE,
    CancelRequested,
    Direction,
    Event,
    Failed,
    GivenUp,
    IllegalMove,
    Order,
    Retried,
    Started,
    State,
    Stopped,
    Succeeded,
    Transfer,
    TransferId,
    accept,
    step,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
RESULT = Result(listed=3, copied=3)
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
        TransferId("t_1"), ORDER, account=AccountId(1), machine=MachineId(1), fence="f1", at=T0
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
    assert (asked.state, asked.want, asked.ended_at) == (State.CANCELLING, "stop", None)
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
    assert refused == {
        (State.QUEUED, Stopped),
        (State.RUNNING, Stopped),
        (State.SUCCEEDED, CancelRequested),
        (State.FAILED, CancelRequested),
        (State.CANCELLED, CancelRequested),
        (State.QUEUED, Retried),
        (State.RUNNING, Retried),
        (State.CANCELLING, Retried),
        (State.SUCCEEDED, Retried),
    }


class Life(RuleBasedStateMachine):
    """A host that tells the truth out of order and more than once, and callers who ask."""

    def __init__(self) -> None:
        super().__init__()
        self.transfer = accepted()
        self.clock = T0
        self.truth: Event | None = None  # how this attempt really ended
        self.cancelled = False

    def tick(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    @rule()
    def host_reports_start(self) -> None:
        self.transfer = step(self.transfer, Started(self.tick()))

    @rule(end=st.sampled_from(["succeeded", "failed"]))
    def host_reports_end(self, end: str) -> None:
        if self.truth is None:
            self.truth = (
                Succeeded(self.tick(), RESULT)
                if end == "succeeded"
                else Failed(self.tick(), "because")
            )
        self.transfer = step(self.transfer, self.truth)

    @rule()
    def host_confirms_stop(self) -> None:
        if self.cancelled and self.truth is None:
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
            self.cancelled = True

    @rule()
    def caller_retries(self) -> None:
        before = self.transfer
        event = Retried(self.tick(), f"fence-{before.attempt + 1}")
        if before.state in (State.FAILED, State.CANCELLED):
            self.transfer = step(before, event)
            self.truth, self.cancelled = None, False
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
                Failed: State.FAILED,
                Stopped: State.CANCELLED,
            }
            assert self.truth is not None
            assert state is expected[type(self.truth)]

    @invariant()
    def only_a_failed_one_has_a_reason(self) -> None:
        assert bool(self.transfer.reason) == (self.transfer.state is State.FAILED)

    @invariant()
    def the_order_never_changes(self) -> None:
        assert self.transfer.order == ORDER


TestLife = Life.TestCase
