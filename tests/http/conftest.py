"""A whole control plane without a port: real SQL, real vault, requests over ASGI."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from cloudcopy.compose import server
from cloudcopy.compose.settings import ServerSettings, Tools
from cloudcopy.control import keys, machines, reports
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.domain.ledger import FileRow
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Phase, Progress, Result
from cloudcopy.domain.transfer import Transfer
from cloudcopy.domain.turns import Limits
from cloudcopy.http.app import build_app
from cloudcopy.http.services import Services
from cloudcopy.wire import agent as wire
from cloudcopy.wire import ledger

OWNER = Caller(server.OWNER, KeyId("test"))


@dataclass
class Plane:
    """The control plane, a key to it, a machine with the instances `box` and `other`."""

    services: Services
    app: FastAPI
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

    async def submitted(self, **changes: Any) -> str:
        """The id of a new transfer."""
        made = await self.ask("POST", "/v1/transfers", self.native(**changes))
        assert made.status_code == 202, made.text
        return str(made.json()["id"])

    async def newest(self) -> Transfer:
        """The transfer, plan or check that was ordered last."""
        listed = (await self.ask("GET", "/v1/transfers?limit=1")).json()["data"]
        found = await self.services.reads.transfer(TransferId(listed[0]["id"]), account=None)
        return found.transfer

    async def report(self, kind: Any, reason: str = "", **numbers: Any) -> None:
        """What the agent would say about the newest transfer."""
        about = await self.newest()
        told = wire.Report(
            transfer=about.id,
            attempt=about.attempt,
            fence=about.fence,
            kind=kind,
            at=self.services.now(),
            reason=reason,
            result=Result(**numbers) if numbers else None,
        )
        await reports.apply(
            told,
            machine=self.machine,
            open_store=self.services.open_store,
            bus=self.services.bus,
            now=self.services.now,
            limits=self.services.transfers.limits,
        )

    async def note(self, *, keep: bool = True, **numbers: Any) -> None:
        """The agent's numbers of the newest transfer."""
        about = await self.newest()
        told = wire.ProgressNow(
            transfer=about.id,
            attempt=about.attempt,
            fence=about.fence,
            progress=Progress(**{"phase": Phase.TRANSFERRING} | numbers),
        )
        await reports.note(
            told,
            open_store=self.services.open_store,
            bus=self.services.bus,
            now=self.services.now,
            keep=keep,
        )

    async def keep(self, *rows: FileRow) -> None:
        """Put the ledger of the newest transfer's attempt in its place, in one chunk."""
        about = await self.newest()
        chunk = ledger.pack(ledger.line(row) for row in rows)
        async with self.services.open_store() as store:
            await store.ledgers.put(about.id, about.attempt, 0, chunk, rows=len(rows))

    def limit_to(self, turns: int) -> None:
        """So many transfers of the account at once."""
        object.__setattr__(self.services.transfers, "limits", Limits(account=turns))


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
        app = build_app(found)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
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
                app=app,
                client=client,
                key=key,
                machine=machine.id,
                private_key=private_key,
                instance=ids["box"],
                connection=made.json()["id"],
            )
