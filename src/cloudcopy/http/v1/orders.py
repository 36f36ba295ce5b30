"""From the two sides in a body to an order."""

from cloudcopy.control import between, queries
from cloudcopy.domain.compare import Level, level_of, with_level
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.order import Direction, Mode, Order, Verify, Work
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.http.services import Services
from cloudcopy.wire.v1 import NewCheck, NewPlan, NewSchedule, NewTransfer, Sides


async def transfer(body: NewTransfer, *, caller: Caller, app: Services) -> Order:
    """Raises Rejected, as every function here does."""
    flags = _flags(body, Level.MTIME)
    mode, verify = Mode(body.mode), Verify(body.verify)
    return await _order(body, Work.TRANSFER, flags, caller, app, mode=mode, verify=verify)


async def schedule(body: NewSchedule, *, caller: Caller, app: Services) -> Order:
    flags, verify = _flags(body, Level.MTIME), Verify(body.verify)
    return await _order(body, Work.TRANSFER, flags, caller, app, verify=verify)


async def plan(body: NewPlan, *, caller: Caller, app: Services) -> Order:
    flags = _flags(body, Level.MTIME)
    return await _order(body, Work.PLAN, flags, caller, app, mode=Mode(body.mode))


async def check(body: NewCheck, *, caller: Caller, app: Services) -> Order:
    return await _order(body, Work.CHECK, _flags(body, Level.CHECKSUM), caller, app)


def _flags(body: Sides, unless_told: Level) -> Flags:
    flags = Flags.parse(body.flags)
    if body.compare is not None:
        return with_level(flags, Level(body.compare))
    return with_level(flags, unless_told) if level_of(flags) is Level.MTIME else flags


async def _order(
    body: Sides,
    work: Work,
    flags: Flags,
    caller: Caller,
    app: Services,
    *,
    mode: Mode = Mode.COPY,
    verify: Verify = Verify.HASH,
) -> Order:
    instance = await queries.instance_id(body.instance, caller=caller, desk=app.queries)
    connection, direction = await _other_side(body, caller, app)
    upload = direction is Direction.TO_CLOUD
    here, there = ("src", "dst") if upload else ("dst", "src")
    return Order(
        instance=instance,
        connection=connection,
        direction=direction,
        local=InstancePath.parse(getattr(body, here), field=here),
        remote=RemotePath.parse(getattr(body, there), field=there),
        flags=flags,
        work=work,
        mode=mode,
        verify=verify,
    )


async def _other_side(body: Sides, caller: Caller, app: Services) -> tuple[ConnectionId, Direction]:
    """Raises Invalid where the body does not name exactly one."""
    if body.source_instance is None:
        if body.connection is None:
            raise Invalid("connection", "is required, or `source_instance` in its place")
        if body.direction is None:
            raise Invalid("direction", "is required with a connection")
        found = await queries.connection(body.connection, caller=caller, desk=app.queries)
        return found.id, Direction(body.direction)
    if body.connection is not None:
        raise Invalid("connection", "must be left out with `source_instance`")
    if body.direction not in (None, Direction.TO_INSTANCE.value):
        raise Invalid("direction", "must be left out with `source_instance`")
    source = await queries.instance(body.source_instance, caller=caller, desk=app.queries)
    standing = await between.standing_for(source.instance.id, caller=caller, desk=app.transfers)
    return standing, Direction.TO_INSTANCE
