"""`cloudcopy copy`, and `cloudcopy cloud copy` with the words of the compatible API."""

from collections.abc import Callable
from typing import Annotated, Final

from cyclopts import App, Parameter

from cloudcopy.cli import addresses, watching
from cloudcopy.cli.addresses import Route
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.exits import Refused
from cloudcopy.cli.flags import NO_FLAGS, Bwlimit, Compare, Flags, Verify
from cloudcopy.cli.sides import Destination, Source, accepted, sides
from cloudcopy.cli.watching import Detach
from cloudcopy.sdk import DirectionName

cloud = App(name="cloud", help_epilogue="")

_DIRECTIONS: Final[dict[str, DirectionName]] = {
    "instance to cloud": "instance_to_cloud",
    "cloud to instance": "cloud_to_instance",
}


def copy(
    src: Source,
    dst: Destination,
    /,
    *,
    detach: Detach = False,
    compare: Compare = None,
    verify: Verify = "hash",
    bwlimit: Bwlimit = "",
    flags: Flags = NO_FLAGS,
    options: Options = NO_OPTIONS,
) -> Call:
    """The words for people are in `app`: `cloudcopy --help` shows them without importing this."""
    return _call(
        lambda: addresses.route(src, dst),
        detach=detach,
        compare=compare,
        verify=verify,
        bwlimit=bwlimit,
        flags=flags,
        options=options,
    )


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
    compare: Compare = None,
    verify: Verify = "hash",
    bwlimit: Bwlimit = "",
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

    return _call(
        route,
        detach=detach,
        compare=compare,
        verify=verify,
        bwlimit=bwlimit,
        flags=flags,
        options=options,
    )


def _call(
    route: Callable[[], Route],
    *,
    detach: bool,
    compare: Compare,
    verify: Verify,
    bwlimit: str,
    flags: Flags,
    options: Options,
) -> Call:
    async def work(session: Session) -> int:
        asked = await sides(session, route(), flags, compare)
        transfer = await accepted(
            session, session.client.transfers.create(**asked, verify=verify, bwlimit=bwlimit)
        )
        return await watching.follow_or_leave(session, transfer, detach=detach)

    return Call(options, work)
