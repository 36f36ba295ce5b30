"""Transfers in the native API."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Header, Query, Response
from fastapi.responses import PlainTextResponse

from cloudcopy.control import queries, transfers
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.order import Scope, TransferId, Work
from cloudcopy.domain.transfer import State
from cloudcopy.http.callers import App, Id, Native, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v1 import examples, orders, views
from cloudcopy.ports.reads import TransferFilter, TransferSeen
from cloudcopy.wire.v1 import (
    Change,
    NewTransfer,
    Problem,
    Retry,
    TransferPage,
    TransferView,
    WorkName,
)

router = APIRouter(prefix="/v1/transfers", tags=["Transfers"])

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}}
    for status in (401, 403, 404, 409, 422, 429)
}

Once = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="The same key again answers with the same transfer. At most 255 bytes.",
    ),
]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


def shows(status: int, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """What a route answers, for the served document: an example, and how it may refuse."""
    return PROBLEMS | {status: {"content": {"application/json": {"example": example}}}}


@router.post("", summary="start a copy", status_code=202, responses=shows(202, examples.TRANSFER))
@needs("instance_write", "api.instance.copy")
async def submit(
    body: Annotated[NewTransfer, Body(openapi_examples=examples.NEW_TRANSFER)],
    caller: Native,
    app: App,
    response: Response,
    idempotency_key: Once = None,
) -> TransferView:
    """Accept a copy. 202: it is durable, not yet done; follow `Location`."""
    transfer = await transfers.submit(
        await orders.transfer(body, caller=caller, app=app),
        caller=caller,
        desk=app.transfers,
        idempotency_key=idempotency_key,
        bwlimit=body.bwlimit,
    )
    response.headers["Location"] = f"/v1/transfers/{transfer.id}"
    return await shown(transfer.id, caller, app)


@router.get("", summary="list transfers", responses=PROBLEMS)
@needs("instance_read", "api.transfer.show")
async def every(  # noqa: PLR0917 - each is a query parameter
    caller: Native,
    app: App,
    state: Annotated[str | None, Query(description="One state, or several with commas.")] = None,
    work: WorkName | None = None,
    instance: Id | None = None,
    connection: Id | None = None,
    limit: int = 50,
    cursor: Cursor = None,
) -> TransferPage:
    """One page of transfers, newest first; of plans and checks, too, unless `work` says which."""
    only = TransferFilter(
        states=_states(state) if state else None,
        work=Work(work) if work else None,
        instance=InstanceId(instance) if instance is not None else None,
        connection=ConnectionId(connection) if connection is not None else None,
        before=TransferId(cursor) if cursor else None,
        limit=limit,
    )
    return await page(only, caller, app)


def _states(text: str) -> frozenset[State]:
    try:
        return frozenset(State(word.strip()) for word in text.split(","))
    except ValueError:
        known = ", ".join(State)
        raise Invalid("state", f"{text[:80]!r} must be among {known}") from None


@router.get("/{transfer_id}", summary="show a transfer", responses=shows(200, examples.TRANSFER))
@needs("instance_read", "api.transfer.show")
async def one(transfer_id: str, caller: Native, app: App) -> TransferView:
    """One transfer with its latest numbers, and its result once it has ended."""
    return await shown(TransferId(transfer_id), caller, app)


@router.get(
    "/{transfer_id}/log",
    summary="the end of the engine's log",
    response_class=PlainTextResponse,
    responses=PROBLEMS,
)
@needs("instance_read", "api.instance.request_logs")
async def log(transfer_id: str, caller: Native, app: App) -> PlainTextResponse:
    """The end of the engine's log: the latest lines while it runs, then those of its end."""
    seen = await queries.transfer(TransferId(transfer_id), caller=caller, desk=app.queries)
    told = seen.transfer.result or seen.progress
    return PlainTextResponse("".join(f"{line}\n" for line in told.log) if told else "")


@router.post(
    "/{transfer_id}/cancel", summary="cancel a transfer", status_code=202, responses=PROBLEMS
)
@needs("instance_write", "api.instance.cancel_copy")
async def cancel(transfer_id: str, caller: Native, app: App) -> TransferView:
    """Ask the machine to stop. 202: it is asked; a copy that has just finished stays succeeded."""
    await transfers.cancel(TransferId(transfer_id), caller=caller, desk=app.transfers)
    return await shown(TransferId(transfer_id), caller, app)


@router.post(
    "/{transfer_id}/pause", summary="pause a transfer", status_code=202, responses=PROBLEMS
)
@needs("instance_write", "api.instance.cancel_copy")
async def pause(transfer_id: str, caller: Native, app: App) -> TransferView:
    """Ask the machine to stop and keep what has arrived, until it is resumed."""
    await transfers.pause(TransferId(transfer_id), caller=caller, desk=app.transfers)
    return await shown(TransferId(transfer_id), caller, app)


@router.post(
    "/{transfer_id}/resume", summary="resume a transfer", status_code=202, responses=PROBLEMS
)
@needs("instance_write", "api.instance.copy")
async def resume(transfer_id: str, caller: Native, app: App) -> TransferView:
    """Let a paused transfer go on, in an attempt of its own, once it has its turn."""
    await transfers.resume(TransferId(transfer_id), caller=caller, desk=app.transfers)
    return await shown(TransferId(transfer_id), caller, app)


@router.post(
    "/{transfer_id}/retry", summary="retry a transfer", status_code=202, responses=PROBLEMS
)
@needs("instance_write", "api.instance.copy")
async def retry(
    transfer_id: str,
    caller: Native,
    app: App,
    body: Annotated[Retry | None, Body(openapi_examples=examples.RETRY)] = None,
) -> TransferView:
    """Open another attempt of a transfer that ended short of success; of all files or, with
    `{"only": "failed"}`, of those that failed."""
    scope = Scope(body.only) if body else Scope.ALL
    await transfers.retry(TransferId(transfer_id), caller=caller, desk=app.transfers, scope=scope)
    return await shown(TransferId(transfer_id), caller, app)


@router.patch(
    "/{transfer_id}",
    summary="limit the bandwidth of a transfer",
    responses=shows(200, examples.TRANSFER),
)
@needs("instance_write", "api.instance.copy")
async def change(
    transfer_id: str,
    body: Annotated[Change, Body(openapi_examples=examples.CHANGE)],
    caller: Native,
    app: App,
) -> TransferView:
    """Change the bandwidth limit of a transfer that has not ended; a running one follows."""
    await transfers.limit(TransferId(transfer_id), body.bwlimit, caller=caller, desk=app.transfers)
    return await shown(TransferId(transfer_id), caller, app)


async def shown(
    id: TransferId, caller: Caller, app: Services, *, work: Work | None = None
) -> TransferView:
    """Raises NotFound, also when it is another work than the one asked for."""
    seen = await queries.transfer(id, caller=caller, desk=app.queries, work=work)
    return await _view(seen, app)


async def page(only: TransferFilter, caller: Caller, app: Services) -> TransferPage:
    """Raises Invalid: the page is empty or too large."""
    found, after = await queries.transfers(only, caller=caller, desk=app.queries)
    return TransferPage(data=[await _view(each, app) for each in found], next_cursor=after)


async def _view(seen: TransferSeen, app: Services) -> TransferView:
    ahead = await queries.ahead(seen, desk=app.queries)
    return views.transfer(seen, now=app.now, ahead=ahead)
