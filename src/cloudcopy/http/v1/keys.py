"""API keys in the native API, and what is open to all: health and the list of flags."""

from fastapi import APIRouter

from cloudcopy.control import keys, queries
from cloudcopy.domain.flags import published
from cloudcopy.domain.keys import KeyId
from cloudcopy.http.callers import App, Native
from cloudcopy.http.v1 import views
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import v1

router = APIRouter(prefix="/v1", tags=["Keys"])


@router.post("/keys", summary="create an API key", status_code=201, responses=PROBLEMS)
async def create(body: v1.NewKey, caller: Native, app: App) -> v1.CreatedKey:
    """A new key of the same account, shown this once."""
    key, text = await keys.create(body.name, account=caller.account, desk=app.keys)
    return v1.CreatedKey(id=key.id, name=key.name, key=text)


@router.get("/keys", summary="list API keys", responses=PROBLEMS)
async def every(caller: Native, app: App) -> v1.KeyPage:
    """All keys of the account, revoked ones too, without their secrets."""
    found = await queries.keys(caller=caller, desk=app.queries)
    return v1.KeyPage(data=[views.key(each) for each in found])


@router.delete("/keys/{key_id}", summary="revoke an API key", status_code=204, responses=PROBLEMS)
async def revoke(key_id: str, caller: Native, app: App) -> None:
    """Refuse the key from now on. Doing it twice is the same as once."""
    await keys.revoke(KeyId(key_id), caller=caller, desk=app.keys)


@router.get("/flags", summary="flags of a copy", tags=["Server"])
async def flags() -> dict[str, str]:
    """Open: every flag that a copy accepts, and what it takes. Their meaning is rclone's."""
    return published()


@router.get("/health", summary="is it up", tags=["Server"])
async def health() -> dict[str, str]:
    """Open: whether the server answers."""
    return {"status": "ok"}
