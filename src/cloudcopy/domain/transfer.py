"""The life of one transfer.

Rule 1: every rule about states lives in this file, and most of it in `TABLE`.
Rule 2: this file does no I/O and reads no clock. `step` is a function: the same
transfer and the same event always give the same answer.

            Started              Succeeded
    QUEUED ---------> RUNNING ------------> SUCCEEDED      from any live state:
      |  ^               |                                   PartlyDone --> PARTIAL
      |  | Retried,      | CancelRequested                   Failed or
      |  | Resumed       | or PauseRequested                 GivenUp -----> FAILED
      v  | (new attempt) v
    CANCELLING, PAUSING <-
      | Stopped
      v
    CANCELLED,  PAUSED ---> (Resumed) QUEUED

Reports are repeated until acknowledged, so each pair (state, event) has one of three
answers: the next state; STALE, "already known, do nothing"; or absent from the
table, "this must not happen". A bare table of legal moves cannot tell the last
two apart, and mistaking one for the other either drops the truth or kills a
healthy transfer.

The host's word wins over the caller's wish: a copy that finished before the cancel
reached it is SUCCEEDED, not CANCELLED. A pause is a stop that keeps the transfer open: what
has arrived stays, and `Resumed` draws an attempt that goes on from there. A host that went
silent is silent, not dead: nothing here ends a transfer because time has passed.

There are no effects to carry out: the saved state is itself the command (`want`),
and agents are told it until they have done it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from cloudcopy.domain.errors import Conflict
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.machine import AccountId, MachineId
from cloudcopy.domain.order import Order, Scope, TransferId
from cloudcopy.domain.progress import Phase, Progress, Result


class State(StrEnum):
    QUEUED = "queued"  # stored here; the host has not started it yet
    RUNNING = "running"  # the host said the copy is running
    PAUSING = "pausing"  # asked to pause; the host has not confirmed
    PAUSED = "paused"  # nothing runs; waits for somebody to resume it
    CANCELLING = "cancelling"  # asked to stop; the host has not confirmed
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"  # some files are there and verified, some are not
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELLED)

    @property
    def want(self) -> Literal["run", "stop"]:
        """What the agent should be doing about it while it is told about it."""
        return "run" if self in (State.QUEUED, State.RUNNING) else "stop"

    def told(self, *, admitted: bool) -> bool:
        return self in (State.CANCELLING, State.PAUSING) or (admitted and self.want == "run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One order and how far it has come. All times are aware and in UTC.

    Attributes:
        key: The API key it was asked for with; turns are fair between keys.
        attempt: Counts from 1; a retry draws the next.
        fence: Fresh random value of this attempt. A report without it is stale.
        result: What the attempt did, from its last report; None until it ended.
        admitted: It has its turn (`domain.turns`): its agent is told about it.
        bwlimit: Bytes per second over time (`domain.bandwidth`); empty leaves it to the flags.
    """

    id: TransferId
    account: AccountId
    key: KeyId
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
    admitted: bool = False
    scope: Scope = Scope.ALL
    bwlimit: str = ""

    @property
    def told(self) -> bool:
        """Whether its agent should know about it now."""
        return self.state.told(admitted=self.admitted)

    def shown_as(self, progress: Progress | None) -> str:
        """The one word people are shown: the state, with the phase in place of ``running``."""
        if self.state is not State.RUNNING:
            return self.state
        return progress.phase if progress else Phase.PREPARING


# Events: what happened. Each names a fact in the past tense and when it was so.


@dataclass(frozen=True, slots=True)
class CancelRequested:
    at: datetime


@dataclass(frozen=True, slots=True)
class PauseRequested:
    at: datetime


@dataclass(frozen=True, slots=True)
class Resumed:
    at: datetime
    fence: str


@dataclass(frozen=True, slots=True)
class Started:
    at: datetime


@dataclass(frozen=True, slots=True)
class Succeeded:
    at: datetime
    result: Result


