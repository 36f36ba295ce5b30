"""Real cells with a real rclone in them, and what can be asked of one from outside."""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudcopy.adapters.sandbox.beneath import Shown, open_source, open_target
from cloudcopy.adapters.sandbox.bubblewrap import Bubblewrap
from cloudcopy.adapters.sandbox.cell import Confined, Inside, Program, Sandbox
from cloudcopy.adapters.sandbox.landlock import Landlock, Unconfined
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.paths import InstancePath

RCLONE = Path(sys.executable).with_name("rclone")
BWRAP = Path(shutil.which("bwrap") or "/usr/bin/bwrap")
SANDBOXES: dict[str, Callable[[], Sandbox]] = {
    "bubblewrap": lambda: Bubblewrap(BWRAP),
    "landlock": Landlock,
    "unconfined": Unconfined,
}
LONG_SECONDS = 30.0  # far beyond what anything here takes, so that a hang ends as a failure


@dataclass(frozen=True)
class Ground:
    """The directories of one test, some of them an instance user's."""

    top: Path
    owner: int

    @property
    def root(self) -> Path:
        return self.top / "instance"

    @property
    def outside(self) -> Path:
        return self.top / "outside"

    @property
    def store(self) -> Path:
        return self.top / "store"

    @property
    def run(self) -> Path:
        return self.top / "run"

    @property
    def log(self) -> Path:
        return self.top / "log"

    @property
    def lock(self) -> Path:
        return self.top / "lock"

    def lay(self) -> "Ground":
        for place in (self.root, self.outside, self.store, self.run):
            place.mkdir(mode=0o700)
        return self

    def give(self) -> None:
        """Hand everything in the instance, the store and outside to the owner."""
        for place in (self.root, self.outside, self.store):
            for path in (place, *place.rglob("*")):
                os.chown(path, self.owner, self.owner, follow_symlinks=False)

    def source(self, text: str = "") -> Shown:
        return open_source(self.root, InstancePath.parse(text, field="src"))

    def target(self, text: str = "") -> Shown:
        return open_target(self.root, InstancePath.parse(text, field="dst"))

    def lock_is_free(self) -> bool:
        with self.lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True


@dataclass(frozen=True)
class Cell:
    confined: Confined
    inside: Inside
    run: Path

    async def rc(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask rclone over its socket; an error is an answer with `error` in it."""
        body = json.dumps(parameters).encode()
        with closing(_Directory(self.run)) as run:
            reader, writer = await asyncio.open_unix_connection(f"{run.path}/rc.sock")
        try:
            head = f"POST /{method} HTTP/1.0\r\nContent-Type: application/json\r\n"
            writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            answer = await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()
        parsed = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert isinstance(parsed, dict)
        return parsed

    async def errors(self) -> int:
        """So far. A directory that rclone may not read is an error but no answer."""
        return int((await self.rc("core/stats"))["errors"])

    async def ready(self) -> None:
        """Until it answers: the socket is there a moment before rclone listens on it."""
        ended = asyncio.ensure_future(self.confined.wait())
        try:
            while not ended.done():
                with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                    await self.rc("rc/noop")
                    return
                await asyncio.wait({ended}, timeout=0.005)
        finally:
            ended.cancel()
        raise AssertionError("rclone ended at once")


class _Directory:
    """A path of any length, short enough for a socket's address."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_PATH)
        self.path = f"/proc/self/fd/{self._fd}"

    def close(self) -> None:
        os.close(self._fd)


@asynccontextmanager
async def begun(
    sandbox: Sandbox,
    ground: Ground,
    shown: Shown,
    *,
    writable: bool = False,
    store: bool = True,
    config: Backend | None = None,
) -> AsyncIterator[Cell]:
    """A cell in which rclone may not have come up yet. Killed at the end if it still lives."""
    seen: list[Inside] = []

    def arguments(inside: Inside) -> list[str]:
        seen.append(inside)
        socket = f"{inside.run}/rc.sock" if inside.run else "rc.sock"
        return ["rcd", *inside.config, f"--rc-addr=unix://{socket}", "--rc-no-auth"]

    async with AsyncExitStack() as stack:
        stack.callback(shown.close)
        lock = os.open(ground.lock, os.O_RDWR | os.O_CREAT)
        log = os.open(ground.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            confined = await sandbox.start(
                Program(
                    binary=RCLONE,
                    arguments=arguments,
                    shown=shown,
                    writable=writable,
                    store=ground.store if store else None,
                    run_dir=ground.run,
                    config=config or Backend("local", {}),
                    lock_fd=lock,
                    stderr=log,
                )
            )
        finally:
            os.close(lock)
            os.close(log)
        try:
            yield Cell(confined, seen[0], ground.run)
        finally:
            confined.kill()
            await asyncio.wait_for(confined.wait(), LONG_SECONDS)


@asynccontextmanager
async def running(
    sandbox: Sandbox, ground: Ground, shown: Shown, **how: Any
) -> AsyncIterator[Cell]:
    """A cell in which rclone answers."""
    async with begun(sandbox, ground, shown, **how) as cell:
        await asyncio.wait_for(cell.ready(), LONG_SECONDS)
        yield cell
