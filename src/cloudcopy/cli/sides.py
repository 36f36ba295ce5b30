"""The two sides of an order, as the SDK takes them, and asking for it."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, TypedDict

from cyclopts import Parameter

from cloudcopy.cli.addresses import Route
from cloudcopy.cli.call import Session
from cloudcopy.cli.exits import Refused
from cloudcopy.cli.flags import Flags
from cloudcopy.sdk import DirectionName, LevelName, TransferView

Source = Annotated[str, Parameter(help="The source: @INSTANCE:/path or CONNECTION:path.")]
Destination = Annotated[str, Parameter(help="The destination directory, in the same forms.")]


class Sides(TypedDict):
    instance: str
    connection: str | None
    source_instance: str | None
    direction: DirectionName | None
    src: str
    dst: str
    flags: list[str]
    compare: LevelName | None


async def fits(session: Session, route: Route) -> None:
    """Raises Refused: `s3.101` must not write into a store of another kind."""
    if route.cloud_type is not None and route.connection is not None:
        found = await session.client.connections.get(int(route.connection))
        if found.cloud_type != route.cloud_type:
            raise Refused(
                f"Connection {found.id} ({found.name}) is of type {found.cloud_type}, not "
                f"{route.cloud_type}.",
                next=(
                    f"Write {found.cloud_type}.{found.id}: or {found.name}: if that is the one "
                    "you mean.",
                ),
            )


async def sides(session: Session, route: Route, flags: Flags, compare: LevelName | None) -> Sides:
    """Raises Refused, as `fits`."""
    await fits(session, route)
    return Sides(
        instance=route.instance,
        connection=route.connection,
        source_instance=route.source_instance,
        direction=route.direction,
        src=route.src,
        dst=route.dst,
        flags=flags.words(),
        compare=compare,
    )


async def accepted(session: Session, asked: Awaitable[TransferView]) -> TransferView:
    """What the server accepted."""
    try:
        return await asked
    except asyncio.CancelledError:
        session.terminal.say(
            "Interrupted while it was asked for; it may have been accepted.\n"
            "  See: cloudcopy transfer list"
        )
        raise