@dataclass(frozen=True, slots=True)
class PartlyDone:
    """It ran to its end; some files are there and verified, and some are not."""

    at: datetime
    reason: str
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
    scope: Scope = Scope.ALL


Event = (
    CancelRequested
    | PauseRequested
    | Resumed
    | Started
    | Succeeded
    | PartlyDone
    | Failed
    | Stopped
    | GivenUp
    | Retried
)


class Stale:
    """The table's answer for an event that tells us nothing new."""


STALE: Final = Stale()

_REPEATED: Final[dict[type[Event], State | Stale]] = {
    Started: STALE,
    Succeeded: STALE,
    PartlyDone: STALE,
    Failed: STALE,
    Stopped: STALE,
    GivenUp: STALE,
}
_ENDS: Final[dict[type[Event], State | Stale]] = {
    Succeeded: State.SUCCEEDED,  # from QUEUED, too: `Started` may be lost with its socket
    PartlyDone: State.PARTIAL,
    Failed: State.FAILED,
    GivenUp: State.FAILED,
}

TABLE: Final[dict[State, dict[type[Event], State | Stale]]] = {
    State.QUEUED: {
        **_ENDS,
        CancelRequested: State.CANCELLING,
        PauseRequested: State.PAUSING,
        Started: State.RUNNING,
    },
    State.RUNNING: {
        **_ENDS,
        CancelRequested: State.CANCELLING,
        PauseRequested: State.PAUSING,
        Started: STALE,
    },
    State.PAUSING: {
        **_ENDS,
        CancelRequested: State.CANCELLING,
        PauseRequested: STALE,
        Started: STALE,
        Stopped: State.PAUSED,
    },
    State.PAUSED: {
        **_REPEATED,
        CancelRequested: State.CANCELLED,
        PauseRequested: STALE,
        Resumed: State.QUEUED,
        GivenUp: State.FAILED,
    },
    State.CANCELLING: {
        **_ENDS,
        CancelRequested: STALE,
        Started: STALE,
        Stopped: State.CANCELLED,
    },
    State.SUCCEEDED: {**_REPEATED},
    State.PARTIAL: {**_REPEATED, Retried: State.QUEUED},
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


_ASKED: Final[dict[type[Event], str]] = {
    CancelRequested: "cancelling it",
    PauseRequested: "pausing it",
    Resumed: "resuming it",
    Retried: "retrying it",
}


def accept(
    id: TransferId,
    order: Order,
    *,
    account: AccountId,
    key: KeyId,
    machine: MachineId,
    fence: str,
    at: datetime,
    bwlimit: str = "",
) -> Transfer:
    """Open the first attempt of a transfer for `order`. It waits for its turn."""
    return Transfer(
        id=id,
        account=account,
        key=key,
        machine=machine,
        order=order,
        state=State.QUEUED,
        attempt=1,
        fence=fence,
        created_at=at,
        bwlimit=bwlimit,
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
    if isinstance(event, Retried | Resumed):
        return _next_attempt(transfer, event)
    return replace(
        transfer,
        state=answer,
        started_at=event.at if answer is State.RUNNING else transfer.started_at,
        ended_at=event.at if answer.final else None,
        reason=_reason(event),
        result=getattr(event, "result", transfer.result),
        admitted=transfer.admitted and not answer.final and answer is not State.PAUSED,
    )


def _next_attempt(transfer: Transfer, event: Retried | Resumed) -> Transfer:
    return replace(
        transfer,
        state=State.QUEUED,
        attempt=transfer.attempt + 1,
        fence=event.fence,
        started_at=None,
        ended_at=None,
        reason="",
        result=None,
        admitted=False,
        scope=event.scope if isinstance(event, Retried) else transfer.scope,
    )


def _reason(event: Event) -> str:
    match event:
        case Failed(reason=reason) | PartlyDone(reason=reason):
            return reason
        case GivenUp():
            return "an operator gave up on this machine; its host may still have copied files"
        case _:
            return ""
