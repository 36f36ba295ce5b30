"""The life of one transfer.

Rule 1: every rule about states lives in this file, and most of it in `TABLE`.
Rule 2: this file does no I/O and reads no clock. `step` is a function: the same
transfer and the same event always give the same answer.

            Started              Succeeded
    QUEUED ---------> RUNNING ------------> SUCCEEDED
      |  ^               |
      |  | Retried       | CancelRequested          Failed or GivenUp, from any
      v  | (new attempt) v                          live state -------> FAILED
    CANCELLING <---------+
      | Stopped
      v
    CANCELLED

Reports are repeated until acknowledged, so each pair (state, event) has one of three
answers: the next state; STALE, "already known, do nothing"; or absent from the
table, "this must not happen". A bare table of legal moves cannot tell the last
two apart, and mistaking one for the other either drops the truth or kills a
healthy transfer.

The host's word wins over the caller's wish: a copy that finished before the cancel
reached it is SUCCEEDED, not CANCELLED. A host that went silent is silent, not dead:
nothing here ends a transfer because time has passed.

There are no effects to carry out: the saved state is itself the command (`want`),
and agents are told it until they have done it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NewType

from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Conflict
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Result

TransferId = NewType("TransferId", str)  # "t_" and a ULID: sorts by creation time


class Direction(StrEnum):
    TO_CLOUD = "instance_to_cloud"
    TO_INSTANCE = "cloud_to_instance"


class State(StrEnum):
    QUEUED = "queued"  # stored here; the host has not started it yet
    RUNNING = "running"  # the host said the copy is running
    CANCELLING = "cancelling"  # asked to stop; the host has not confirmed
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for. Never changes once accepted."""

    instance: InstanceId
    connection: ConnectionId
    direction: Direction
    local: InstancePath
    remote: RemotePath
    flags: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One order and how far it has come. All times are aware and in UTC.

    Attributes:
        attempt: Counts from 1; a retry draws the next.
        fence: Fresh random value of this attempt. A report without it is stale.
        result: What the attempt did, from its last report; None until it ended.
    """

    id: TransferId
    account: AccountId
    machine: MachineId
    order: Order
    state: State
    attempt: int
    fence: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""  # why it FAILED, for people; empty otherwise
    result: Result | None = None

    @property
    def want(self) -> Literal["run", "stop"]:
        """What the agent should be doing about this transfer while it is live."""
        return "stop" if self.state is State.CANCELLING else "run"


# Events: what happened. Each names a fact in the past tense and when it was so.


@dataclass(frozen=True, slots=True)
class CancelRequested:
    at: datetime


@dataclass(frozen=True, slots=True)
class Started:
    at: datetime


@dataclass(frozen=True, slots=True)
class Succeeded:
    at: datetime
    result: Result


@dataclass(frozen=True, slots=True)
class Failed:
    at: datetime
    reason: str
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The copy ended because we told it to."""

    at: datetime
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An operator gave up on the machine. Its host may still be copying."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Retried:
    """Somebody asked for another attempt of a transfer that had ended."""

    at: datetime
    fence: str


Event = CancelRequested | Started | Succeeded | Failed | Stopped | GivenUp | Retried


class Stale:
    """The table's answer for an event that tells us nothing new."""


STALE: Final = Stale()

_REPEATED: Final[dict[type[Event], State | Stale]] = {
    Started: STALE,
    Succeeded: STALE,
    Failed: STALE,
    Stopped: STALE,
    GivenUp: STALE,
}

TABLE: Final[dict[State, dict[type[Event], State | Stale]]] = {
    State.QUEUED: {
        CancelRequested: State.CANCELLING,
        Started: State.RUNNING,
        Succeeded: State.SUCCEEDED,  # `Started` may be lost with its socket
        Failed: State.FAILED,
        GivenUp: State.FAILED,
    },
    State.RUNNING: {
        CancelRequested: State.CANCELLING,
        Started: STALE,
        Succeeded: State.SUCCEEDED,
        Failed: State.FAILED,
        GivenUp: State.FAILED,
    },
    State.CANCELLING: {
        CancelRequested: STALE,
        Started: STALE,
        Succeeded: State.SUCCEEDED,
        Failed: State.FAILED,
        Stopped: State.CANCELLED,
        GivenUp: State.FAILED,
    },
    State.SUCCEEDED: {**_REPEATED},
    State.FAILED: {**_REPEATED, Retried: State.QUEUED},
    State.CANCELLED: {**_REPEATED, Retried: State.QUEUED},
}


class IllegalMove(Conflict):
    """The event cannot happen in this state. From a caller: 409. From a host: a defect."""

    def __init__(self, transfer: Transfer, event: Event) -> None:
        asked = _ASKED.get(type(event), "that")
        super().__init__(
            f"Transfer {transfer.id} is {transfer.state}: {asked} is not possible.",
            code=f"transfer_{transfer.state}",
        )


_ASKED: Final[dict[type[Event], str]] = {CancelRequested: "cancelling it", Retried: "retrying it"}


def accept(
    id: TransferId,
    order: Order,
    *,
    account: AccountId,
    machine: MachineId,
    fence: str,
    at: datetime,
) -> Transfer:
    """Open the first attempt of a transfer for `order`."""
    return Transfer(
        id=id,
        account=account,
        machine=machine,
        order=order,
        state=State.QUEUED,
        attempt=1,
        fence=fence,
        created_at=at,
    )


def step(transfer: Transfer, event: Event) -> Transfer:
    """Apply one event.

    Returns:
        The transfer after the event. A stale event returns the same object.

    Raises:
        IllegalMove: the pair is not in `TABLE`. Nothing has changed.
    """
    answer = TABLE[transfer.state].get(type(event))
    if answer is None:
        raise IllegalMove(transfer, event)
    if isinstance(answer, Stale):
        return transfer
    if isinstance(event, Retried):
        return _next_attempt(transfer, event)
    return replace(
        transfer,
        state=answer,
        started_at=event.at if answer is State.RUNNING else transfer.started_at,
        ended_at=event.at if answer.final else None,
        reason=_reason(event),
        result=event.result if isinstance(event, Succeeded | Failed | Stopped) else None,
    )


def _next_attempt(transfer: Transfer, event: Retried) -> Transfer:
    return replace(
        transfer,
        state=State.QUEUED,
        attempt=transfer.attempt + 1,
        fence=event.fence,
        started_at=None,
        ended_at=None,
        reason="",
        result=None,
    )


def _reason(event: Event) -> str:
    match event:
        case Failed(reason=reason):
            return reason
        case GivenUp():
            return "an operator gave up on this machine; its host may still have copied files"
        case _:
            return ""
