"""Machines and instances in the native API."""

from base64 import b64decode

from fastapi import APIRouter

from cloudcopy.control import machines, queries
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import MachineId
from cloudcopy.http.callers import App, Id, Native
from cloudcopy.http.v1 import views
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import v1

router = APIRouter(prefix="/v1", tags=["Machines"])


@router.get("/machines", summary="list machines", responses=PROBLEMS)
async def every(caller: Native, app: App) -> v1.MachinePage:
    """All machines of the account."""
    found = await queries.machines(caller=caller, desk=app.queries)
    return v1.MachinePage(data=[views.machine(each, now=app.now) for each in found])


@router.post("/machines/tokens", summary="make a join token", status_code=201, responses=PROBLEMS)
async def invite(caller: Native, app: App) -> v1.JoinToken:
    """A token with which one machine can join, once, within 30 minutes."""
    token, expires_at = await machines.invite(caller=caller, desk=app.machines)
    return v1.JoinToken(token=token, expires_at=expires_at)


@router.post(
    "/machines/enrol",
    summary="join a machine",
    status_code=201,
    responses=PROBLEMS | {403: {"description": "The join token is unknown, expired or was used."}},
)
async def enrol(body: v1.Enrol, app: App) -> v1.Enrolled:
    """Trade a join token for a machine id. The token is the proof; no API key is needed."""
    try:
        public_key = b64decode(body.public_key, validate=True)
    except ValueError:  # also for what is not ASCII
        raise Invalid("public_key", "is not base64") from None
    machine = await machines.enrol(
        body.token, public_key=public_key, name=body.name, desk=app.machines
    )
    return v1.Enrolled(machine=machine.id)


@router.get("/machines/{machine_id}", summary="show a machine", responses=PROBLEMS)
async def one(machine_id: Id, caller: Native, app: App) -> v1.MachineView:
    """One machine."""
    found = await queries.machine(MachineId(machine_id), caller=caller, desk=app.queries)
    return views.machine(found, now=app.now)


@router.post("/machines/{machine_id}/give-up", summary="give up a machine", responses=PROBLEMS)
async def give_up(machine_id: Id, caller: Native, app: App) -> v1.GivenUp:
    """End every live transfer of a machine that will not come back, as failed.

    Silence alone never does that: the machine may still be copying.
    """
    ended = await machines.give_up(MachineId(machine_id), caller=caller, desk=app.machines)
    return v1.GivenUp(ended=ended)


@router.get("/instances", summary="list instances", tags=["Instances"], responses=PROBLEMS)
async def instances(caller: Native, app: App) -> v1.InstancePage:
    """All instances of the account."""
    found = await queries.instances(caller=caller, desk=app.queries)
    return v1.InstancePage(data=[views.instance(each, now=app.now) for each in found])


@router.get(
    "/instances/{instance_id}", summary="show an instance", tags=["Instances"], responses=PROBLEMS
)
async def instance(instance_id: Id, caller: Native, app: App) -> v1.InstanceView:
    """One instance and what its latest copy is doing."""
    found = await queries.instance(instance_id, caller=caller, desk=app.queries)
    return views.instance(found, now=app.now)
