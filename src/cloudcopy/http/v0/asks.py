"""Offers in the compatible API, where each is an "ask": searched, and made an instance of."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel

from cloudcopy.control import instances, offers
from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.instance import NewInstance
from cloudcopy.domain.keys import Caller
from cloudcopy.http.callers import App, Compatible, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v0 import bodies
from cloudcopy.wire.v0 import Refusal
from cloudcopy.wire.v0_instances import InstanceRequest, OfferFilters, OfferSearch

router = APIRouter(prefix="/api/v0", tags=["Offers"], responses={400: {"model": Refusal}})

# What would change what is made, and is not served: to leave it out in silence would be worse.
_NOT_SERVED: Final = {
    "template_hash_id": "templates are not served; send image and onstart",
    "template_id": "templates are not served; send image and onstart",
    "volume_info": "volumes are not served; copy the data in and out",
    "image_login": "registries with a login are not served; log the machine's engine in",
}
_VM_IMAGE: Final = "vastai/kvm"


class Contract(BaseModel):
    """An instance was made of an offer. There is no `id`: the instance is `new_contract`."""

    success: bool
    new_contract: int
    msg: str


@router.post("/bundles/", summary="search offers", openapi_extra=bodies.documented(OfferFilters))
@needs("instance_read", "api.offer.show")
async def bundles(request: Request, caller: Compatible, app: App) -> dict[str, Any]:
    """Offers that pass the filters `{"field": {"op": value}}`; memory is in MB."""
    found = await offers.search(await bodies.read(request), caller=caller, desk=app.offers)
    return {"offers": found}


@router.put(
    "/search/asks/",
    summary="search offers (newer clients)",
    openapi_extra=bodies.documented(OfferSearch),
)
@needs("instance_read", "api.offer.show")
async def search(request: Request, caller: Compatible, app: App) -> dict[str, Any]:
    """Offers that pass the filters, with these in `q` and the columns in `select_cols`."""
    body = await bodies.read(request)
    query = {} if body.get("q") is None else body["q"]
    if not isinstance(query, dict):
        raise Invalid("q", "must be an object", code="bad_filter")
    found = await offers.search(query, caller=caller, desk=app.offers)
    return {"success": True, "offers": _only(found, body.get("select_cols"))}


def _only(found: Sequence[Mapping[str, Any]], columns: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(columns, list) or "*" in columns:
        return found
    return [{name: each[name] for name in each if name in columns} for each in found]


@router.put(
    "/asks/{ask_id}/",
    summary="create instance",
    operation_id="createInstance",
    responses={404: {"model": Refusal}},
    openapi_extra=bodies.documented(InstanceRequest),
)
@needs("instance_write", "api.instance.create")
async def create(ask_id: str, request: Request, caller: Compatible, app: App) -> Contract:
    """Make an instance of an offer; the account's SSH keys are placed in it."""
    return await _create(ask_id, await bodies.read(request), caller, app)


@router.post(
    "/asks/{ask_id}/",
    summary="create instance",
    operation_id="createInstanceByPost",
    responses={404: {"model": Refusal}},
    openapi_extra=bodies.documented(InstanceRequest),
)
@needs("instance_write", "api.instance.create")
async def create_by_post(ask_id: str, request: Request, caller: Compatible, app: App) -> Contract:
    """Make an instance of an offer: the same as with PUT."""
    return await _create(ask_id, await bodies.read(request), caller, app)


async def _create(ask_id: str, body: dict[str, Any], caller: Caller, app: Services) -> Contract:
    ask = bodies.id_({"id": ask_id}, "id", code="no_such_offer")
    for field, words in _NOT_SERVED.items():
        if body.get(field):
            raise Invalid(field, words, code="not_served")
    await _check_vm(body, caller, app)
    made, keys = await instances.create(ask, _new(body), caller=caller, desk=app.instances)
    count = "1 SSH key was" if len(keys) == 1 else f"{len(keys)} SSH keys were"
    msg = f"Instance {made.id} is being created; {count} placed in it."
    if not keys:
        msg = f"Instance {made.id} is being created without an SSH key; attach one at any time."
    return Contract(success=True, new_contract=made.id, msg=msg)


async def _check_vm(body: dict[str, Any], caller: Caller, app: Services) -> None:
    """Virtual machines are not made here; one without a key is refused for that, as documented."""
    if body.get("runtype") != "vm" and _VM_IMAGE not in str(body.get("image") or ""):
        return
    if not await app.reads.ssh_keys(caller.account):
        raise Conflict(
            "A virtual machine needs an SSH key before it is created, and you have none.",
            code="no_ssh_key_for_vm",
            next=("Add one with: vastai create ssh-key.",),
        )
    raise Invalid("image", "virtual machines are not served", code="not_served")


def _new(body: dict[str, Any]) -> NewInstance:
    disk = bodies.number(body, "disk", 0.0)
    return NewInstance(
        label=bodies.optional(body, "label"),
        image=bodies.optional(body, "image"),
        onstart=bodies.optional(body, "onstart"),
        args=tuple(bodies.texts(body, "args")),
        disk_gb=disk,
        env=bodies.texts_by_name(body, "env"),
        running=bodies.optional(body, "target_state") != "stopped",
    )
