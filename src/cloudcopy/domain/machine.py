"""Machines, the instances on them, and the tokens that let a machine in."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from cloudcopy.domain.errors import Invalid

AccountId = NewType("AccountId", int)
MachineId = NewType("MachineId", int)
InstanceId = NewType("InstanceId", int)  # unique in the account, never used again

MAX_ID: Final = 2**63 - 1  # what a database keeps as an integer; no id is larger
JOIN_TOKEN_LIFE: Final = timedelta(minutes=30)  # long enough to paste it into a new box
MAX_INSTANCES_PER_MACHINE: Final = 256

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


class ActualStatus(StrEnum):
    """What an instance is doing, in the compatible API's words."""

    LOADING = "loading"
    RUNNING = "running"
    STOPPED = "stopped"
    FROZEN = "frozen"
    EXITED = "exited"
    REBOOTING = "rebooting"
    UNKNOWN = "unknown"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A host that runs one agent. Times are aware and in UTC.

    Attributes:
        public_key: Raw Ed25519 key, 32 bytes; the private half never leaves the machine.
        epoch: Counts the agent's connections; only the newest may speak.
        seen_at: The last time its agent said anything. Old means silent, not dead.
    """

    id: MachineId
    account: AccountId
    name: str
    public_key: bytes
    epoch: int
    created_at: datetime
    seen_at: datetime | None = None


class Intended(StrEnum):
    """What its owner wants of a created instance."""

    RUNNING = "running"
    STOPPED = "stopped"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What only an instance has that was created here, not announced by its machine.

    Attributes:
        name: What its machine calls it; begins with ``~``, as no label does. Never changes.
        boot: Counts the starts and reboots that were asked for; tells old reports from new.
        onstart: A script for sh, run at each boot.
        args: Of the image's entrypoint; for containers only.
        text: Why its status is what it is, as its machine said; for people.
    """

    name: str
    intended: Intended
    boot: int = 1
    image: str = ""
    onstart: str = ""
    args: tuple[str, ...] = ()
    disk_gb: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A root directory on a machine. A copy works on a stopped one too.

    Attributes:
        label: Unique on its machine for one that was announced; a created one may have any, or
            none (``""``).
        root: The directory on the host, as its agent announced it; for the owner's eyes only.
            Empty for a created one: only its machine knows.
        created: None where the machine announced it.
    """

    id: InstanceId
    account: AccountId
    machine: MachineId
    label: str
    root: str
    actual_status: ActualStatus
    created_at: datetime
    created: Created | None = None

    @property
    def name(self) -> str:
        """What its machine calls it."""
        return self.created.name if self.created else self.label


@dataclass(frozen=True, slots=True)
class Announced:
    """An instance as its agent describes it."""

    label: str
    root: str
    actual_status: ActualStatus


def checked_label(text: str, *, field: str) -> str:
    """A label fit for addresses such as ``@gpu-box:/data``.

    Raises:
        Invalid: it is empty, too long, all digits, or has a character other than ``A-Za-z0-9._-``.
    """
    if not _LABEL.fullmatch(text):
        raise Invalid(
            field,
            f"{text[:80]!r} must be 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
        )
    if text.isdigit():
        raise Invalid(field, f"{text!r} is all digits and would be read as an id")
    return text
