"""API keys in the native API, and what is open to all: health and the list of flags."""

from datetime import datetime, timedelta

from fastapi import APIRouter

from cloudcopy.control import keys, queries
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import published
from cloudcopy.domain.keys import KeyId, Rights
from cloudcopy.domain.permissions import Permissions
from cloudcopy.domain.rates import Rate
from cloudcopy.http.callers import App, Native, anyone, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v1 import views
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import v1

router = APIRouter(prefix="/v1", tags=["Keys"])


@router.post("/keys", summary="create an API key", status_code=201, responses=PROBLEMS)
@needs("user_write", "api.key.change")
async def create(body: v1.NewKey, caller: Native, app: App) -> v1.CreatedKey:
    """A new key of the same account, shown this once. It can do nothing that the caller's own
    key cannot; an expiry and a rate of that one are taken over unless named."""
    wanted = Rights(
        permissions=Permissions.parse(body.permissions),
        expires_at=_expiry(body, app),
        rate=Rate.parse(body.requests_per_second, body.burst),
    )
    key, text = await keys.delegate(body.name, wanted, caller=caller, desk=app.keys)
    return v1.CreatedKey(**views.key(key).model_dump(), key=text)


def _expiry(body: v1.NewKey, app: Services) -> datetime | None:
    """Raises Invalid: it is said twice."""
    if body.expires_in_seconds is None:
        return body.expires_at
    if body.expires_at is not None:
        raise Invalid("expires_in_seconds", "is said by expires_at, too; send one of them")
    return app.now() + timedelta(seconds=body.expires_in_seconds)


@router.get("/keys", summary="list API keys", responses=PROBLEMS)
@needs("user_read", "api.key.show")
async def every(caller: Native, app: App) -> v1.KeyPage:
    """All keys of the account, revoked ones too, without their secrets."""
    found = await queries.keys(caller=caller, desk=app.queries)
    return v1.KeyPage(data=[views.key(each) for each in found])


@router.delete("/keys/{key_id}", summary="revoke an API key", status_code=204, responses=PROBLEMS)
@needs("user_write", "api.key.change")
async def revoke(key_id: str, caller: Native, app: App) -> None:
    """Refuse the key from now on, and all that were made with it, but not the key that asks.
    Doing it twice is the same as once."""
    await keys.revoke(KeyId(key_id), caller=caller, desk=app.keys)


@router.get("/flags", summary="flags of a copy", tags=["Server"])
@anyone
async def flags() -> dict[str, str]:
    """Open: every flag that a copy accepts, and what it takes. Their meaning is rclone's."""
    return published()


@router.get("/health", summary="is it up", tags=["Server"])
@anyone
async def health() -> dict[str, str]:
    """Open: whether the server answers."""
    return {"status": "ok"}
