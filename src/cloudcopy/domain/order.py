"""What can be asked for: which two sides, in which direction, and what to do with them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.paths import InstancePath, RemotePath

TransferId = NewType("TransferId", str)  # "t_" and a ULID: sorts by creation time


class Direction(StrEnum):
    TO_CLOUD = "instance_to_cloud"
    TO_INSTANCE = "cloud_to_instance"


class Work(StrEnum):
    """What is to be done with the two sides."""

    TRANSFER = "transfer"
    PLAN = "plan"  # list what a transfer would do, do nothing
    CHECK = "check"  # compare both sides, do nothing


class Mode(StrEnum):
    COPY = "copy"  # never deletes
    MIRROR = "mirror"  # also deletes what only the destination has


class Verify(StrEnum):
    """How files that were sent are proven after a transfer, at most."""

    NONE = "none"
    SIZE = "size"
    HASH = "hash"  # where both sides have one in common, else by size


class Scope(StrEnum):
    """Which files an attempt is about."""

    ALL = "all"
    FAILED = "failed"  # those that the attempt before it left as failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a plan showed, for the transfer that carries it out.

    Attributes:
        plan: The transfer that made the plan.
        source, destination: Digests (`domain.merkle`) of both sides' listings at that time.
        deletions: How many files it would delete.
    """

    plan: str
    source: str
    destination: str
    deletions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for. Never changes once accepted."""

    instance: InstanceId
    connection: ConnectionId
    direction: Direction
    local: InstancePath
    remote: RemotePath
    flags: Flags
    work: Work = Work.TRANSFER
    mode: Mode = Mode.COPY
    verify: Verify = Verify.HASH
    agreed: Agreed | None = None  # the plan that is carried out; always set for a mirror
