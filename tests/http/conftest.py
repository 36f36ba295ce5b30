"""A whole control plane without a port: real SQL, real vault, requests over ASGI."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloudcopy.compose import server
from cloudcopy.compose.settings import ServerSettings, Tools
from cloudcopy.control import keys, machines
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.domain.machine import MachineId
from cloudcopy.http.app import build_app
from cloudcopy.http.services import Services
from cloudcopy.wire import agent as wire

OWNER = Caller(server.OWNER, KeyId("test"))


@dataclass
class Plane:
    """The control plane, a key to it, a machine with the instances `box` and `other`."""

    services: Services
    client: httpx2.AsyncClient
    key: str
    machine: MachineId
    private_key: Ed25519PrivateKey
    instance: int
    connection: int

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def ask(self, method: str, path: str, body: Any = None, **rest: Any) -> httpx2.Response:
        rest.setdefault("headers", self.auth)
        if body is not None:
            rest["json"] = body
        return await self.client.request(method, path, **rest)

    def order(self, **changes: Any) -> dict[str, Any]:
        """A good cloud copy of the compatible API, with changes; None takes a field out."""
        body = {
            "instance_id": str(self.instance),
            "src": "/workspace/run",
            "dst": "bucket/run",
            "selected": str(self.connection),
            "transfer": "Instance to Cloud",
            "flags": [],
        } | changes
        return {name: value for name, value in body.items() if value != "absent"}

    def native(self, **changes: Any) -> dict[str, Any]:
        """A good order of the native API, with changes."""
        return {
            "instance": "box",
            "connection": "store",
            "direction": "instance_to_cloud",
            "src": "/workspace/run",
            "dst": "bucket/run",
        } | changes


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    settings = ServerSettings(
        data_dir=tmp_path / "server",
        host="127.0.0.1",
        port=0,
        tools=Tools(allow_unconfined=True),
    )
    async with server.services(settings, asyncio.Event()) as found:
        _, key = await keys.create("test", account=server.OWNER, desk=found.keys)
        private_key = Ed25519PrivateKey.generate()
        token, _ = await machines.invite(caller=OWNER, desk=found.machines)
        machine = await machines.enrol(
            token,
            public_key=private_key.public_key().public_bytes_raw(),
            name="gpu-1",
            desk=found.machines,
        )
        told = wire.Announce(
            instances=[
                wire.AnnouncedInstance("box", "/srv/box", "running"),
                wire.AnnouncedInstance("other", "/srv/other", "stopped"),
            ]
        )
        ids = await machines.announce(told, machine=machine.id, desk=found.machines)
        transport = httpx2.ASGITransport(build_app(found), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://plane") as client:
            made = await client.post(
                "/v1/connections?test=false",
                json={
                    "name": "store",
                    "cloud_type": "s3",
                    "parameters": {
                        "endpoint": "http://127.0.0.1:9",
                        "access_key_id": "AKIDSECRET",
                        "secret_access_key": "TOPSECRET",
                    },
                },
                headers={"Authorization": f"Bearer {key}"},
            )
            assert made.status_code == 201, made.text
            yield Plane(
                services=found,
                client=client,
                key=key,
                machine=machine.id,
                private_key=private_key,
                instance=ids["box"],
                connection=made.json()["id"],
            )
