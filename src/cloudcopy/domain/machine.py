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


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A root directory on a machine. A copy works on a stopped one too.

    Attributes:
        root: The directory on the host, as its agent announced it; for the owner's eyes only.
    """

    id: InstanceId
    account: AccountId
    machine: MachineId
    label: str
    root: str
    actual_status: ActualStatus
    created_at: datetime


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
