"""Machines and instances in the native API."""

from base64 import b64decode

from fastapi import APIRouter

from cloudcopy.control import machines, queries
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import AccountId, MachineId
from cloudcopy.http.callers import App, Id, Native, anyone, needs
from cloudcopy.http.v1 import views
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import v1

router = APIRouter(prefix="/v1", tags=["Machines"])


@router.get("/machines", summary="list machines", responses=PROBLEMS)
@needs("machine_read", "api.machine.show")
async def every(caller: Native, app: App) -> v1.MachinePage:
    """All machines of the account; an operator sees those of every account."""
    found = await queries.machines(caller=caller, desk=app.queries)
    return v1.MachinePage(data=[views.machine(each, now=app.now) for each in found])


@router.post("/machines/tokens", summary="make a join token", status_code=201, responses=PROBLEMS)
@needs("machine_write", "api.machine.change", operator=True)
async def invite(caller: Native, app: App, body: v1.Invite | None = None) -> v1.JoinToken:
    """For operators: a token with which one machine can join, once, within 30 minutes."""
    account = AccountId(body.account) if body and body.account is not None else None
    token, expires_at = await machines.invite(caller=caller, desk=app.machines, account=account)
    return v1.JoinToken(token=token, expires_at=expires_at)


@router.post(
    "/machines/enrol",
    summary="join a machine",
    status_code=201,
    responses=PROBLEMS | {403: {"description": "The join token is unknown, expired or was used."}},
)
@anyone
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
@needs("machine_read", "api.machine.show")
async def one(machine_id: Id, caller: Native, app: App) -> v1.MachineView:
    """One machine."""
    found = await queries.machine(MachineId(machine_id), caller=caller, desk=app.queries)
    return views.machine(found, now=app.now)


@router.post("/machines/{machine_id}/give-up", summary="give up a machine", responses=PROBLEMS)
@needs("machine_write", "api.machine.change", operator=True)
async def give_up(machine_id: Id, caller: Native, app: App) -> v1.GivenUp:
    """For operators: end every live transfer of a machine that will not come back, as failed.

    Silence alone never does that: the machine may still be copying.
    """
    ended = await machines.give_up(MachineId(machine_id), caller=caller, desk=app.machines)
    return v1.GivenUp(ended=ended)


@router.get("/instances", summary="list instances", tags=["Instances"], responses=PROBLEMS)
@needs("instance_read", "api.instance.show")
async def instances(caller: Native, app: App) -> v1.InstancePage:
    """All instances of the account."""
    found = await queries.instances(caller=caller, desk=app.queries)
    return v1.InstancePage(data=[views.instance(each, now=app.now) for each in found])


@router.get(
    "/instances/{instance_id}", summary="show an instance", tags=["Instances"], responses=PROBLEMS
)
@needs("instance_read", "api.instance.show")
async def instance(instance_id: Id, caller: Native, app: App) -> v1.InstanceView:
    """One instance and what its latest copy is doing."""
    found = await queries.instance(instance_id, caller=caller, desk=app.queries)
    return views.instance(found, now=app.now)
