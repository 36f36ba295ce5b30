"""Plans: what a transfer would do, listed first and carried out as listed."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from cloudcopy.control import approvals, transfers
from cloudcopy.domain.order import TransferId, Verify, Work
from cloudcopy.http.callers import App, Native, needs
from cloudcopy.http.v1 import examples, orders
from cloudcopy.http.v1.transfers import PROBLEMS, Cursor, Once, page, shown, shows
from cloudcopy.ports.reads import TransferFilter
from cloudcopy.wire.v1 import Apply, Approval, NewPlan, TransferPage, TransferView

router = APIRouter(prefix="/v1/plans", tags=["Plans"])


@router.post("", summary="make a plan", status_code=202, responses=shows(202, examples.PLAN))
@needs("instance_write", "api.instance.copy")
async def submit(
    body: Annotated[NewPlan, Body(openapi_examples=examples.NEW_PLAN)],
    caller: Native,
    app: App,
    response: Response,
    idempotency_key: Once = None,
) -> TransferView:
    """List what a transfer would do, and do nothing. When it has succeeded, its actions are
    the lines of `/v1/transfers/{id}/files`."""
    plan = await transfers.submit(
        await orders.plan(body, caller=caller, app=app),
        caller=caller,
        desk=app.transfers,
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/v1/plans/{plan.id}"
    return await shown(plan.id, caller, app)


@router.get("", summary="list plans", responses=PROBLEMS)
@needs("instance_read", "api.transfer.show")
async def every(caller: Native, app: App, limit: int = 50, cursor: Cursor = None) -> TransferPage:
    """One page of plans, newest first."""
    before = TransferId(cursor) if cursor else None
    return await page(TransferFilter(work=Work.PLAN, before=before, limit=limit), caller, app)


@router.get("/{plan_id}", summary="show a plan", responses=shows(200, examples.PLAN))
@needs("instance_read", "api.transfer.show")
async def one(plan_id: str, caller: Native, app: App) -> TransferView:
    """One plan. Its result counts what would be done."""
    return await shown(TransferId(plan_id), caller, app, work=Work.PLAN)


@router.post(
    "/{plan_id}/apply",
    summary="carry out a plan",
    status_code=202,
    responses=shows(202, examples.APPLIED),
)
@needs("instance_write", "api.instance.copy")
async def apply(  # noqa: PLR0917 - each is a part of the request
    plan_id: str,
    caller: Native,
    app: App,
    response: Response,
    body: Annotated[Apply | None, Body(openapi_examples=examples.APPLY)] = None,
    idempotency_key: Once = None,
) -> TransferView:
    """Carry a plan out as a new transfer: exactly the files it lists, and nothing at all when
    one of the two sides is no longer as the plan saw it.

    A plan that deletes anything wants an `approval`, or a key that could give one (the permission
    `api.plan.approve`, too). Many deletions want their number in `confirm_deletions`.
    """
    asked = body or Apply()
    if asked.approval is not None:
        transfer = await approvals.apply(
            TransferId(plan_id),
            asked.approval,
            caller=caller,
            desk=app.transfers,
            vault=app.vault,
            verify=Verify(asked.verify),
            bwlimit=asked.bwlimit,
        )
        response.headers["Location"] = f"/v1/transfers/{transfer.id}"
        return await shown(transfer.id, caller, app)
    transfer = await transfers.apply(
        TransferId(plan_id),
        caller=caller,
        desk=app.transfers,
        confirm_deletions=asked.confirm_deletions,
        verify=Verify(asked.verify),
        bwlimit=asked.bwlimit,
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/v1/transfers/{transfer.id}"
    return await shown(transfer.id, caller, app)


@router.post("/{plan_id}/approve", summary="approve a plan", responses=PROBLEMS)
@needs("instance_write", "api.plan.approve")
async def approve(plan_id: str, caller: Native, app: App) -> Approval:
    """Let a program carry out the plan that it made: the answer is handed to it, and is its
    `approval` of `apply`, once and within an hour. The key that made the plan cannot."""
    made = await approvals.issue(
        TransferId(plan_id), caller=caller, desk=app.transfers, vault=app.vault
    )
    return Approval(
        plan=made.plan, deletions=made.deletions, approval=made.text, expires_at=made.expires_at
    )
