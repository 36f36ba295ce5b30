"""Receipts in the native API."""

from fastapi import APIRouter, Response

from cloudcopy.control import queries, receipts
from cloudcopy.domain.order import TransferId
from cloudcopy.http.callers import App, Native, anyone, needs
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import receipt
from cloudcopy.wire.v1 import ReceiptKey

router = APIRouter(prefix="/v1", tags=["Receipts"])


@router.get(
    "/transfers/{transfer_id}/receipt",
    summary="receipt of a transfer",
    response_model=receipt.Receipt,
    responses=PROBLEMS,
)
@needs("instance_read", "api.transfer.show")
async def one(transfer_id: str, caller: Native, app: App) -> Response:
    """The signed receipt of a transfer that succeeded, wholly or in part. Canonical JSON
    (RFC 8785): the same bytes each time."""
    seen = await queries.transfer(TransferId(transfer_id), caller=caller, desk=app.queries)
    return Response(receipts.issue(seen, vault=app.vault), media_type="application/json")


@router.get("/receipt-key", summary="the key of receipts")
@anyone
async def key(app: App) -> ReceiptKey:
    """The key that receipts are signed with. Open to everyone: it is what they verify by."""
    return ReceiptKey(public_key=receipt.text(app.vault.public_key))
