"""Copies from one instance to another.

They are ordinary transfers of the destination's instance. What is a store elsewhere is a
connection here that stands for the source's instance: one for each, made when it is first
needed, without secrets, and seen by nobody as a connection.
"""

from collections.abc import Mapping
from typing import Final

from cloudcopy.domain.connection import INSTANCE, Connection
from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.order import Direction, Order
from cloudcopy.domain.paths import RemotePath

_ID: Final = "instance"

# How the data went, as a result says it.
DIRECT: Final = "from instance to instance, directly on one machine"
RELAYED: Final = (
    "from instance to instance, through the control plane's relay; links and special files of "
    "the source were left out and are not counted"
)


def name(source: InstanceId) -> str:
    """Of the connection that stands for it: how an address names it, and what no caller can
    call a connection."""
    return f"@{source}"


def shown(source: InstanceId) -> Mapping[str, str]:
    """The options of the connection that stands for it."""
    return {_ID: str(source)}


def source_of(connection: Connection) -> InstanceId:
    """The instance that a connection of this type stands for."""
    return InstanceId(int(connection.shown[_ID]))


def source_named(name: str, cloud_type: str) -> InstanceId | None:
    """The instance behind a connection of that name; None for a store."""
    return InstanceId(int(name[1:])) if cloud_type == INSTANCE else None


def check(order: Order, connection: Connection) -> None:
    """Refuse what cannot be copied from the connection's instance to the order's.

    Raises:
        Conflict: the instance would be written to as a store.
        Invalid: one side holds the other.
    """
    if connection.cloud_type != INSTANCE:
        return
    source = source_of(connection)
    if order.direction is not Direction.TO_INSTANCE:
        raise Conflict(
            f"Instance {source} is the source of such a copy, never its destination.",
            code="source_only",
            next=("Ask for the copy with the other instance's id in `instance`.",),
        )
    if source == order.instance and order.remote.overlaps(RemotePath(order.local.value)):
        raise Invalid(
            "dst",
            f"{order.local} and /{order.remote} are both in instance {source}, and one holds the "
            "other",
            code="same_place",
            next=("Choose two places of which neither lies in the other.",),
        )
