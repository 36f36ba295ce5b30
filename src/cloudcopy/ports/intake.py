"""Where orders that come at the same time become durable together."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cloudcopy.domain.errors import CloudCopyError
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import Order
from cloudcopy.domain.transfer import Transfer
from cloudcopy.ports.store import Once, Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """One order, as it is to be accepted."""

    order: Order
    caller: Caller
    once: Once
    bwlimit: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one.

    Attributes:
        turns: The machines to ring once it is committed: those of all turns that were given in
            the same transaction to transfers of its account.
    """

    transfer: Transfer
    turns: Sequence[MachineId]


Outcomes = Coroutine[Any, Any, Sequence[Accepted | CloudCopyError]]


class Accept(Protocol):
    def __call__(self, wanted: Sequence[Wanted], store: Store) -> Outcomes:
        """The outcome of each, in order. One that is refused changes nothing and leaves the
        others be. It waits for nothing but `store`."""
        ...


class Intake(Protocol):
    async def __call__(self, wanted: Wanted) -> Accepted:
        """Accept it in one transaction with what else came meanwhile. It is durable when this
        returns; what becomes of its companions changes nothing for it.

        Raises:
            Rejected: it was refused.
            Unavailable: the database cannot be reached or stayed locked; nothing was changed.
        """
        ...
