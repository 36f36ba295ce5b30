"""The state of record, as the use cases change it.

One `Store` value is one transaction. Every adapter passes
`tests/contracts/test_store*.py`; a promise not tested there is not a promise.
Whatever belongs to another account is not found.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cloudcopy.domain.accounts import Account
from cloudcopy.domain.connection import Connection, ConnectionId
from cloudcopy.domain.errors import Conflict
from cloudcopy.domain.keys import Key, KeyId
from cloudcopy.domain.machine import (
    AccountId,
    Announced,
    Instance,
    InstanceId,
    Machine,
    MachineId,
)
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Progress
from cloudcopy.domain.transfer import Transfer
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.instances import Instances, SshKeys
from cloudcopy.ports.schedules import Schedules
from cloudcopy.ports.vault import Sealed


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a repeated submission the same submission.

    Attributes:
        key: The caller's Idempotency-Key; unique in the account for ever.
        order: A digest of the order; unique in the account while its transfer is live and
            is not asked to stop. None where the same copy may be ordered twice.
        body: A digest of the request, to tell the same key with another body.
    """

    key: str | None = None
    order: str | None = None
    body: str = ""


class Transfers(Protocol):
    async def add(self, transfer: Transfer, once: Once) -> Transfer:
        """Insert `transfer`, or return the one that `once` says it repeats.

        Raises:
            Conflict: ``idempotency_key_reused``: the same key came with another body.
        """
        ...

    async def add_all(self, new: Sequence[tuple[Transfer, Once]]) -> Sequence[Transfer | Conflict]:
        """What `add` returns or raises for each, one after the other; those of one call may
        repeat one another."""
        ...

    async def get(self, id: TransferId, *, account: AccountId | None = None) -> Transfer:
        """Read one and hold it against other writers until the end; None is any account.

        Raises:
            NotFound: no such transfer.
        """
        ...

    async def save(self, transfer: Transfer, *, was: Transfer, at: datetime) -> bool:
        """Write `transfer` if the row still has the state, attempt and fence of `was`, and
        add the change of state to its history.

        Returns:
            False when it has not: somebody else was first, and nothing was written.
        """
        ...

    async def live(self, machine: MachineId) -> Sequence[Transfer]:
        """Every transfer of the machine that has not ended, paused ones too, oldest first."""
        ...

    async def live_of(self, instance: InstanceId) -> Sequence[Transfer]:
        """Every transfer of the instance that has not ended, oldest first."""
        ...

    async def live_on(self, connection: ConnectionId) -> Sequence[Transfer]:
        """Every transfer of the connection that has not ended, oldest first."""
        ...

    async def turns(self, account: AccountId, limits: Limits) -> Mapping[TransferId, MachineId]:
        """Give their turn to waiting transfers of the account while `limits` have room: the
        key that holds the fewest turns first, and of each key its oldest. One that has no room
        holds up no other.

        Returns:
            Whose turn it is now, and their machines, which should be told.
        """
        ...

    async def limit(self, id: TransferId, bwlimit: str) -> None:
        """Change the bandwidth limit of a transfer that has not ended."""
        ...

    async def note(self, id: TransferId, fence: str, progress: Progress, *, at: datetime) -> None:
        """Keep the latest numbers of a live attempt. A stale fence changes nothing."""
        ...


class Ledgers(Protocol):
    async def put(
        self, id: TransferId, attempt: int, number: int, data: bytes, *, rows: int
    ) -> None:
        """Keep one chunk (`wire.ledger`). The same number again changes nothing."""
        ...

    async def count(self, id: TransferId, attempt: int) -> int:
        """How many chunks there are without a gap, from number 0 on."""
        ...

    async def prune(self, *, before: datetime) -> int:
        """Forget chunks of ledgers whose transfers ended before `before`, a bounded number of
        them; returns how many. 0: there are no more."""
        ...


class Connections(Protocol):
    async def add(
        self,
        *,
        account: AccountId,
        name: str,
        cloud_type: str,
        root: str,
        shown: Mapping[str, str],
        at: datetime,
    ) -> Connection:
        """Insert without secrets; `seal` follows once the id is known.

        Raises:
            Conflict: ``name_taken``.
        """
        ...

    async def seal(self, id: ConnectionId, sealed: Sealed) -> None: ...

    async def get(self, id: ConnectionId, *, account: AccountId) -> Connection:
        """Raises NotFound."""
        ...

    async def named(self, name: str, *, account: AccountId) -> Connection | None:
        """The one of that name; None when there is none."""
        ...

    async def remove(self, id: ConnectionId) -> None:
        """Forget its secrets for ever and its name from lists; old transfers still show it."""
        ...


class Machines(Protocol):
    async def add_token(
        self, digest: bytes, *, account: AccountId, expires_at: datetime
    ) -> None: ...

    async def enrol(self, digest: bytes, *, public_key: bytes, name: str, at: datetime) -> Machine:
        """Trade a join token for a machine. The same token with the same key, again, is the
        same machine: an answer that was lost can be asked for once more.

        Raises:
            Forbidden: the token is unknown, expired, or was used with another key.
        """
        ...

    async def get(self, id: MachineId, *, account: AccountId | None = None) -> Machine:
        """Raises NotFound."""
        ...

    async def connected(self, id: MachineId, *, at: datetime) -> int:
        """Draw the next epoch for a socket that has just proven its key."""
        ...

    async def seen(self, when: Mapping[MachineId, datetime]) -> None: ...

    async def announce(
        self, id: MachineId, instances: Sequence[Announced], *, at: datetime
    ) -> Sequence[Instance]:
        """Create or update the machine's announced instances by label; those not named become
        OFFLINE. Returns the named ones, in order."""
        ...

    async def instances(
        self, ids: Collection[InstanceId], *, account: AccountId
    ) -> Sequence[Instance]:
        """Those of `ids` that `instance` finds, in any order."""
        ...

    async def instance(self, id: InstanceId, *, account: AccountId) -> Instance:
        """Raises NotFound, and of that Destroyed."""
        ...


class Keys(Protocol):
    async def add(self, key: Key) -> Key:
        """Returns it with its number."""
        ...

    async def get(self, id: KeyId) -> Key | None: ...

    async def revoke(
        self, id: KeyId, *, account: AccountId, at: datetime, spared: KeyId | None = None
    ) -> Sequence[KeyId]:
        """Revoke it, and every key that was made with it or with one of those. Idempotent.

        Args:
            spared: This one of those is left, with what was made with it.

        Returns:
            All that are revoked now, the key itself among them.

        Raises:
            NotFound: the account has no such key.
        """
        ...

    async def used(self, when: Mapping[KeyId, datetime]) -> None:
        """Note when keys were last used. An earlier time changes nothing."""
        ...


class Accounts(Protocol):
    async def add(self, name: str, *, operator: bool) -> Account:
        """Raises Conflict: ``name_taken``."""
        ...

    async def get(self, id: AccountId) -> Account:
        """Raises NotFound."""
        ...


class Store(Protocol):
    """One transaction over everything. The parts share it."""

    @property
    def transfers(self) -> Transfers: ...
    @property
    def ledgers(self) -> Ledgers: ...
    @property
    def connections(self) -> Connections: ...
    @property
    def machines(self) -> Machines: ...
    @property
    def instances(self) -> Instances: ...
    @property
    def ssh_keys(self) -> SshKeys: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def schedules(self) -> Schedules: ...


class OpenStore(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[Store]:
        """Begin a write. Commits on a clean exit; rolls back on any exception.

        Raises:
            Unavailable: the database cannot be reached or stayed locked.
        """
        ...
