"""Checks: two sides compared, nothing changed."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from cloudcopy.control import transfers
from cloudcopy.domain.order import TransferId, Work
from cloudcopy.http.callers import App, Native, needs
from cloudcopy.http.v1 import examples, orders
from cloudcopy.http.v1.transfers import PROBLEMS, Cursor, Once, page, shown, shows
from cloudcopy.ports.reads import TransferFilter
from cloudcopy.wire.v1 import NewCheck, TransferPage, TransferView

router = APIRouter(prefix="/v1/checks", tags=["Checks"])


@router.post("", summary="compare two sides", status_code=202, responses=shows(202, examples.CHECK))
@needs("instance_write", "api.instance.copy")
async def submit(
    body: Annotated[NewCheck, Body(openapi_examples=examples.NEW_CHECK)],
    caller: Native,
    app: App,
    response: Response,
    idempotency_key: Once = None,
) -> TransferView:
    """Compare both sides, by checksum unless told otherwise. It ends `succeeded` when they are
    equal and `partial` when they differ; `/v1/transfers/{id}/files` says where."""
    check = await transfers.submit(
        await orders.check(body, caller=caller, app=app),
        caller=caller,
        desk=app.transfers,
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/v1/checks/{check.id}"
    return await shown(check.id, caller, app)


@router.get("", summary="list checks", responses=PROBLEMS)
@needs("instance_read", "api.transfer.show")
async def every(caller: Native, app: App, limit: int = 50, cursor: Cursor = None) -> TransferPage:
    """One page of checks, newest first."""
    before = TransferId(cursor) if cursor else None
    return await page(TransferFilter(work=Work.CHECK, before=before, limit=limit), caller, app)


@router.get("/{check_id}", summary="show a check", responses=shows(200, examples.CHECK))
@needs("instance_read", "api.transfer.show")
async def one(check_id: str, caller: Native, app: App) -> TransferView:
    """One check. Its result counts equal files as `unchanged` and the others as `failed`."""
    return await shown(TransferId(check_id), caller, app, work=Work.CHECK)
