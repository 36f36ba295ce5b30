"""Movers that have started, and know of no copy yet.

A start takes 0.1 s: two programs before it, the interpreter, its modules. A small copy takes less
than that. So one is started ahead and waits, confined to nothing of anybody's, and is then handed
over what it may see.
"""

import asyncio
import os
import shutil
import socket
import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import obstore

from cloudcopy.adapters.objects.bundle import START, bundled
from cloudcopy.adapters.objects.link import Link
from cloudcopy.adapters.rclone.process import Log
from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.adapters.sandbox.cell import Confined, Inside, Program, Sandbox

# When the next is started, after one was taken and after it ended, whichever is first: a small
# copy, its report and the look at the store have the cores to themselves.
TAKEN_SECONDS: Final = 5.0
ENDED_SECONDS: Final = 0.2
DIRECTORY: Final = "waiting"  # in an agent's work directory; what is in it may go when it starts
_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
Owner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spare:
    """One that runs."""

    link: Link
    log: Log
    confined: Confined
    inside: Inside


@asynccontextmanager
async def spare(
    sandbox: Sandbox,
    *,
    run_dir: Path,
    feed: Callable[[bytes], None],
    owner: Owner | None = None,
    shown: Shown | None = None,
    writable: bool = False,
) -> AsyncIterator[Spare]:
    """Start one. It has ended when this does.

    Args:
        run_dir: A private directory, empty.
        shown: What it is shown from the start, where it cannot be handed over.
        owner: Of what is handed over.

    Raises:
        Unavailable: it did not start.
    """
    modules = await asyncio.to_thread(bundled)
    log = Log(feed)
    seen: list[Inside] = []

    def arguments(inside: Inside) -> list[str]:
        """Nothing of the agent's environment, of a user's directories or of `site`."""
        seen.append(inside)
        return ["-I", "-S", "-B", "-c", START]

    ours, theirs = socket.socketpair()
    try:
        try:
            confined = await sandbox.start(
                Program(
                    binary=_interpreter(),
                    arguments=arguments,
                    shown=shown,
                    writable=writable,
                    run_dir=run_dir,
                    stderr=log.writer,
                    socket=theirs.fileno(),
                    libraries=libraries(),
                    owner=owner,
                )
            )
        finally:
            theirs.close()
            os.close(log.writer)
        ours.setblocking(False)
        try:
            async with Link(ours, first=modules) as link:
                yield Spare(link, log, confined, seen[0])
        finally:
            confined.kill()  # one that had a copy has ended before (`rclone.process.answering`)
            await asyncio.shield(confined.wait())
    finally:
        ours.close()
        log.close()


@dataclass(slots=True)
class _Held:
    """One that runs, or is being started, until `left`."""

    owner: Owner
    ready: "asyncio.Future[Spare]"
    lines: list[bytes] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    def fits(self, owner: Owner) -> bool:
        if self.owner != owner:
            return False
        failed = self.ready.done() and self.ready.exception() is not None
        return not failed and (not self.ready.done() or self.ready.result().link.alive)


@dataclass(slots=True)
class Spares:
    """At most one waits, for whoever took the last one. Used from one event loop.

    Attributes:
        work_dir: In its `DIRECTORY` are private ones, of each.
    """

    sandbox: Sandbox
    work_dir: Path
    _next: _Held | None = field(default=None, init=False)
    _again: asyncio.TimerHandle | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set, init=False)

    @asynccontextmanager
    async def taken(self, owner: Owner, feed: Callable[[bytes], None]) -> AsyncIterator[Spare]:
        """The one that waits, or a new one. It has ended when this does.

        Args:
            feed: Gets its log, line by line.

        Raises:
            Unavailable: it did not start.
        """
        held, self._next = self._next, None
        if held is None or not held.fits(owner):
            if held:
                held.left.set()
            held = self._start(owner)
        self._expect(owner, TAKEN_SECONDS)
        try:
            try:
                found = await asyncio.shield(held.ready)
            finally:
                for line in held.lines:
                    feed(line)
            found.log.feed = feed
            yield found
        finally:
            held.left.set()
            if held.task:
                await asyncio.gather(held.task, return_exceptions=True)
            self._expect(owner, ENDED_SECONDS)

    @property
    def waits(self) -> "asyncio.Future[Spare] | None":
        """The one that waits, once it has started; None while there is none."""
        return None if self._next is None else self._next.ready

    async def close(self) -> None:
        """Wait until all have ended."""
        self._closed = True
        if self._again:
            self._again.cancel()
        if self._next:
            self._next.left.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _expect(self, owner: Owner, seconds: float) -> None:
        if self._again:
            self._again.cancel()
        if not self._closed:
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(seconds, self._ahead, owner)

    def _ahead(self, owner: Owner) -> None:
        if self._next is None:
            self._next = self._start(owner)

    def _start(self, owner: Owner) -> _Held:
        held = _Held(owner, asyncio.get_running_loop().create_future())
        held.task = asyncio.create_task(self._hold(held))
        self._tasks.add(held.task)
        held.task.add_done_callback(self._tasks.discard)
        return held

    async def _hold(self, held: _Held) -> None:
        run_dir = None
        try:
            run_dir = await asyncio.to_thread(self._private)
            own = spare(self.sandbox, run_dir=run_dir, owner=held.owner, feed=held.lines.append)
            async with own as found:
                held.ready.set_result(found)
                await held.left.wait()
        except BaseException as error:
            if held.ready.done() or not isinstance(error, Exception):
                raise
            held.ready.set_exception(error)
            held.ready.exception()  # whoever waits is told; nobody may
        finally:
            if run_dir:
                shutil.rmtree(run_dir, ignore_errors=True)

    def _private(self) -> Path:
        place = self.work_dir / DIRECTORY
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=place))


def _interpreter() -> Path:
    return Path(sys.executable).resolve()


@cache
def libraries() -> Sequence[Path]:
    """What the interpreter reads: itself, its library, the system's, and obstore."""
    shared = Path(str(sysconfig.get_config_var("LIBDIR"))) / str(
        sysconfig.get_config_var("INSTSONAME")
    )
    own = [
        *map(Path, _LIBRARIES),
        _interpreter(),
        Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix})),
        Path(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_prefix})),
        shared,
        Path(str(obstore.__file__)).resolve().parent,
    ]
    wanted: list[Path] = []
    for each in own:
        if each.exists() and not any(each.is_relative_to(known) for known in wanted):
            wanted.append(each)
    return tuple(wanted)
