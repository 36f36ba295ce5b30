"""`cloudcopy copy`, and `cloudcopy cloud copy` with the words of the compatible API."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Final

from cyclopts import App, Parameter

from cloudcopy.cli import addresses, exits, watching
from cloudcopy.cli.addresses import Route
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.exits import Refused
from cloudcopy.cli.flags import NO_FLAGS, Flags
from cloudcopy.sdk import DirectionName

cloud = App(name="cloud", help_epilogue="")

_DIRECTIONS: Final[dict[str, DirectionName]] = {
    "instance to cloud": "instance_to_cloud",
    "cloud to instance": "cloud_to_instance",
}

Detach = Annotated[
    bool,
    Parameter(negative=(), show_default=False, help="Do not wait: print the transfer's id."),
]


def copy(
    src: Annotated[str, Parameter(help="What to copy: @INSTANCE:/path or CONNECTION:path.")],
    dst: Annotated[str, Parameter(help="The directory to copy into, on the other side.")],
    /,
    *,
    detach: Detach = False,
    flags: Flags = NO_FLAGS,
    options: Options = NO_OPTIONS,
) -> Call:
    """The words for people are in `app`: `cloudcopy --help` shows them without importing this."""
    return _call(lambda: addresses.route(src, dst), detach=detach, flags=flags, options=options)


@cloud.command(name="copy")
def cloud_copy(
    instance: Annotated[str, Parameter(help="The instance: id or label.")],
    src: Annotated[str, Parameter(help="What to copy, a path on the source's side.")],
    dst: Annotated[str, Parameter(help="The directory to copy into, a path on the other.")],
    *,
    connection: Annotated[str, Parameter(help="The cloud connection: id or name.")],
    transfer: Annotated[
        str, Parameter(help="'Instance To Cloud' or 'Cloud To Instance', in any case.")
    ] = "Instance To Cloud",
    detach: Detach = False,
    flags: Flags = NO_FLAGS,
    options: Options = NO_OPTIONS,
) -> Call:
    """Copy between an instance and a cloud store, and wait for it.

    The form of the compatible API: `cloud copy INSTANCE SRC DST --connection ID`.
    """

    def route() -> Route:
        direction = _DIRECTIONS.get(" ".join(transfer.lower().split()))
        if direction is None:
            raise Refused(
                f"--transfer {transfer!r} is no direction.",
                next=("Write 'Instance To Cloud' or 'Cloud To Instance'.",),
            )
        return Route(instance, connection, direction, src, dst, cloud_type=None)

    return _call(route, detach=detach, flags=flags, options=options)


def _call(route: Callable[[], Route], *, detach: bool, flags: Flags, options: Options) -> Call:
    async def work(session: Session) -> int:
        terminal = session.terminal
        id = await _start(session, route(), flags.words(), shown=options.json and detach)
        if not detach:
            return await watching.follow(session, id)
        if not options.json:
            terminal.line(id)
        terminal.say(f"Follow it: cloudcopy transfer watch {id}")
        return exits.DONE

    return Call(options, work)


async def _start(session: Session, route: Route, flags: list[str], *, shown: bool) -> str:
    """Ask for the copy; its id. `shown` writes the accepted transfer as JSON."""
    if route.cloud_type is not None:
        await _must_be(session, int(route.connection), route.cloud_type)
    try:
        transfer = await session.client.transfers.create(
            instance=route.instance,
            connection=route.connection,
            direction=route.direction,
            src=route.src,
            dst=route.dst,
            flags=flags,
        )
    except asyncio.CancelledError:
        session.terminal.say(
            "Interrupted while the copy was asked for; it may have been accepted.\n"
            "  See: cloudcopy transfer list"
        )
        raise
    if shown:
        session.terminal.data(transfer.model_dump(mode="json"))
    return transfer.id


async def _must_be(session: Session, id: int, cloud_type: str) -> None:
    """`s3.101` must not write into a store of another kind."""
    found = await session.client.connections.get(id)
    if found.cloud_type != cloud_type:
        raise Refused(
            f"Connection {id} ({found.name}) is of type {found.cloud_type}, not {cloud_type}.",
            next=(f"Write {found.cloud_type}.{id}: or {found.name}: if that is the one you mean.",),
        )
