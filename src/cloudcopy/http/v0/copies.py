"""Cloud copies in the compatible API: start, stop, and the result behind a URL."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from cloudcopy.control import queries, transfers
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Invalid, NotFound
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.order import Direction, Order
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.http.callers import App, Compatible, anyone, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v0 import bodies
from cloudcopy.wire.v0 import (
    CloudCopyRequest,
    CloudCopyStarted,
    Refusal,
    StopCopiesRequest,
    Success,
)

router = APIRouter(prefix="/api/v0", tags=["Instances"])

FIELDS = ("instance_id", "selected")  # what a cloud copy's body calls its two sides
DIRECTIONS = {
    "instance to cloud": Direction.TO_CLOUD,
    "cloud to instance": Direction.TO_INSTANCE,
}


@router.post(
    "/commands/rclone/",
    summary="cloud copy",
    operation_id="cloudCopy",
    response_model=CloudCopyStarted,
    responses={400: {"model": Refusal, "description": "Nothing was started; `msg` says why."}},
    openapi_extra=bodies.documented(CloudCopyRequest),
)
@needs("instance_write", "api.instance.copy")
async def start(request: Request, caller: Compatible, app: App) -> CloudCopyStarted:
    """Copy what is inside `src` into `dst`, between an instance and a cloud connection."""
    wanted = await order(await bodies.read(request), caller, app)
    return await begun(wanted, FIELDS, request, caller, app)


async def begun(
    wanted: Order, fields: tuple[str, str], request: Request, caller: Caller, app: Services
) -> CloudCopyStarted:
    """Accept the order; the same one again, while it is live, is the same copy.

    Args:
        fields: What the body calls the instance and the connection.

    Raises:
        Invalid: one of them is not the caller's; these routes' documents know 200 and 400.
    """
    try:
        transfer = await transfers.submit(
            wanted, caller=caller, desk=app.transfers, once_while_live=True
        )
    except NotFound as error:
        raise misnamed(error, fields) from None
    token = queries.result_token(transfer, vault=app.vault)
    base = app.public_url or str(request.base_url).rstrip("/")
    return CloudCopyStarted(
        success=True,
        msg="Cloud copy started.",
        result_url=f"{base}/api/v0/results/{token}/",
    )


def misnamed(error: NotFound, fields: tuple[str, str] = FIELDS) -> Invalid:
    """The same, of the field of a copy's body that names what is not found."""
    return Invalid(fields["connection" in error.code], str(error), code=error.code)


async def order(body: dict[str, Any], caller: Caller, app: Services) -> Order:
    """What a copy's body asks for. An `api_key` in it is not looked at.

    Raises:
        Invalid: names the field.
    """
    instance = InstanceId(bodies.id_(body, "instance_id", code="no_such_instance"))
    connection = ConnectionId(await _selected(body, caller, app))
    wanted = bodies.text(body, "transfer")
    direction = DIRECTIONS.get(" ".join(wanted.lower().split()))
    if direction is None:
        raise Invalid(
            "transfer",
            f"{wanted[:40]!r} must be 'Instance To Cloud' or 'Cloud To Instance'",
            code="bad_transfer",
        )
    upload = direction is Direction.TO_CLOUD
    here, there = ("src", "dst") if upload else ("dst", "src")
    return Order(
        instance=instance,
        connection=connection,
        direction=direction,
        local=InstancePath.parse(bodies.text(body, here), field=here),
        remote=RemotePath.parse(bodies.text(body, there), field=there),
        flags=Flags.parse(bodies.flags(body)),
    )


async def _selected(body: dict[str, Any], caller: Caller, app: Services) -> int:
    """The connection's id; when there is none, the caller is told which ones exist."""
    try:
        return bodies.id_(body, "selected", code="no_such_connection")
    except Invalid as error:
        known = await queries.connections(caller=caller, desk=app.queries)
        names = ", ".join(f"{each.id} ({each.name})" for each in known[:20]) or "none yet"
        raise Invalid(
            "selected",
            str(error).partition(": ")[2],
            code=error.code,
            next=(f"Your connections: {names}.",),
        ) from None


@router.delete(
    "/commands/rclone/",
    summary="cancel sync",
    response_model=Success,
    responses={400: {"model": Refusal}},
    openapi_extra=bodies.documented(StopCopiesRequest),
)
@needs("instance_write", "api.instance.cancel_copy")
async def stop(request: Request, caller: Compatible, app: App) -> Success:
    """Stop every cloud copy of an instance, in either direction."""
    body = await bodies.read(request)
    instance = InstanceId(bodies.id_(body, "dst_id", code="no_such_instance"))
    count = await transfers.cancel_instance(instance, caller=caller, desk=app.transfers)
    return stopped(count)


def stopped(count: int) -> Success:
    """What a client is told about so many copies."""
    copies = "1 copy is" if count == 1 else f"{count} copies are"
    return Success(
        success=True, msg=f"{copies} being stopped." if count else "Nothing was running."
    )


@router.get(
    "/results/{token}/",
    summary="result of a cloud copy",
    response_class=PlainTextResponse,
    responses={404: {"model": Refusal, "description": "Not finished, expired or unknown."}},
)
@anyone
async def result(token: str, app: App) -> PlainTextResponse:
    """The outcome in plain text, for success and failure alike. The token is the proof."""
    told = await queries.result_text(token, desk=app.queries)
    return PlainTextResponse(
        told, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    )
