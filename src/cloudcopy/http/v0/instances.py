"""Instances in the compatible API: one, all, and the paginated list of newer clients."""

from collections import Counter
from typing import Any, Final

from fastapi import APIRouter

from cloudcopy.control import queries
from cloudcopy.domain.errors import Invalid, NotFound
from cloudcopy.http.callers import App, Compatible, needs
from cloudcopy.http.v0.rows import Row, chosen, parsed, row

router = APIRouter(prefix="/api", tags=["Instances"])

LARGEST_PAGE: Final = 25  # the public API's own bound


@router.get("/v0/instances/", summary="show instances (older clients)")
@needs("instance_read", "api.instance.show")
async def every(caller: Compatible, app: App) -> dict[str, list[Row]]:
    """All instances of the account."""
    return {"instances": await _rows(caller, app)}


@router.get("/v0/instances/filters/", summary="values to filter instances by")
@needs("instance_read", "api.instance.show")
async def filters(caller: Compatible, app: App) -> dict[str, list[Row]]:
    """The distinct values that the list can be filtered by."""
    keys = ("actual_status", "verification", "gpu_name")
    found = {tuple(each[key] for key in keys) for each in await _rows(caller, app)}
    return {"filters": [dict(zip(keys, values, strict=True)) for values in sorted(found, key=str)]}


@router.get("/v0/instances/{instance_id}/", summary="show instance")
@needs("instance_read", "api.instance.show")
async def one(instance_id: str, caller: Compatible, app: App) -> dict[str, Row | None]:
    """One instance; null when it is not the caller's or does not exist."""
    if not (instance_id.isascii() and instance_id.isdigit() and len(instance_id) < 20):
        raise Invalid("id", f"{instance_id[:40]!r} is not an instance id", code="no_such_instance")
    try:
        seen = await queries.instance(int(instance_id), caller=caller, desk=app.queries)
    except NotFound:
        return {"instances": None}
    return {"instances": row(seen, now=app.now)}


@router.get("/v1/instances/", summary="show instances")
@needs("instance_read", "api.instance.show")
async def page(  # noqa: PLR0917 - each is a query parameter
    caller: Compatible,
    app: App,
    select_filters: str | None = None,
    order_by: str | None = None,
    select_cols: str | None = None,
    limit: int = LARGEST_PAGE,
    after_token: str | None = None,
) -> dict[str, Any]:
    """One page of instances, filtered and ordered; `next_token` is null on the last."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise Invalid("limit", f"must be 1 to {LARGEST_PAGE}", code="bad_limit")
    everything = await _rows(caller, app)
    found = chosen(
        everything,
        parsed(select_filters, {}, field="select_filters"),
        parsed(order_by, [{"col": "id", "dir": "asc"}], field="order_by"),
    )
    first = _offset(after_token, len(found))
    columns = parsed(select_cols, None, field="select_cols")
    shown = found[first : first + limit]
    last = first + limit >= len(found)
    return {
        "success": True,
        "instances": [_only(each, columns) for each in shown],
        "instances_found": len(shown),
        "total_instances": len(found),
        "label_counts": dict(Counter(str(each["label"]) for each in found)),
        "next_token": None if last else str(first + limit),
    }


def _offset(token: str | None, count: int) -> int:
    if token is None or token == "":
        return 0
    if not (token.isascii() and token.isdigit() and len(token) < 20 and int(token) <= count):
        raise Invalid("after_token", "is not a token of this list", code="bad_token")
    return int(token)


def _only(each: Row, columns: Any) -> Row:
    if not isinstance(columns, list) or "*" in columns:
        return each
    return {name: each[name] for name in each if name in columns or name == "id"}


async def _rows(caller: Compatible, app: App) -> list[Row]:
    seen = await queries.instances(caller=caller, desk=app.queries)
    return [row(each, now=app.now) for each in seen]
