"""What people look at: read-only, joined, never held against writers.

The contract suite is `tests/contracts/test_reads.py`. Ids that belong to another
account are not found. Lists are newest first unless they say otherwise.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from cloudcopy.domain.accounts import Account
from cloudcopy.domain.connection import Connection, ConnectionId
from cloudcopy.domain.keys import Key, KeyId
from cloudcopy.domain.machine import AccountId, Instance, InstanceId, Machine, MachineId
from cloudcopy.domain.offer import Hardware
from cloudcopy.domain.order import TransferId, Work
from cloudcopy.domain.permissions import ANY, Ids
from cloudcopy.domain.progress import Progress
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.instances import InstanceReads
from cloudcopy.ports.vault import Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSeen:
    """A transfer with the names of what it joins and its stored numbers (up to ~5 s old).

    Attributes:
        instance_name: What the machine calls the instance, where that is not its label.
    """

    transfer: Transfer
    instance_label: str
    connection_name: str
    cloud_type: str
    machine_seen_at: datetime | None
    progress: Progress | None
    instance_name: str | None = None


class Sign(NamedTuple):
    """What makes an agent be told of a transfer anew when it changes."""

    transfer: TransferId
    attempt: int
    fence: str
    want: Literal["run", "stop"]
    bwlimit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSeen:
    """An instance with its machine and its latest transfer (by creation), if any.

    Attributes:
        hardware: The machine's; None where instances cannot be created on it, or no longer.
    """

    instance: Instance
    machine_name: str
    machine_seen_at: datetime | None
    latest: TransferSeen | None
    hardware: Hardware | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFilter:
    """Which transfers to list; None means any."""

    states: frozenset[State] | None = None
    work: Work | None = None
    instance: InstanceId | None = None
    connection: ConnectionId | None = None
    among: Ids = ANY  # the instances that the caller may see
    before: TransferId | None = None  # the cursor: only ids below it
    limit: int = 50


@dataclass(frozen=True, slots=True)
class KeySeen:
    """A key, and whether its account is an operator's."""

    key: Key
    operator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One change of a transfer's state. `number` counts from 1 in each transfer."""

    number: int
    at: datetime
    state: State
    attempt: int
    reason: str


class Reads(InstanceReads, Protocol):
    async def transfer(self, id: TransferId, *, account: AccountId | None) -> TransferSeen:
        """Raises NotFound. None is any account: for result URLs, whose token is the proof."""
        ...

    async def transfers(
        self, account: AccountId, only: TransferFilter
    ) -> Sequence[TransferSeen]: ...

    async def live(
        self, machine: MachineId, *, only: Collection[TransferId] | None = None
    ) -> Sequence[TransferSeen]:
        """Every transfer of the machine that has not ended, oldest first; or those of `only`."""
        ...

    async def signs(self, machine: MachineId) -> Sequence[Sign]:
        """Of every transfer that the machine's agent should know about, oldest first."""
        ...

    async def history(self, id: TransferId, *, after: int = 0) -> Sequence[Moved]:
        """The changes of state with a number above `after`, oldest first; the latest 500."""
        ...

    async def waiting(self, id: TransferId) -> int:
        """How many transfers of its account wait for a turn and came before this one."""
        ...

    async def chunk(self, id: TransferId, attempt: int, number: int) -> bytes | None:
        """One chunk of a ledger (`wire.ledger`); None behind the last."""
        ...

    async def ledgers(self, id: TransferId) -> Sequence[int]:
        """The attempts that have a ledger, the latest first."""
        ...

    async def connections(self, account: AccountId) -> Sequence[Connection]: ...

    async def connection(self, id: ConnectionId, *, account: AccountId) -> Connection:
        """Raises NotFound."""
        ...

    async def sealed(self, id: ConnectionId) -> Sealed:
        """Raises NotFound when there are no secrets, or no longer."""
        ...

    async def machines(self, account: AccountId | None) -> Sequence[Machine]:
        """None is every account's: for operators."""
        ...

    async def machine(self, id: MachineId, *, account: AccountId | None) -> Machine:
        """None is any account. Raises NotFound."""
        ...

    async def instances(
        self, account: AccountId, *, machine: MachineId | None = None
    ) -> Sequence[InstanceSeen]:
        """Without those that are destroyed, or are to be."""
        ...

    async def instance(self, id: InstanceId, *, account: AccountId) -> InstanceSeen:
        """Raises NotFound, and of that Destroyed."""
        ...

    async def keys(self, account: AccountId) -> Sequence[Key]: ...

    async def key(self, id: KeyId) -> KeySeen | None: ...

    async def accounts(self) -> Sequence[Account]:
        """All of them, oldest first."""
        ...

    async def account(self, id: AccountId) -> Account:
        """Raises NotFound."""
        ...
