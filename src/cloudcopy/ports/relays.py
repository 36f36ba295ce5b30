"""Relays: the bytes of copies between two machines, passed on by the control plane."""

from dataclasses import dataclass, field
from typing import Protocol

from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A relay for one attempt.

    Attributes:
        target, source: The machines at its ends.
        label, path: What of the source's machine is read.
    """

    transfer: TransferId
    attempt: int
    fence: str
    target: MachineId
    source: MachineId
    label: str
    path: str


@dataclass(frozen=True, slots=True)
class Opened:
    """`name`: the source is that single file; empty for a directory."""

    token: str = field(repr=False)
    name: str


class Relays(Protocol):
    """Those of this process: both agents are connected to it. Nothing of them is durable."""

    def takes_part(self, machine: MachineId) -> bool:
        """Whether the agent there, if it is connected, knows copies between instances."""
        ...

    async def open(self, wanted: Wanted) -> Opened:
        """Have the source served. Asked again for the same attempt, it is the same relay.

        A source that is away is waited for, for some seconds.

        Raises:
            Conflict: the source is not connected, too old, or refuses; says why.
        """
        ...

    def end(self, transfer: TransferId, fence: str, *, target: MachineId) -> None:
        """The attempt is over: end its relay, if it has one."""
        ...
