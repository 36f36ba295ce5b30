"""Every adapter of `ports.runtime`, on an empty directory, and what it needs to be tried."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudcopy.adapters.runtime.docker import DockerRuntime
from cloudcopy.adapters.runtime.engine import Engine
from cloudcopy.adapters.runtime.process import NOBODY, ProcessRuntime
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.ports.runtime import InstanceRuntime, Spec, Standing
from tests.contracts.docker_engine import FakeEngine

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "~01m8ad9qqasp850e6zpfkzbqkc"


def spec(onstart: str = "", **changes) -> Spec:
    known = {"name": NAME, "id": 101, "boot": 1, "image": "img", "onstart": onstart}
    return Spec(**{**known, **changes})


@dataclass
class Host:
    """A runtime, and what changed by itself in it.

    Attributes:
        again: Opens the same host for a new agent, after the old one has died.
    """

    runtime: InstanceRuntime
    again: Callable[[], InstanceRuntime]
    changed: list[str] = field(default_factory=list)
    rung: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.runtime.on_change(self._ring)

    def _ring(self, name: str) -> None:
        self.changed.append(name)
        self.rung.set()

    async def until(self, status: ActualStatus, text: str = "") -> Standing:
        """How the instance is, once it is so; looked at on each change."""
        async with asyncio.timeout(20):
            while True:
                self.rung.clear()
                found = await self.runtime.status(NAME)
                if found and found.actual_status is status and text in found.text:
                    return found
                await self.rung.wait()

    async def standing(self) -> tuple[ActualStatus, int] | None:
        found = await self.runtime.status(NAME)
        return (found.actual_status, found.boot) if found else None

    async def root(self) -> Path:
        found = self.runtime.root(NAME)
        assert found
        return found


def process_host(directory: Path, *, confined: bool = True, as_root: bool = False) -> Host:
    owner = NOBODY if os.geteuid() == 0 and not as_root else None

    def again() -> ProcessRuntime:
        return ProcessRuntime(
            directory, lambda: T0, confined=confined, owner=owner, grace_seconds=0.5
        )

    return Host(again(), again)


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Host]:
    host = process_host(tmp_path)
    yield host
    await host.runtime.close()


@asynccontextmanager
async def docker_host(directory: Path) -> AsyncIterator[tuple[Host, FakeEngine]]:
    """A runtime over a real socket, behind which recorded answers are given."""
    fake = FakeEngine(images={"img"})
    homes = directory / "instances"
    homes.mkdir()
    # The path of a Unix socket has at most 108 bytes.
    with tempfile.TemporaryDirectory(prefix="cc") as short:
        path = Path(short) / "docker.sock"
        async with fake.listening(path):

            def again() -> DockerRuntime:
                return DockerRuntime(homes, Engine(path), lambda: T0)

            yield Host(again(), again), fake
