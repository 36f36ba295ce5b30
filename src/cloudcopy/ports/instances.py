"""Created instances, SSH keys, offers and questions: what is changed, and what is looked at.

Part of `ports.store` and `ports.reads`, with the same promises; the contract suite is
`tests/contracts/test_store_instances.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cloudcopy.domain.machine import (
    AccountId,
    Created,
    Instance,
    InstanceId,
    Machine,
    MachineId,
)
from cloudcopy.domain.offer import Hardware
from cloudcopy.domain.question import Question, QuestionId
from cloudcopy.domain.ssh import SshKey, SshKeyId
from cloudcopy.ports.vault import Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSeen:
    """A created instance that its machine must know of.

    Attributes:
        keys: Lines of its ``authorized_keys``.
        busy: A transfer of it has not ended: it must not be destroyed yet.
    """

    instance: Instance
    sealed_env: Sealed | None
    keys: Sequence[str]
    busy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSeen:
    """A machine on which instances can be created. `instances`: how many are on it already."""

    machine: Machine
    hardware: Hardware
    instances: int


class Instances(Protocol):
    async def describe(self, machine: MachineId, hardware: Hardware | None) -> None:
        """Keep what the machine offers; None: nothing can be created on it."""
        ...

    async def offer(self, machine: MachineId, *, account: AccountId) -> OfferSeen:
        """Raises NotFound (``no_such_offer``) where the machine offers nothing."""
        ...

    async def add(
        self, *, account: AccountId, machine: MachineId, label: str, created: Created, at: datetime
    ) -> Instance:
        """Insert it as LOADING; its id was never used before."""
        ...

    async def seal(self, id: InstanceId, env: Sealed) -> None: ...

    async def get(self, id: InstanceId, *, account: AccountId) -> Instance:
        """Read one and hold it. Raises NotFound, and of that Destroyed."""
        ...

    async def named(self, machine: MachineId, name: str) -> Instance | None:
        """The created instance that the machine calls so, until it is gone; hold it."""
        ...

    async def save(self, instance: Instance) -> None:
        """Write label, status, and what `Created` holds."""
        ...

    async def gone(self, id: InstanceId, *, at: datetime) -> None:
        """Its machine has destroyed it: nobody tells it of it again; its secrets go."""
        ...

    async def attach(self, id: InstanceId, keys: Sequence[SshKeyId]) -> None:
        """Put keys into it. Idempotent."""
        ...

    async def detach(self, id: InstanceId, key: SshKeyId) -> None:
        """Take a key out of it. Raises NotFound where it is not in it."""
        ...

    async def ask(self, question: Question, *, machine: MachineId) -> None:
        """Keep a question, and forget those that are too old to be read.

        Raises:
            Conflict: ``too_many_questions``: `MAX_OPEN` of the instance wait for an answer.
        """
        ...

    async def forget(self, *, before: datetime) -> None:
        """Remove the questions that were asked before then, with their answers."""
        ...

    async def answered(
        self, id: QuestionId, *, machine: MachineId, answer: str, at: datetime
    ) -> None:
        """Keep the first answer. Nothing is kept where the machine was not asked."""
        ...


class SshKeys(Protocol):
    async def add(self, public_key: str, *, account: AccountId, at: datetime) -> SshKey:
        """Insert it; the same key twice is the same row.

        Raises:
            Conflict: ``too_many_ssh_keys``.
        """
        ...

    async def all(self, account: AccountId) -> Sequence[SshKey]:
        """Oldest first, without those that were removed."""
        ...

    async def change(self, id: SshKeyId, public_key: str, *, account: AccountId) -> SshKey:
        """Raises NotFound."""
        ...

    async def remove(self, id: SshKeyId, *, account: AccountId) -> None:
        """Take it from the account; what it was placed in keeps it. Raises NotFound."""
        ...


class InstanceReads(Protocol):
    async def wanted(self, machine: MachineId) -> Sequence[WantedSeen]:
        """Every created instance of the machine that is not gone, oldest first."""
        ...

    async def offers(self, account: AccountId) -> Sequence[OfferSeen]:
        """By machine, oldest first."""
        ...

    async def ssh_keys(self, account: AccountId) -> Sequence[SshKey]:
        """Oldest first."""
        ...

    async def keys_of(self, id: InstanceId) -> Sequence[SshKey]:
        """The keys in an instance, oldest first."""
        ...

    async def unanswered(
        self, machine: MachineId, *, since: datetime
    ) -> Sequence[tuple[Question, str]]:
        """What the machine was asked since then and has not answered, oldest first, each with
        what the machine calls the instance."""
        ...

    async def question(self, id: QuestionId) -> Question:
        """Raises NotFound."""
        ...
