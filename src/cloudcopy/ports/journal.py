"""The agent's own durable record of what it accepted and how each ended.

Every write is on disk when the call returns (fsync). The contract suite is
`tests/contracts/test_journal.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cloudcopy.wire.agent import Order, Report


class Standing(StrEnum):
    ACCEPTED = "accepted"  # will be started; may have been
    STARTED = "started"  # a process was running when we last wrote
    ENDED = "ended"  # its report waits for the acknowledgement
    SETTLED = "settled"  # acknowledged; kept so that it never starts again


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt. `report` is its last report: None before it ended."""

    order: Order
    standing: Standing
    report: Report | None = None


class Journal(Protocol):
    async def accept(self, order: Order) -> bool:
        """Record an attempt before anything is started for it.

        Returns:
            False when (transfer, attempt) is there already, in any standing; nothing changes.
        """
        ...

    async def started(self, transfer: str, attempt: int) -> None: ...

    async def ended(self, report: Report) -> None:
        """Record how it ended. The first end stays."""
        ...

    async def settle(self, transfer: str, attempt: int) -> None:
        """The control plane has acknowledged the end."""
        ...

    async def get(self, transfer: str, attempt: int) -> Entry | None: ...

    async def unfinished(self) -> Sequence[Entry]:
        """ACCEPTED and STARTED, oldest first: what to resume after a start."""
        ...

    async def unsettled(self) -> Sequence[Entry]:
        """ENDED and not yet acknowledged, oldest first: what to report again."""
        ...

    async def prune(self, *, before: datetime) -> int:
        """Forget SETTLED attempts that ended before `before`; returns how many."""
        ...
