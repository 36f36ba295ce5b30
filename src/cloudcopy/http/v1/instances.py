"""Offers and created instances in the native API, and the account's SSH keys."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Response

from cloudcopy.control import instances, offers, queries, questions, ssh_keys
from cloudcopy.domain.instance import NewInstance
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.question import Question
from cloudcopy.domain.ssh import SshKey, SshKeyId, public_key
from cloudcopy.http.callers import App, Id, Native, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v1 import examples, views
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import v1

router = APIRouter(prefix="/v1", responses=PROBLEMS)


@router.get("/offers", tags=["Offers"], summary="list offers")
@needs("instance_read", "api.offer.show")
async def offered(caller: Native, app: App) -> v1.OfferPage:
    """Machines of the account on which instances can be created now."""
    found = await offers.search({}, caller=caller, desk=app.offers)
    return v1.OfferPage(data=[views.offer(each) for each in found])


@router.post("/instances", tags=["Instances"], summary="create an instance", status_code=201)
@needs("instance_write", "api.instance.create")
async def create(
    body: Annotated[v1.NewInstance, Body(openapi_examples=examples.NEW_INSTANCE)],
    caller: Native,
    app: App,
    response: Response,
) -> v1.InstanceView:
    """Create an instance. 201: it is wanted; `actual_status` says when it runs."""
    new = NewInstance(
        label=body.label,
        image=body.image,
        onstart=body.onstart,
        args=tuple(body.args),
        disk_gb=body.disk_gb,
        env=body.env,
        running=body.state == "running",
    )
    made, _ = await instances.create(body.offer, new, caller=caller, desk=app.instances)
    response.headers["Location"] = f"/v1/instances/{made.id}"
    return await _shown(made.id, caller, app)


@router.patch("/instances/{instance_id}", tags=["Instances"], summary="label an instance")
@needs("instance_write", "api.instance.change")
async def change(
    instance_id: Id,
    body: Annotated[v1.InstanceChange, Body(openapi_examples=examples.INSTANCE_CHANGE)],
    caller: Native,
    app: App,
) -> v1.InstanceView:
    """Give an instance another label."""
    id = InstanceId(instance_id)
    await instances.label(id, body.label, caller=caller, desk=app.instances)
    return await _shown(id, caller, app)


@router.post(
    "/instances/{instance_id}/start",
    tags=["Instances"],
    summary="start an instance",
    status_code=202,
)
@needs("instance_write", "api.instance.change")
async def start(instance_id: Id, caller: Native, app: App) -> v1.InstanceView:
    """Want it running. Doing it twice is the same as once."""
    id = InstanceId(instance_id)
    await instances.start([id], caller=caller, desk=app.instances)
    return await _shown(id, caller, app)


@router.post(
    "/instances/{instance_id}/stop", tags=["Instances"], summary="stop an instance", status_code=202
)
@needs("instance_write", "api.instance.change")
async def stop(instance_id: Id, caller: Native, app: App) -> v1.InstanceView:
    """Want it stopped, with all it holds. Doing it twice is the same as once."""
    id = InstanceId(instance_id)
    await instances.stop([id], caller=caller, desk=app.instances)
    return await _shown(id, caller, app)


@router.post(
    "/instances/{instance_id}/reboot",
    tags=["Instances"],
    summary="reboot an instance",
    status_code=202,
)
@needs("instance_write", "api.instance.change")
async def reboot(instance_id: Id, caller: Native, app: App) -> v1.InstanceView:
    """Stop and start it."""
    id = InstanceId(instance_id)
    await instances.reboot(id, caller=caller, desk=app.instances)
    return await _shown(id, caller, app)


@router.delete(
    "/instances/{instance_id}", tags=["Instances"], summary="destroy an instance", status_code=204
)
@needs("instance_write", "api.instance.destroy")
async def destroy(instance_id: Id, caller: Native, app: App) -> None:
    """Stop its copies, and remove it with all it holds."""
    await instances.destroy([InstanceId(instance_id)], caller=caller, desk=app.instances)


@router.post(
    "/instances/{instance_id}/logs",
    tags=["Instances"],
    summary="ask for the log of an instance",
    status_code=202,
)
@needs("instance_read", "api.instance.request_logs")
async def logs(
    instance_id: Id,
    body: Annotated[v1.AskLogs, Body(openapi_examples=examples.ASK_LOGS)],
    caller: Native,
    app: App,
) -> v1.AnswerView:
    """Ask its machine for the end of its log; read the answer at `answers/ID`."""
    asked = await instances.ask_logs(
        InstanceId(instance_id),
        caller=caller,
        desk=app.instances,
        tail=body.tail,
        filter=body.filter,
        daemon=body.daemon,
    )
    return _answer(asked, None)


@router.post(
    "/instances/{instance_id}/execute",
    tags=["Instances"],
    summary="run ls, rm or du in an instance",
    status_code=202,
)
@needs("instance_write", "api.instance.command")
async def execute(
    instance_id: Id,
    body: Annotated[v1.AskExecute, Body(openapi_examples=examples.ASK_EXECUTE)],
    caller: Native,
    app: App,
) -> v1.AnswerView:
    """List, measure or remove files in it; read the answer at `answers/ID`."""
    asked = await instances.ask_execute(
        InstanceId(instance_id), body.command, caller=caller, desk=app.instances
    )
    return _answer(asked, None)


@router.get(
    "/instances/{instance_id}/answers/{answer_id}",
    tags=["Instances"],
    summary="read the answer of an instance",
)
@needs("instance_read", "api.instance.request_logs")
async def answer(instance_id: Id, answer_id: str, caller: Native, app: App) -> v1.AnswerView:
    """What the machine has answered; kept for an hour."""
    found, text = await questions.one(
        answer_id, InstanceId(instance_id), caller=caller, desk=app.queries
    )
    return _answer(found, text)


@router.get(
    "/instances/{instance_id}/ssh-keys", tags=["Instances"], summary="list SSH keys of an instance"
)
@needs("instance_read", "api.instance.show")
async def attached(instance_id: Id, caller: Native, app: App) -> v1.SshKeyPage:
    """The SSH keys in an instance."""
    seen = await queries.instance(instance_id, caller=caller, desk=app.queries)
    return _keys(await app.reads.keys_of(seen.instance.id))


@router.post(
    "/instances/{instance_id}/ssh-keys",
    tags=["Instances"],
    summary="add an SSH key to an instance",
    status_code=201,
)
@needs("instance_write", "api.instance.change")
async def attach(
    instance_id: Id,
    body: Annotated[v1.NewSshKey, Body(openapi_examples=examples.NEW_SSH_KEY)],
    caller: Native,
    app: App,
) -> v1.SshKeyView:
    """Put an SSH key into an instance. The account has it from then on: without `user_write` it
    must have it already."""
    line = public_key(body.public_key, field="public_key")
    id = InstanceId(instance_id)
    return _key(await instances.attach(id, line, caller=caller, desk=app.instances))


@router.delete(
    "/instances/{instance_id}/ssh-keys/{key_id}",
    tags=["Instances"],
    summary="take an SSH key out of an instance",
    status_code=204,
)
@needs("instance_write", "api.instance.change")
async def detach(instance_id: Id, key_id: Id, caller: Native, app: App) -> None:
    """Take an SSH key out of an instance. The account keeps it."""
    id = InstanceId(instance_id)
    await instances.detach(id, SshKeyId(key_id), caller=caller, desk=app.instances)


@router.get("/ssh-keys", summary="list SSH keys", tags=["SSH keys"])
@needs("user_read", "api.ssh_key.show")
async def every_key(caller: Native, app: App) -> v1.SshKeyPage:
    """The account's SSH keys: an instance that is created gets them all."""
    return _keys(await ssh_keys.every(caller=caller, desk=app.ssh_keys))


