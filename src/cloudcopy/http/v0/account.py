"""The compatible API's few calls about the account, and what its clients ask at start-up."""

from typing import Any

from fastapi import APIRouter

from cloudcopy.control import queries
from cloudcopy.http.callers import App, Compatible
from cloudcopy.wire.v0 import CloudIntegration

router = APIRouter(prefix="/api/v0", tags=["Accounts"])


@router.get("/users/cloud_integrations/", summary="show connections")
async def connections(caller: Compatible, app: App) -> list[CloudIntegration]:
    """The account's cloud connections: a bare list, without secrets."""
    return [
        CloudIntegration(id=each.id, name=each.name, cloud_type=each.cloud_type)
        for each in await queries.connections(caller=caller, desk=app.queries)
    ]


@router.get("/users/current/", summary="show user")
async def current(caller: Compatible) -> dict[str, Any]:
    """The account behind the key. There is no money here; the fields are what clients read."""
    return {
        "id": caller.account,
        "username": "owner",
        "email": "",
        "balance": 0.0,
        "credit": 0.0,
        "host_agreement_accepted": False,
        "api_key": None,  # older clients remove it from what they print, so it must be there
    }


@router.get("/gpu_names/unique/", summary="GPU names")
async def gpu_names() -> dict[str, list[str]]:
    """Open: the clients fetch it before every command, without a key."""
    return {"gpu_names": []}


@router.get("/gpu_types/", summary="GPU types")
async def gpu_types() -> dict[str, list[str]]:
    """Open, like the names."""
    return {"gpu_types": []}
