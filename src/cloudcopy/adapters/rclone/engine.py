"""rclone as a `TransferEngine`: prove the source, copy, compare, judge.

Everything about one copy happens in one confined process, so its connections to the store
are made once, and its credentials, memory, bandwidth limit and crashes are its own.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.process import Daemon, daemon
from cloudcopy.adapters.rclone.rc import Gone, RcError
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.adapters.rclone.remotes import obscured, store_directory
from cloudcopy.adapters.rclone.run import Run
from cloudcopy.adapters.rclone.verdict import keeps, unfinished
from cloudcopy.adapters.sandbox.beneath import Shown, open_source, open_target
from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.domain.errors import CloudCopyError, Invalid
from cloudcopy.domain.paths import InstancePath
from cloudcopy.domain.progress import Phase, Progress, Result
from cloudcopy.domain.transfer import Direction
from cloudcopy.ports.clock import Stop
from cloudcopy.ports.engine import Broken, Copy, End, Halted

PROGRESS_SECONDS: Final = 1.0  # lossy, latest value only: more often shows nothing more
_PRIVATE: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class RcloneEngine:
    """See `ports.engine.TransferEngine`.

    Attributes:
        work_dir: Private to this agent; holds a run directory and a lock per copy.
        local_store: Where connections of the kind `local` may lie; None refuses them.
    """

    sandbox: Sandbox
    binary: Path
    work_dir: Path
    local_store: Path | None = None

    async def run(self, copy: Copy, stop: Stop) -> AsyncGenerator[Progress | End, None]:
        ledger = Ledger(keep_names=keeps(copy.flags))
        async with AsyncExitStack() as stack:
            yield Progress(phase=Phase.PREPARING)
            try:
                started = await self._start(copy, ledger, stack)
            except CloudCopyError as error:
                yield Broken(str(error), Result(interrupted=copy.resumed))
                return
            except Gone:
                yield Broken(_crash(ledger), Result(interrupted=copy.resumed))
                return
            async for event in _follow(started, copy, ledger, stop):
                yield event

    async def _start(self, copy: Copy, ledger: Ledger, stack: AsyncExitStack) -> Daemon:
        download = copy.direction is Direction.TO_INSTANCE
        lock = await asyncio.to_thread(_lock, self.work_dir, copy.transfer)
        stack.callback(_unlock, self.work_dir, copy.transfer, lock)
        run_dir = await asyncio.to_thread(_run_directory, self.work_dir, copy.transfer)
        stack.callback(shutil.rmtree, run_dir.parent, ignore_errors=True)
        shown = await asyncio.to_thread(_show, copy, run_dir.parent)
        stack.enter_context(shown)
        store = await asyncio.to_thread(
            store_directory, copy.backend, self.local_store, make=not download
        )
        return await stack.enter_async_context(
            daemon(
                self.sandbox,
                binary=self.binary,
                shown=shown,
                writable=download,
                store=store,
                run_dir=run_dir,
                backend=await obscured(copy.backend, self.binary),
                flags=copy.flags,
                lock_fd=lock,
                feed=ledger.feed,
            )
        )


async def _follow(
    started: Daemon, copy: Copy, ledger: Ledger, stop: Stop
) -> AsyncGenerator[Progress | End, None]:
    """Progress about once a second until the copy or the wish to stop ends it."""
    run = Run(started, copy, ledger)
    work = asyncio.create_task(run.whole())
    asked = asyncio.ensure_future(stop.wait())
    try:
        while True:
            await asyncio.wait(
                {work, asked}, timeout=PROGRESS_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if work.done() or asked.done():
                break
            yield await run.progress()
        if not work.done():
            # Hanging up on the call stops what it does, and aborts its multipart uploads;
            # SIGTERM alone lets a daemon finish the calls it is answering.
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await started.end()
            yield Halted(unfinished(ledger, interrupted=copy.resumed or started.killed))
            return
        yield _with_past(_ended(work, ledger), copy)
    finally:
        asked.cancel()
        work.cancel()
        await asyncio.gather(asked, work, return_exceptions=True)


def _ended(work: asyncio.Task[End], ledger: Ledger) -> End:
    try:
        return work.result()
    except Gone:
        return Broken(_crash(ledger), unfinished(ledger, interrupted=True))
    except RcError as error:
        known = reason(str(error))
        return Broken(f"{known.text}. {known.cure}", unfinished(ledger, interrupted=False))


def _with_past(end: End, copy: Copy) -> End:
    """The same end; what an earlier process of this attempt left is not forgotten."""
    interrupted = copy.resumed or end.result.interrupted
    return replace(end, result=replace(end.result, interrupted=interrupted))


def _crash(ledger: Ledger) -> str:
    told = f": {reason(ledger.errors[-1]).text}" if ledger.errors else ""
    return f"rclone ended before the copy did{told}. Try again."


def _lock(work_dir: Path, transfer: str) -> int:
    """Hold the transfer's lock. Waits while an earlier copy of it is still dying.

    rclone inherits the descriptor, so the lock is free only when both are gone.
    """
    path = work_dir / "locks" / transfer
    path.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        # Whoever held it last has removed the file: a lock on that one keeps nobody out.
        if path.exists() and path.stat().st_ino == os.fstat(fd).st_ino:
            return fd
        os.close(fd)


def _unlock(work_dir: Path, transfer: str, fd: int) -> None:
    (work_dir / "locks" / transfer).unlink(missing_ok=True)
    os.close(fd)


def _run_directory(work_dir: Path, transfer: str) -> Path:
    """A fresh private directory; a dead copy's leftovers go first. Called under the lock."""
    own = work_dir / "run" / transfer
    shutil.rmtree(own, ignore_errors=True)
    run_dir = own / "rc"
    run_dir.mkdir(mode=_PRIVATE, parents=True)
    return run_dir


def _show(copy: Copy, own: Path) -> Shown:
    """What rclone may see of the instance. A rehearsal makes no directory there.

    Raises:
        Invalid: it is not there, leaves the instance, or has the wrong kind.
    """
    if copy.direction is Direction.TO_CLOUD:
        return open_source(copy.root, copy.local)
    if not copy.flags.dry_run:
        return open_target(copy.root, copy.local)
    try:
        return open_source(copy.root, copy.local)
    except Invalid as error:
        if error.code != "no_such_source":
            raise
        empty = own / "empty"
        empty.mkdir()
        return open_source(empty, InstancePath(""))
