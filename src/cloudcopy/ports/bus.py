"""What may be lost: doorbells, and the live numbers of running copies.

No use case depends on any of it. An adapter never raises: it is allowed to forget.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Progress


class Doorbell(Protocol):
    """One listener's end. Rings that nobody has waited for yet count as one."""

    async def wait(self, seconds: float) -> bool:
        """True on a ring, False when `seconds` have passed without one."""
        ...


class Watch(Doorbell, Protocol):
    """One watcher's end: a doorbell that tells its two kinds of rings apart."""

    def moved(self) -> bool:
        """Whether a change of state was among the rings since this was last asked."""
        ...


class Bus(Protocol):
    def ring(self, machine: MachineId) -> None:
        """Hint that the machine's desired state changed."""
        ...

    def listen(self, machine: MachineId) -> AbstractContextManager[Doorbell]:
        """Hear the machine's rings from now on."""
        ...

    def moved(self, transfer: TransferId) -> None:
        """Hint that the transfer's state changed: whoever watches it looks again."""
        ...

    def watch(self, transfer: TransferId) -> AbstractContextManager[Watch]:
        """Hear of the transfer's numbers and changes of state from now on."""
        ...

    def publish(self, transfer: TransferId, progress: Progress) -> None:
        """Replace the latest numbers of `transfer`."""
        ...

    def latest(self, transfer: TransferId) -> Progress | None:
        """The numbers last published, if they are still remembered."""
        ...

    def forget(self, transfer: TransferId) -> None:
        """The transfer ended: drop its numbers."""
        ...
