"""Relays of which a test says how they answer."""

from dataclasses import dataclass, field

from cloudcopy.domain.errors import Conflict
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.ports.relays import Opened, Wanted


@dataclass
class Relays:
    """`trouble`: why a source refuses; `old`: machines whose agents know no relays."""

    trouble: str = ""
    old: set[MachineId] = field(default_factory=set)
    wanted: list[Wanted] = field(default_factory=list)

    def takes_part(self, machine: MachineId) -> bool:
        return machine not in self.old

    async def open(self, wanted: Wanted) -> Opened:
        self.wanted.append(wanted)
        if self.trouble:
            raise Conflict(self.trouble)
        return Opened("TOKEN", "it")

    def end(self, transfer: TransferId, fence: str, *, target: MachineId) -> None: ...
