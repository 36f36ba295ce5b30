"""One confined, read-only `rclone serve webdav` for each relay; see `ports.tunnels.Origins`.

It shows the path of one copy and nothing else of the instance, on a unix socket in a private
directory.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudcopy.adapters.rclone.flags import OURS
from cloudcopy.adapters.rclone.process import READY_SECONDS, Log
from cloudcopy.adapters.sandbox.beneath import Shown, open_source
from cloudcopy.adapters.sandbox.cell import Confined, Inside, Program, Sandbox
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.paths import InstancePath
from cloudcopy.ports.tunnels import Origin

SOCKET: Final = "dav.sock"
DIRECTORY: Final = "relays"  # below the agent's work directory
POLL_SECONDS: Final = 0.005  # while rclone makes its socket: there is nothing to be told by
_PRIVATE: Final = 0o700
_TAIL: Final = 20  # lines of its log
# A listing is at most this old, as a copy sees it. Without, rclone reads a whole directory for
# each file that is opened in it.
_REMEMBERED: Final = "--dir-cache-time=5s"


@dataclass(frozen=True, slots=True, kw_only=True)
class RcloneOrigins:
    """See `ports.tunnels.Origins`.

    Attributes:
        work_dir: Private to this agent; holds a directory for each server.
    """

    sandbox: Sandbox
    binary: Path
    work_dir: Path

    @asynccontextmanager
    async def serve(self, relay: str, root: Path, path: InstancePath) -> AsyncIterator[Origin]:
        async with AsyncExitStack() as stack:
            run_dir = await asyncio.to_thread(_fresh, self.work_dir / DIRECTORY, relay)
            stack.callback(shutil.rmtree, run_dir.parent, ignore_errors=True)
            shown = await asyncio.to_thread(open_source, root, path)
            stack.enter_context(shown)
            confined = await stack.enter_async_context(self._confined(shown, run_dir))
            await _answers(confined, run_dir / SOCKET)
            yield Origin(shown.name, run_dir / SOCKET, confined.wait)

    @asynccontextmanager
    async def _confined(self, shown: Shown, run_dir: Path) -> AsyncIterator[Confined]:
        log = Log(deque[bytes](maxlen=_TAIL).append)
        lock = os.open(run_dir.parent / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                confined = await self.sandbox.start(
                    Program(
                        binary=self.binary,
                        arguments=lambda inside: _arguments(inside, shown.name),
                        shown=shown,
                        writable=False,
                        store=None,
                        run_dir=run_dir,
                        config=Backend("local", {}),
                        lock_fd=lock,
                        stderr=log.writer,
                        listed=bool(shown.name),
                    )
                )
            finally:
                os.close(log.writer)
                os.close(lock)
            try:
                yield confined
            finally:
                confined.kill()  # it only reads: there is nothing to finish
                await asyncio.shield(confined.wait())
        finally:
            log.close()


def _arguments(inside: Inside, name: str) -> list[str]:
    socket = f"{inside.run}/{SOCKET}" if inside.run else SOCKET
    return [
        "serve",
        "webdav",
        *inside.config,
        f"--addr=unix://{socket}",
        "--read-only",
        _REMEMBERED,
        "--poll-interval=0",
        "--etag-hash=MD5",
        *OURS,
        f"{inside.data}/{name}" if name else inside.data,
    ]


def _fresh(place: Path, relay: str) -> Path:
    """A directory of its own: an earlier server of the same relay may still be dying."""
    place.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    run_dir = Path(tempfile.mkdtemp(prefix=f"{relay}-", dir=place)) / "run"
    run_dir.mkdir(mode=_PRIVATE)
    return run_dir


async def _answers(confined: Confined, place: Path) -> None:
    """Wait until somebody listens at `place`.

    Raises:
        Unavailable: rclone ended first, or it takes too long.
    """
    ended = asyncio.ensure_future(confined.wait())
    directory = os.open(place.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not ended.done():
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_unix_connection(
                        f"/proc/self/fd/{directory}/{place.name}"
                    )
                    writer.close()
                    return
                await asyncio.wait({ended}, timeout=POLL_SECONDS)
    except TimeoutError:
        pass
    finally:
        ended.cancel()
        os.close(directory)
    raise Unavailable("the source's machine could not serve it: rclone ended or did not answer")
