"""The compatible API's few calls about the account, and what its clients ask at start-up."""

from typing import Any

from fastapi import APIRouter

from cloudcopy.control import queries
from cloudcopy.http.callers import App, Compatible, anyone, needs
from cloudcopy.wire.v0 import CloudIntegration

router = APIRouter(prefix="/api/v0", tags=["Accounts"])


@router.get("/users/cloud_integrations/", summary="show connections")
@needs("user_read", "api.connection.show")
async def connections(caller: Compatible, app: App) -> list[CloudIntegration]:
    """The account's cloud connections: a bare list, without secrets."""
    return [
        CloudIntegration(id=each.id, name=each.name, cloud_type=each.cloud_type)
        for each in await queries.connections(caller=caller, desk=app.queries)
    ]


@router.get("/users/current/", summary="show user")
@needs("user_read", "api.user.show")
async def current(caller: Compatible, app: App) -> dict[str, Any]:
    """The account behind the key. There is no money here; the fields are what clients read."""
    account = await queries.account(caller=caller, desk=app.queries)
    return {
        "id": account.id,
        "username": account.name,
        "email": "",
        "balance": 0.0,
        "credit": 0.0,
        "host_agreement_accepted": False,
        "api_key": None,  # older clients remove it from what they print, so it must be there
    }


@router.get("/gpu_names/unique/", summary="GPU names")
@anyone
async def gpu_names() -> dict[str, list[str]]:
    """Open: the clients fetch it before every command, without a key."""
    return {"gpu_names": []}


@router.get("/gpu_types/", summary="GPU types")
@anyone
async def gpu_types() -> dict[str, list[str]]:
    """Open, like the names."""
    return {"gpu_types": []}
