"""A machine that offers instances, and what its agent would say; used by several tests."""

from dataclasses import dataclass
from typing import Any

from cloudcopy.control import hosting, machines
from cloudcopy.domain.offer import FIRST_ASK, Gpu, Hardware
from cloudcopy.wire import agent as wire
from cloudcopy.wire.instances import Asked, WantedInstance
from tests.http.conftest import Plane

HARDWARE = Hardware(
    runtime="process",
    gpus=(Gpu("RTX 4090", 24564),) * 2,
    cpu_cores=8,
    cpu_ram_mb=64_000,
    disk_gb=500.0,
)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXsH2ev3l0nUe8K1WIxLhQZPjQtdd6CUz9h4Gp7S6Zc"


@dataclass
class Hosted:
    plane: Plane

    @property
    def ask(self) -> int:
        return FIRST_ASK + self.plane.machine

    async def announce(
        self, hardware: Hardware | None = HARDWARE, *, connected: bool = True
    ) -> None:
        told = wire.Announce(
            instances=[wire.AnnouncedInstance("box", "/srv/box", "running")], hardware=hardware
        )
        await machines.announce(told, machine=self.plane.machine, desk=self.plane.services.machines)
        await machines.heard(self.plane.machine, desk=self.plane.services.machines)

    async def create(self, **body: Any) -> int:
        """By the compatible API."""
        reply = await self.plane.ask("PUT", f"/api/v0/asks/{self.ask}/", body)
        assert reply.status_code == 200, reply.text
        return int(reply.json()["new_contract"])

    async def frames(self) -> list[wire.DesiredInstances]:
        app = self.plane.services
        return list(
            await hosting.desired(
                self.plane.machine, reads=app.reads, vault=app.vault, now=app.now()
            )
        )

    async def wanted(self) -> list[WantedInstance]:
        return [each for frame in await self.frames() for each in frame.instances]

    async def asked(self) -> list[Asked]:
        return [each for frame in await self.frames() for each in frame.questions]

    async def say(self, status: str, text: str = "", *, which: int = -1, **changes: Any) -> None:
        """What the machine says about the instance that it was told of last."""
        about = (await self.wanted())[which]
        known = {"name": about.name, "boot": about.boot, "actual_status": status, "text": text}
        await hosting.reported_now(
            wire.InstanceNow(**known | changes),
            machine=self.plane.machine,
            open_store=self.plane.services.open_store,
            now=self.plane.services.now,
        )

    async def answer(self, id: str, text: str) -> None:
        await hosting.answered(
            wire.InstanceAnswer(id=id, text=text),
            machine=self.plane.machine,
            open_store=self.plane.services.open_store,
            now=self.plane.services.now,
        )

    async def row(self, id: int) -> dict[str, Any]:
        reply = await self.plane.ask("GET", f"/api/v0/instances/{id}/")
        return dict(reply.json()["instances"])
