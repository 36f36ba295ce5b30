"""One rclone daemon for one copy: started confined, listened to, ended."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import Any, Final, Protocol

from cloudcopy.adapters.rclone.flags import PATIENT, as_daemon
from cloudcopy.adapters.rclone.rc import Gone, Rc, RcError, drawn, listening
from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.adapters.sandbox.cell import Confined, Inside, Program, Sandbox
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.flags import Flags

READY_SECONDS: Final = 30.0  # a start takes 0.1 s; a starved machine may take long
GRACE_SECONDS: Final = 10.0  # from SIGTERM to SIGKILL; aborting uploads takes one round trip
MAX_LINE: Final = 1 << 20
_CHUNK: Final = 1 << 16
_PIPE_BYTES: Final = 1 << 20  # what an ordinary user may ask for; so no mover waits for us
_SOME_SECONDS: Final = 0.02


class Log:
    """The reading end of rclone's stderr; hands over whole lines, in order.

    There is a line for each file. They are read some at a time, and all that were written before an
    answer when that comes: to wake up for each costs as much as all else that is done about it.
    """

    def __init__(self, feed: Callable[[bytes], None]) -> None:
        self.feed = feed  # another, once the program works for somebody else
        self._rest = b""
        self._fd, self.writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.writer, True)
        with contextlib.suppress(PermissionError):  # the user has many large ones already
            fcntl(self.writer, F_SETPIPE_SZ, _PIPE_BYTES)
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._fd, self._wait)

    def _wait(self) -> None:
        self._loop.remove_reader(self._fd)
        self._later = self._loop.call_later(_SOME_SECONDS, self._look)

    def _look(self) -> None:
        self._later = None
        if self.drain():
            self._loop.add_reader(self._fd, self._wait)

    def drain(self) -> bool:
        """Take in everything rclone has written so far; False when it cannot write any more."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._fd, _CHUNK):
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        self.feed(line)
                self._rest = self._rest[:MAX_LINE]
            self._loop.remove_reader(self._fd)
            return False
        return True

    def close(self) -> None:
        if self._later:
            self._later.cancel()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class Calls(Protocol):
    """`Rc`, or what answers like one.

    Attributes:
        unsupported: Why rclone must do this copy; empty while it need not.
    """

    unsupported: str

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]: ...


@dataclass
class Daemon:
    """A running rclone, or a program that answers its calls.

    Attributes:
        shown: What it was shown of the instance.
        run_dir: A private directory that rclone sees as `inside.run`.
        by_name: It copies what is named, whatever the destination has, and nothing else.
        killed: It did not end when asked, so it may have left unfinished uploads.
    """

    rc: Calls
    inside: Inside
    log: Log
    confined: Confined
    shown: Shown
    run_dir: Path
    by_name: bool = False
    killed: bool = field(default=False, init=False)

    @property
    def single_file(self) -> bool:
        """What it was shown of the instance is one file, not a directory."""
        return bool(self.shown.name)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """`Rc.call`, with the log read up to the answer."""
        try:
            return await self.rc.call(method, **parameters)
        finally:
            self.log.drain()

    async def end(self) -> None:
        """SIGTERM, which aborts multipart uploads, then SIGKILL after `GRACE_SECONDS`."""
        self.confined.terminate()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await self.confined.wait()
        except TimeoutError:
            self.killed = True
            self.confined.kill()
            await self.confined.wait()


@asynccontextmanager
async def daemon(
    sandbox: Sandbox,
    *,
    binary: Path,
    shown: Shown,
    writable: bool,
    store: Path | Shown | None,
    run_dir: Path,
    backend: Backend,
    flags: Flags,
    lock_fd: int,
    feed: Callable[[bytes], None],
    patience: tuple[str, ...] = PATIENT,
) -> AsyncIterator[Daemon]:
    """Start one and wait until it answers; it has ended when this does.

    Args:
        patience: How long rclone waits for a store that does not answer (`rclone.flags`).

    Raises:
        Gone: it ended before it answered; why is in its log.
    """
    log = Log(feed)
    seen: list[Inside] = []

    def arguments(inside: Inside) -> list[str]:
        seen.append(inside)
        return as_daemon(inside.run, inside.config, flags, patience=patience)

    try:
        try:
            password = drawn(run_dir)
            with listening(run_dir) as socket:
                confined = await sandbox.start(
                    Program(
                        binary=binary,
                        arguments=arguments,
                        shown=shown,
                        writable=writable,
                        store=store,
                        run_dir=run_dir,
                        config=backend,
                        lock_fd=lock_fd,
                        stderr=log.writer,
                        socket=socket,
                    )
                )
        finally:
            os.close(log.writer)
        async with Rc(run_dir, password) as rc:
            running = Daemon(rc, seen[0], log, confined, shown=shown, run_dir=run_dir)
            async with answering(running):
                yield running
    finally:
        log.close()


@asynccontextmanager
async def answering(running: Daemon) -> AsyncIterator[None]:
    """From when the program serves its socket; it has ended when this does.

    Raises:
        Gone: it ended before it answered, or did not answer in time.
    """
    try:
        await _answer(running)
        yield
    finally:
        await asyncio.shield(running.end())
        running.log.drain()


async def _answer(running: Daemon) -> None:
    """Wait until the program serves its socket. Until then a call waits in the socket's queue."""
    ended = asyncio.ensure_future(running.confined.wait())
    asked = asyncio.ensure_future(running.rc.call("rc/noop"))
    try:
        done, _ = await asyncio.wait(
            {ended, asked}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            raise Gone("rclone did not answer in time")
        if asked not in done:
            raise Gone("rclone ended at once")
        with contextlib.suppress(RcError):
            asked.result()
    finally:
        ended.cancel()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
