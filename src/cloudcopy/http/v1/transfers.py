"""Transfers in the native API."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import PlainTextResponse

from cloudcopy.control import queries, transfers
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.transfer import Direction, Order, State, TransferId
from cloudcopy.http.callers import App, Id, Native
from cloudcopy.http.services import Services
from cloudcopy.http.v1 import views
from cloudcopy.ports.reads import TransferFilter
from cloudcopy.wire.v1 import NewTransfer, Problem, TransferPage, TransferView

router = APIRouter(prefix="/v1/transfers", tags=["Transfers"])

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}}
    for status in (401, 404, 409, 422)
}


@router.post("", status_code=202, responses=PROBLEMS)
async def submit(
    body: NewTransfer,
    caller: Native,
    app: App,
    response: Response,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> TransferView:
    """Accept a copy. 202: it is durable, not yet done; follow `Location`."""
    order = await _order(body, caller, app)
    transfer = await transfers.submit(
        order, caller=caller, desk=app.transfers, idempotency_key=idempotency_key
    )
    response.headers["Location"] = f"/v1/transfers/{transfer.id}"
    return await _view(transfer.id, caller, app)


async def _order(body: NewTransfer, caller: Caller, app: Services) -> Order:
    instance = await queries.instance(body.instance, caller=caller, desk=app.queries)
    connection = await queries.connection(body.connection, caller=caller, desk=app.queries)
    direction = Direction(body.direction)
    upload = direction is Direction.TO_CLOUD
    here, there = ("src", "dst") if upload else ("dst", "src")
    return Order(
        instance=instance.instance.id,
        connection=connection.id,
        direction=direction,
        local=InstancePath.parse(getattr(body, here), field=here),
        remote=RemotePath.parse(getattr(body, there), field=there),
        flags=Flags.parse(body.flags),
    )


@router.get("", responses=PROBLEMS)
async def every(  # noqa: PLR0917 - each is a query parameter
    caller: Native,
    app: App,
    state: Annotated[str | None, Query(description="One state, or several with commas.")] = None,
    instance: Id | None = None,
    connection: Id | None = None,
    limit: int = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> TransferPage:
    """One page of transfers, newest first."""
    only = TransferFilter(
        states=_states(state) if state else None,
        instance=InstanceId(instance) if instance is not None else None,
        connection=ConnectionId(connection) if connection is not None else None,
        before=TransferId(cursor) if cursor else None,
        limit=limit,
    )
    page, after = await queries.transfers(only, caller=caller, desk=app.queries)
    return TransferPage(
        data=[views.transfer(each, now=app.now) for each in page], next_cursor=after
    )


def _states(text: str) -> frozenset[State]:
    try:
        return frozenset(State(word.strip()) for word in text.split(","))
    except ValueError:
        known = ", ".join(State)
        raise Invalid("state", f"{text[:80]!r} must be among {known}") from None


@router.get("/{transfer_id}", responses=PROBLEMS)
async def one(transfer_id: str, caller: Native, app: App) -> TransferView:
    """One transfer with its latest numbers, and its result once it has ended."""
    return await _view(TransferId(transfer_id), caller, app)


@router.get("/{transfer_id}/log", response_class=PlainTextResponse, responses=PROBLEMS)
async def log(transfer_id: str, caller: Native, app: App) -> PlainTextResponse:
    """The end of the engine's log: the latest lines while it runs, then those of its end."""
    seen = await queries.transfer(TransferId(transfer_id), caller=caller, desk=app.queries)
    told = seen.transfer.result or seen.progress
    return PlainTextResponse("".join(f"{line}\n" for line in told.log) if told else "")


@router.post("/{transfer_id}/cancel", status_code=202, responses=PROBLEMS)
async def cancel(transfer_id: str, caller: Native, app: App) -> TransferView:
    """Ask the machine to stop. 202: it is asked; a copy that has just finished stays succeeded."""
    await transfers.cancel(TransferId(transfer_id), caller=caller, desk=app.transfers)
    return await _view(TransferId(transfer_id), caller, app)


@router.post("/{transfer_id}/retry", status_code=202, responses=PROBLEMS)
async def retry(transfer_id: str, caller: Native, app: App) -> TransferView:
    """Open another attempt of a transfer that failed or was cancelled."""
    await transfers.retry(TransferId(transfer_id), caller=caller, desk=app.transfers)
    return await _view(TransferId(transfer_id), caller, app)


async def _view(id: TransferId, caller: Caller, app: Services) -> TransferView:
    seen = await queries.transfer(id, caller=caller, desk=app.queries)
    return views.transfer(seen, now=app.now)
