"""SSH keys in the compatible API: the account's, and those in an instance.

Its documents call the key `public_key` in one place and `key` in another, so both are sent.
"""

from typing import Any

from fastapi import APIRouter, Request

from cloudcopy.control import instances, queries, ssh_keys
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.ssh import SshKey, SshKeyId, public_key
from cloudcopy.http.callers import App, Compatible, needs
from cloudcopy.http.v0 import bodies
from cloudcopy.wire.v0 import Refusal
from cloudcopy.wire.v0_instances import SshKeyRequest

router = APIRouter(prefix="/api/v0", tags=["SSH keys"], responses={400: {"model": Refusal}})

FIELD = "ssh_key"


def shown(key: SshKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "user_id": key.account,
        "public_key": key.public_key,
        "key": key.public_key,
        "created_at": key.created_at.isoformat(),
        "deleted_at": None,
    }


@router.get("/ssh/", summary="show ssh-keys")
@needs("user_read", "api.ssh_key.show")
async def every(caller: Compatible, app: App) -> list[dict[str, Any]]:
    """The account's keys: a bare list."""
    return [shown(each) for each in await ssh_keys.every(caller=caller, desk=app.ssh_keys)]


@router.post("/ssh/", summary="create ssh-key", openapi_extra=bodies.documented(SshKeyRequest))
@needs("user_write", "api.ssh_key.change")
async def create(request: Request, caller: Compatible, app: App) -> dict[str, Any]:
    """Add a public key. Instances that are created from now on get it."""
    text = bodies.text(await bodies.read(request), FIELD)
    made = await ssh_keys.add(text, field=FIELD, caller=caller, desk=app.ssh_keys)
    return {"success": True, "key": shown(made)}


@router.put(
    "/ssh/{key_id}/",
    summary="update ssh-key",
    responses={404: {"model": Refusal}},
    openapi_extra=bodies.documented(SshKeyRequest),
)
@needs("user_write", "api.ssh_key.change")
async def update(key_id: str, request: Request, caller: Compatible, app: App) -> dict[str, Any]:
    """Put another key in its place, also in the instances that have it."""
    text = bodies.text(await bodies.read(request), FIELD)
    id = _id(key_id)
    changed = await ssh_keys.change(id, text, field=FIELD, caller=caller, desk=app.ssh_keys)
    return {"success": True, "key": shown(changed)}


@router.delete("/ssh/{key_id}/", summary="delete ssh-key", responses={404: {"model": Refusal}})
@needs("user_write", "api.ssh_key.change")
async def delete(key_id: str, caller: Compatible, app: App) -> dict[str, Any]:
    """Take a key from the account. Instances that have it keep it."""
    await ssh_keys.remove(_id(key_id), caller=caller, desk=app.ssh_keys)
    return {"success": True, "msg": f"SSH key {key_id} deleted."}


@router.post(
    "/instances/{instance_id}/ssh/",
    summary="attach ssh",
    responses={404: {"model": Refusal}},
    openapi_extra=bodies.documented(SshKeyRequest),
)
@needs("instance_write", "api.instance.change")
async def attach(
    instance_id: str, request: Request, caller: Compatible, app: App
) -> dict[str, Any]:
    """Put a key into an instance. The account has it from then on: without `user_write` it must
    have it already."""
    id = bodies.instance_id(instance_id)
    line = public_key(bodies.text(await bodies.read(request), FIELD), field=FIELD)
    key = await instances.attach(id, line, caller=caller, desk=app.instances)
    msg = f"SSH key {key.id} is attached to instance {id}."
    return {"success": True, "msg": msg, "key": shown(key)}


@router.get(
    "/instances/{instance_id}/ssh/", summary="ssh keys of an instance",
    responses={404: {"model": Refusal}},
)  # fmt: skip
@needs("instance_read", "api.instance.show")
async def attached(instance_id: str, caller: Compatible, app: App) -> dict[str, Any]:
    """The keys in an instance."""
    id = bodies.instance_id(instance_id)
    await queries.instance(id, caller=caller, desk=app.queries)
    return {"success": True, "ssh_keys": [shown(each) for each in await app.reads.keys_of(id)]}


@router.delete(
    "/instances/{instance_id}/ssh/{key_id}/",
    summary="detach ssh",
    responses={404: {"model": Refusal}},
)
@needs("instance_write", "api.instance.change")
async def detach(instance_id: str, key_id: str, caller: Compatible, app: App) -> dict[str, Any]:
    """Take a key out of an instance. The account keeps it."""
    id = bodies.instance_id(instance_id)
    await instances.detach(id, _id(key_id), caller=caller, desk=app.instances)
    return {"success": True, "msg": f"SSH key {key_id} is detached from instance {id}."}


def _id(text: str) -> SshKeyId:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid("id", f"{text[:40]!r} is not the id of an SSH key", code="no_such_ssh_key")
    return SshKeyId(int(text))
