"""Direct copies in the compatible API: `vastai copy` between an instance and a connection, or
between two instances.

They are cloud copies in another spelling: the same order, by the same submit.
"""

from typing import Any

from fastapi import APIRouter, Request

from cloudcopy.control import between, cancels
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Invalid, NotFound
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.order import Direction, Order
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.http.callers import App, Compatible, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v0 import bodies, copies
from cloudcopy.http.v0.sides import Side, refuse_local, side
from cloudcopy.wire.v0 import (
    CloudCopyStarted,
    DirectCopyRequest,
    Refusal,
    StopDirectCopiesRequest,
    Success,
)

router = APIRouter(prefix="/api/v0/commands", tags=["Instances"])


@router.put(
    "/copy_direct/",
    summary="copy",
    operation_id="copyDirect",
    response_model=CloudCopyStarted,
    responses={400: {"model": Refusal, "description": "Nothing was started; `msg` says why."}},
    openapi_extra=bodies.documented(DirectCopyRequest),
)
@needs("instance_write", "api.instance.copy")
async def start(request: Request, caller: Compatible, app: App) -> CloudCopyStarted:
    """Copy what is inside `src_path` into `dst_path`. At least one side is an instance."""
    body = await bodies.read(request)
    src = await side(body, "src_id", caller=caller, app=app)
    dst = await side(body, "dst_id", caller=caller, app=app)
    if src.instance is not None and dst.instance is not None:
        src = Side(connection=await _source(src.instance, caller, app))
    order, fields = _order(body, src, dst)
    return await copies.begun(order, fields, request, caller, app)


async def _source(instance: InstanceId, caller: Caller, app: Services) -> ConnectionId:
    """What stands for the source of a copy from instance to instance."""
    try:
        return await between.standing_for(instance, caller=caller, desk=app.transfers)
    except NotFound as error:
        raise Invalid("src_id", str(error), code=error.code) from None


def _order(body: dict[str, Any], src: Side, dst: Side) -> tuple[Order, tuple[str, str]]:
    """The order, and what the body calls its instance and its connection."""
    if src.instance is not None and dst.connection is not None:
        instance, connection, direction = src.instance, dst.connection, Direction.TO_CLOUD
        here, there = "src", "dst"
    elif src.connection is not None and dst.instance is not None:
        instance, connection, direction = dst.instance, src.connection, Direction.TO_INSTANCE
        here, there = "dst", "src"
    else:
        raise _two_connections()
    local, remote = f"{here}_path", f"{there}_path"
    order = Order(
        instance=instance,
        connection=connection,
        direction=direction,
        local=InstancePath.parse(bodies.text(body, local), field=local),
        remote=RemotePath.parse(bodies.text(body, remote), field=remote),
        flags=Flags.parse([]),
    )
    return order, (f"{here}_id", f"{there}_id")


def _two_connections() -> Invalid:
    return Invalid(
        "dst_id",
        "both sides are connections; a copy has an instance at one end, whose machine does it",
        code="two_connections",
        next=("Go through an instance in two steps, C.ID in the place of one of the two.",),
    )


@router.delete(
    "/copy_direct/",
    summary="cancel copy",
    operation_id="cancelCopyDirect",
    response_model=Success,
    responses={400: {"model": Refusal}, 404: {"model": Refusal}},
    openapi_extra=bodies.documented(StopDirectCopiesRequest),
)
@needs("instance_write", "api.instance.cancel_copy")
async def stop(request: Request, caller: Compatible, app: App) -> Success:
    """Stop every copy into an instance, or into a connection."""
    body = await bodies.read(request)
    if isinstance(body.get("dst_id"), str):
        body |= {"dst_id": body["dst_id"].partition(":")[0]}  # the help writes `101:/path`
    return copies.stopped(
        await _stop(await side(body, "dst_id", caller=caller, app=app), caller, app)
    )


async def _stop(place: Side, caller: Caller, app: Services) -> int:
    if place.instance is not None:
        return await cancels.into_instance(place.instance, caller=caller, desk=app.transfers)
    assert place.connection is not None  # noqa: S101 - one of both is set
    return await cancels.into_connection(place.connection, caller=caller, desk=app.transfers)


@router.put(
    "/rsync/",
    summary="copy from or to your own machine (refused)",
    operation_id="copyRsync",
    response_model=Success,
    responses={400: {"model": Refusal, "description": "Always; `msg` says what to do instead."}},
    openapi_extra=bodies.documented(DirectCopyRequest),
)
@needs("instance_write", "api.instance.copy")
async def rsync(request: Request, caller: Compatible) -> Success:
    """What clients ask for when a side of `copy` has no prefix: it is their own machine."""
    body = await bodies.read(request)
    refuse_local("src_id" if body.get("src_id") is None else "dst_id")
