"""API keys in the compatible API. Here a key has a number, and a deleted one is gone."""

from typing import Any

from fastapi import APIRouter, Request

from cloudcopy.control import keys, queries
from cloudcopy.domain.errors import Invalid, NotFound
from cloudcopy.domain.keys import Key, Rights
from cloudcopy.domain.permissions import Permissions
from cloudcopy.http.callers import App, Compatible, needs
from cloudcopy.http.v0 import bodies
from cloudcopy.wire.v0 import CreatedKey, Refusal, Success
from cloudcopy.wire.v0_instances import KeyRequest

router = APIRouter(prefix="/api/v0/auth/apikeys", tags=["Accounts"])

Row = dict[str, Any]


@router.post(
    "/",
    summary="create api-key",
    responses={400: {"model": Refusal}},
    openapi_extra=bodies.documented(KeyRequest),
)
@needs("user_write", "api.key.change")
async def create(request: Request, caller: Compatible, app: App) -> CreatedKey:
    """A new key of the account, shown this once. Without `permissions` it may do everything
    that the caller's own key may do, which must then be everything."""
    body = await bodies.read(request)
    if body.get("key_params"):
        raise Invalid(
            "key_params",
            "is not served: there are no placeholders to fill in",
            code="bad_key_params",
            next=("Write the ids themselves into the permissions.",),
        )
    wanted = Rights(permissions=Permissions.parse(body.get("permissions")))
    key, text = await keys.delegate(bodies.text(body, "name"), wanted, caller=caller, desk=app.keys)
    return CreatedKey(id=key.number, key=text, permissions=key.rights.permissions.as_json())


@router.get("/", summary="show api-keys")
@needs("user_read", "api.key.show")
async def every(caller: Compatible, app: App) -> dict[str, list[Row]]:
    """All keys of the account that are not deleted, newest first, without the keys themselves."""
    found = await queries.keys(caller=caller, desk=app.queries)
    return {"apikeys": [_row(each) for each in found if each.revoked_at is None]}


@router.get("/{key_id}/", summary="show api-key", responses={404: {"model": Refusal}})
@needs("user_read", "api.key.show")
async def one(key_id: str, caller: Compatible, app: App) -> Row:
    """One key, without the key itself."""
    return _row(await keys.numbered(_number(key_id), caller=caller, desk=app.keys))


@router.delete("/{key_id}/", summary="delete api-key", responses={404: {"model": Refusal}})
@needs("user_write", "api.key.change")
async def delete(key_id: str, caller: Compatible, app: App) -> Success:
    """Refuse the key from now on, and all that were made with it."""
    key = await keys.numbered(_number(key_id), caller=caller, desk=app.keys)
    gone = await keys.revoke(key.id, caller=caller, desk=app.keys)
    too = ", and so are the keys that were made with it" if len(gone) > 1 else ""
    return Success(success=True, msg=f"API key {key.number} ({key.name}) is deleted{too}.")


def _number(text: str) -> int:
    """Raises NotFound: it is no number, and so no key's."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise NotFound("key", text[:40])
    return int(text)


def _row(key: Key) -> Row:
    """Times are seconds since 1970, as everywhere in this API."""
    expires_at, used_at = key.rights.expires_at, key.last_used_at
    return {
        "id": key.number,
        "name": key.name,
        "permissions": key.rights.permissions.as_json(),
        "key_params": None,
        "created_at": key.created_at.timestamp(),
        "expires_at": expires_at.timestamp() if expires_at else None,
        "last_used_at": used_at.timestamp() if used_at else None,
    }
