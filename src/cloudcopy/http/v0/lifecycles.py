"""Instances in the compatible API: started, stopped, rebooted, labelled and destroyed."""

from typing import Any

from fastapi import APIRouter, Request

from cloudcopy.control import instances
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.http.callers import App, Compatible, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v0 import bodies
from cloudcopy.wire.v0 import Refusal, Success
from cloudcopy.wire.v0_instances import (
    InstancesRequest,
    InstancesStateRequest,
    InstanceStateRequest,
)

router = APIRouter(
    prefix="/api/v0/instances",
    tags=["Instances"],
    responses={400: {"model": Refusal}, 404: {"model": Refusal}},
)


@router.put(
    "/", summary="start and stop instances", openapi_extra=bodies.documented(InstancesStateRequest)
)
@needs("instance_write", "api.instance.change")
async def change_many(request: Request, caller: Compatible, app: App) -> Success:
    """Start or stop several: all of them, or with an error none."""
    body = await bodies.read(request)
    return await _state(body, bodies.ids(body, "ids"), caller, app)


@router.delete("/", summary="destroy instances", openapi_extra=bodies.documented(InstancesRequest))
@needs("instance_write", "api.instance.destroy")
async def destroy_many(request: Request, caller: Compatible, app: App) -> Success:
    """Destroy several: all of them, or with an error none."""
    ids = bodies.ids(await bodies.read(request), "instance_ids")
    await instances.destroy(ids, caller=caller, desk=app.instances)
    return Success(success=True, msg=f"{len(ids)} instances are being destroyed.")


@router.put(
    "/{instance_id}/",
    summary="start, stop and label instance",
    openapi_extra=bodies.documented(InstanceStateRequest),
)
@needs("instance_write", "api.instance.change")
async def change(instance_id: str, request: Request, caller: Compatible, app: App) -> Success:
    """`{"state": "running"}`, `{"state": "stopped"}` or `{"label": "x"}`."""
    id = bodies.instance_id(instance_id)
    body = await bodies.read(request)
    if body.get("state") is not None:
        return await _state(body, [id], caller, app)
    if body.get("label") is None:
        raise Invalid("state", "is missing, and so is label", code="missing_state")
    label = bodies.text(body, "label")
    await instances.label(id, label, caller=caller, desk=app.instances)
    return Success(success=True, msg=f"Instance {id} is labelled.")


@router.delete("/{instance_id}/", summary="destroy instance")
@needs("instance_write", "api.instance.destroy")
async def destroy(instance_id: str, caller: Compatible, app: App) -> Success:
    """Destroy an instance and all it holds; its copies are stopped first."""
    id = bodies.instance_id(instance_id)
    await instances.destroy([id], caller=caller, desk=app.instances)
    return Success(success=True, msg=f"Instance {id} is being destroyed.")


@router.put("/reboot/{instance_id}/", summary="reboot instance")
@needs("instance_write", "api.instance.change")
async def reboot(instance_id: str, caller: Compatible, app: App) -> Success:
    """Stop an instance and start it again."""
    id = bodies.instance_id(instance_id)
    await instances.reboot(id, caller=caller, desk=app.instances)
    return Success(success=True, msg=f"Instance {id} is being rebooted.")


async def _state(
    body: dict[str, Any], ids: list[InstanceId], caller: Caller, app: Services
) -> Success:
    match bodies.text(body, "state"):
        case "running":
            await instances.start(ids, caller=caller, desk=app.instances)
            return Success(success=True, msg=f"{len(ids)} being started.")
        case "stopped":
            await instances.stop(ids, caller=caller, desk=app.instances)
            return Success(success=True, msg=f"{len(ids)} being stopped.")
        case other:
            raise Invalid(
                "state", f"{other[:40]!r} must be 'running' or 'stopped'", code="bad_state"
            )
