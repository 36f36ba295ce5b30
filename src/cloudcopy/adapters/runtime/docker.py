"""Instances as containers.

Copies see the instance's directory on the host, of which the container has ``workspace`` and
``.ssh``. Containers outlive the agent: what they are is asked of the engine each time, and what
only we know, which boot it is and whether we stopped it, is kept beside the directory.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cloudcopy.adapters.runtime import files
from cloudcopy.adapters.runtime.engine import Engine
from cloudcopy.adapters.runtime.home import Home, State, sweep
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.question import MAX_TAIL, Command
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.runtime import Spec, Standing

GRACE_SECONDS: Final = 5
LABEL: Final = "cloudcopy.instance"
# Runs the script, which is the next argument; if it succeeds the container stays.
_SCRIPT: Final = 'sh -c "$0" && exec tail -f /dev/null'
_ALL_GPUS: Final = {"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}


@dataclass
class DockerRuntime:
    """See `ports.runtime.InstanceRuntime`.

    Attributes:
        directory: Private to the agent; holds one `Home` for each instance.
        gpus: Containers get all GPUs of the machine.
    """

    directory: Path
    engine: Engine
    now: Clock
    gpus: bool = False
    _call: Callable[[str], None] = field(default=lambda name: None, init=False)

    @property
    def name(self) -> str:
        return "docker"

    def on_change(self, call: Callable[[str], None]) -> None:
        """Nothing changes by itself that the agent's rounds do not find."""
        self._call = call

    async def recover(self) -> None:
        await asyncio.to_thread(sweep, self.directory)

    def root(self, name: str) -> Path | None:
        home = self._home(name)
        return home.root if home.there() else None

    async def create(self, spec: Spec) -> None:
        """The directory; the container comes with the first start, which fetches the image."""
        home = self._home(spec.name)
        if not home.there():
            await asyncio.to_thread(home.make, None)
            home.note(self.now(), "created")
        for below in ("workspace", ".ssh"):
            await asyncio.to_thread(home.folder, below)
        await asyncio.to_thread(home.place, spec.keys)

    async def start(self, spec: Spec) -> None:
        home, container = self._home(spec.name), _container(spec.name)
        if await self.engine.inspect(container) is None:
            if not await self.engine.has(spec.image):
                home.note(self.now(), f"fetching the image {spec.image}")
                await self.engine.pull(spec.image)
            await self.engine.create(container, self._body(spec, home))
        await asyncio.to_thread(home.remember, State(boot=spec.boot))
        await self.engine.start(container)
        home.note(self.now(), f"boot {spec.boot} started")

    async def stop(self, name: str) -> None:
        home = self._home(name)
        before = await asyncio.to_thread(home.state)
        await asyncio.to_thread(home.remember, State(boot=before.boot, down=True))
        await self.engine.stop(_container(name), grace_seconds=GRACE_SECONDS)
        home.note(self.now(), "stopped")

    async def reboot(self, spec: Spec) -> None:
        home = self._home(spec.name)
        await asyncio.to_thread(home.remember, State(boot=spec.boot))
        await self.engine.restart(_container(spec.name), grace_seconds=GRACE_SECONDS)
        home.note(self.now(), f"boot {spec.boot} started")

    async def destroy(self, name: str) -> None:
        await self.engine.remove(_container(name))
        await asyncio.to_thread(self._home(name).remove)

    async def status(self, name: str) -> Standing | None:
        home = self._home(name)
        if not home.there():
            return home.absent()
        state = await asyncio.to_thread(home.state)
        if state.exited is not None:
            return Standing(ActualStatus.EXITED, state.boot, state.exited)
        found = await self.engine.inspect(_container(name))
        told: dict[str, Any] = found["State"] if found else {}
        if told.get("Running"):
            frozen = told.get("Paused")
            status = ActualStatus.FROZEN if frozen else ActualStatus.RUNNING
            return Standing(status, state.boot)
        if found is None or state.down or state.boot == 0 or told.get("Status") == "created":
            return Standing(ActualStatus.STOPPED, state.boot)
        return await self._exited(home, state, told)

    async def _exited(self, home: Home, state: State, told: dict[str, Any]) -> Standing:
        """It ended and we did not ask for it: that is for good."""
        words = f"the container ended with exit code {told.get('ExitCode')}"
        if told.get("OOMKilled"):
            words = "the container ran out of memory"
        elif told.get("Error"):
            words = f"{words}: {str(told['Error'])[:500]}"
        await asyncio.to_thread(home.remember, State(boot=state.boot, exited=words))
        home.note(self.now(), f"exited: {words}")
        return Standing(ActualStatus.EXITED, state.boot, words)

    async def logs(self, name: str, *, tail: int, filter: str, daemon: bool) -> str:
        home = self._home(name)
        if daemon:
            return await asyncio.to_thread(home.tail, home.notes, lines=tail, filter=filter)
        lines = MAX_TAIL if filter else tail
        told = await self.engine.logs(_container(name), lines=lines)
        kept = [line for line in told.splitlines() if filter in line][-tail:]
        return "".join(f"{line}\n" for line in kept)

    async def execute(self, name: str, command: Command) -> str:
        return await asyncio.to_thread(files.carry_out, self._home(name).root, command)

    async def close(self) -> None:
        """Containers go on."""

    def _home(self, name: str) -> Home:
        return Home.of(self.directory, name)

    def _body(self, spec: Spec, home: Home) -> dict[str, Any]:
        """What `POST /containers/create` takes."""
        variables = {
            "CONTAINER_ID": str(spec.id),
            "CONTAINER_LABEL": f"C.{spec.id}",
            **spec.env,
        }
        body: dict[str, Any] = {
            "Image": spec.image,
            "Env": [f"{name}={value}" for name, value in variables.items()],
            "Labels": {LABEL: spec.name},
            "HostConfig": {
                "Binds": [
                    f"{home.root}/workspace:/workspace",
                    f"{home.root}/.ssh:/root/.ssh",
                ],
                "SecurityOpt": ["no-new-privileges"],
                "DeviceRequests": [_ALL_GPUS] if self.gpus else [],
            },
        }
        if spec.onstart:
            return body | {"Entrypoint": ["sh", "-c", _SCRIPT, spec.onstart], "Cmd": []}
        if spec.args:
            return body | {"Cmd": list(spec.args)}
        return body | {"Entrypoint": ["tail", "-f", "/dev/null"], "Cmd": []}


def _container(name: str) -> str:
    return f"cloudcopy-{name.removeprefix('~')}"
