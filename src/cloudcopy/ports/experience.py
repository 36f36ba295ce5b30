"""What this machine remembers about stores between copies, and what is measured of it now."""

from dataclasses import dataclass
from typing import Protocol

from cloudcopy.domain.experience import Learnt
from cloudcopy.domain.tuning import Capacity


class Experience(Protocol):
    """Safe to lose at any time; nothing here raises for a disk that fails."""

    async def recall(self, place: str) -> Learnt:
        """Of a store (`domain.experience.place_of`); an empty one where nothing is known."""
        ...

    async def learn(self, place: str, learnt: Learnt) -> None:
        """Remember it instead of what was known before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Counters at one moment; only the difference of two means anything.

    Attributes:
        busy_seconds: That the cores which may be used have worked, together, for whomever.
        io_stalled_seconds: In which something waited for a disk; None where the kernel does
            not tell.
    """

    busy_seconds: float = 0.0
    io_stalled_seconds: float | None = None


class Machine(Protocol):
    """Blocking, but never for longer than reading a file of the kernel takes."""

    def capacity(self) -> Capacity: ...

    def load(self, pid: int) -> Load:
        """Now; `pid` is the mover's."""
        ...