@router.post("/ssh-keys", summary="add an SSH key", status_code=201, tags=["SSH keys"])
@needs("user_write", "api.ssh_key.change")
async def add_key(
    body: Annotated[v1.NewSshKey, Body(openapi_examples=examples.NEW_SSH_KEY)],
    caller: Native,
    app: App,
) -> v1.SshKeyView:
    """Add a public SSH key; the same again is the same."""
    made = await ssh_keys.add(body.public_key, field="public_key", caller=caller, desk=app.ssh_keys)
    return _key(made)


@router.delete(
    "/ssh-keys/{key_id}", summary="remove an SSH key", status_code=204, tags=["SSH keys"]
)
@needs("user_write", "api.ssh_key.change")
async def remove_key(key_id: Id, caller: Native, app: App) -> None:
    """Take an SSH key from the account. Instances that have it keep it."""
    await ssh_keys.remove(SshKeyId(key_id), caller=caller, desk=app.ssh_keys)


async def _shown(id: InstanceId, caller: Caller, app: Services) -> v1.InstanceView:
    return views.instance(await queries.instance(id, caller=caller, desk=app.queries), now=app.now)


def _answer(asked: Question, text: str | None) -> v1.AnswerView:
    return v1.AnswerView(id=asked.id, instance=asked.instance, text=text)


def _key(key: SshKey) -> v1.SshKeyView:
    return v1.SshKeyView(id=key.id, public_key=key.public_key, created_at=key.created_at)


def _keys(found: Sequence[SshKey]) -> v1.SshKeyPage:
    return v1.SshKeyPage(data=[_key(each) for each in found])
