"""rclone as a `TransferEngine`: prove the source, copy, compare, judge.

Everything about one copy happens in one confined process, so its connections to the store
are made once, and its credentials, memory, bandwidth limit and crashes are its own.
"""

import asyncio
import fcntl
import os
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog

from cloudcopy.adapters.objects.process import objects_daemon
from cloudcopy.adapters.objects.spare import Spares
from cloudcopy.adapters.rclone.between import FarSide, check_apart, elsewhere, neighbour
from cloudcopy.adapters.rclone.ending import refused
from cloudcopy.adapters.rclone.flags import PATIENT
from cloudcopy.adapters.rclone.gauge import Gauge, Pace
from cloudcopy.adapters.rclone.index import DIRECTORY as INDEXES
from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.limiter import Limiter
from cloudcopy.adapters.rclone.process import Daemon, daemon
from cloudcopy.adapters.rclone.rc import Gone, RcError
from cloudcopy.adapters.rclone.reasons import Reason, reason
from cloudcopy.adapters.rclone.remotes import obscured, store_directory
from cloudcopy.adapters.rclone.run import Run
from cloudcopy.adapters.rclone.spool import Spool, open_spool
from cloudcopy.adapters.rclone.trees import Patience
from cloudcopy.adapters.rclone.tuner import Tuners
from cloudcopy.adapters.sandbox.beneath import Shown, open_source, open_target
from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.domain.errors import CloudCopyError, Invalid, Unavailable
from cloudcopy.domain.movers import Mover, chosen
from cloudcopy.domain.order import Direction, Work
from cloudcopy.domain.paths import InstancePath
from cloudcopy.domain.progress import ErrorGroup, Phase, Progress, Result
from cloudcopy.ports.clock import Stop
from cloudcopy.ports.engine import Broken, Copy, Elsewhere, End, Halted, Neighbour

log = structlog.get_logger()

PROGRESS_SECONDS: Final = 1.0  # lossy, latest value only: more often shows nothing more
_PRIVATE: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class RcloneEngine:
    """See `ports.engine.TransferEngine`.

    Attributes:
        spares: Movers that wait; whoever made them closes them.
        work_dir: Private to this agent; holds a run directory and a lock per copy.
        local_store: Where connections of the kind `local` may lie; None refuses them.
        patience: How long a mover waits for a store that does not answer (`rclone.flags`).
        mover: The one that is tried first; None chooses for each copy (`domain.movers`).
        sleep: Lets seconds pass before a copy tries again.
        random: In [0, 1), so that many copies do not try again together.
        monotonic: Seconds of a clock that never goes back.
        tuners: Choose how much is in flight.
    """

    sandbox: Sandbox
    spares: Spares
    binary: Path
    work_dir: Path
    local_store: Path | None = None
    patience: tuple[str, ...] = PATIENT
    mover: Mover | None = None
    sleep: Callable[[float], Awaitable[object]]
    random: Callable[[], float]
    monotonic: Callable[[], float]
    tuners: Tuners = field(default_factory=Tuners)

    async def run(self, copy: Copy, stop: Stop) -> AsyncGenerator[Progress | End, None]:
        yield Progress(phase=Phase.PREPARING)
        mover = Mover.RCLONE if copy.source else chosen(copy.backend, copy.flags)
        movers = {self.mover or mover, Mover.RCLONE}
        for mover in sorted(movers, key=lambda each: each is Mover.RCLONE):
            ended = False
            async for event in self._moved(copy, stop, mover):
                ended = not isinstance(event, Progress)
                yield event
            if ended:
                return

    async def _moved(
        self, copy: Copy, stop: Stop, mover: Mover
    ) -> AsyncGenerator[Progress | End, None]:
        """The copy by that mover. Without an end, it can not do it and has changed nothing."""
        ledger = Ledger()
        async with AsyncExitStack() as stack:
            try:
                started, spool, far = await self._start(copy, mover, ledger, stack)
            except CloudCopyError as error:
                if mover is Mover.RCLONE or not isinstance(error, Unavailable):
                    yield _with_past(Broken(str(error), Result(errors=(_group(error),))), copy)
                return
            except Gone:
                if mover is Mover.RCLONE:
                    yield _with_past(refused(_crash(ledger)), copy)
                return
            copy = far.copy
            pace = Pace(started, copy)
            tuner = await self.tuners.begin(copy, self.monotonic)
            stack.push_async_callback(self.tuners.end, tuner)
            run = Run(
                rc=started,
                copy=copy,
                ledger=ledger,
                spool=spool,
                patience=Patience(sleep=self.sleep, random=self.random),
                tuner=tuner,
                pace=pace.keep,
                index=self.work_dir / INDEXES,
            )
            pid = started.confined.pid
            limiter = Limiter(tuner, self.tuners.machine, pid, self.monotonic)
            gauge = Gauge(run, limiter, self.monotonic)
            stack.push_async_callback(gauge.close)
            async for event in _follow(run, gauge, pace, stop):
                if isinstance(event, Progress):
                    yield event
                elif isinstance(event, Halted) or not started.rc.unsupported:
                    yield far.told(_said(event, mover))

    async def _start(
        self, copy: Copy, mover: Mover, ledger: Ledger, stack: AsyncExitStack
    ) -> tuple[Daemon, Spool, FarSide]:
        download = copy.direction is Direction.TO_INSTANCE
        lock = await asyncio.to_thread(_lock, self.work_dir, copy.transfer)
        stack.callback(_unlock, self.work_dir, copy.transfer, lock)
        run_dir = await asyncio.to_thread(_run_directory, self.work_dir, copy.transfer)
        stack.callback(shutil.rmtree, run_dir.parent, ignore_errors=True)
        spool = await stack.enter_async_context(open_spool(run_dir.parent / "spool.db"))
        shown = await asyncio.to_thread(_show, copy, run_dir.parent)
        stack.enter_context(shown)
        far = await self._far_side(copy, run_dir, stack)
        if isinstance(far.store, Shown):
            check_apart(far.store, shown)
        writable = download and _changes(copy)
        if mover is Mover.OBJECTS:
            process = objects_daemon(
                self.spares,
                shown=shown,
                writable=writable,
                run_dir=run_dir,
                backend=far.copy.backend,
                flags=copy.flags,
                lock_fd=lock,
                feed=ledger.feed,
                patience=self.patience,
            )
        else:
            process = daemon(
                self.sandbox,
                binary=self.binary,
                shown=shown,
                writable=writable,
                store=far.store,
                run_dir=run_dir,
                backend=obscured(far.copy.backend),
                flags=copy.flags,
                lock_fd=lock,
                feed=ledger.feed,
                patience=far.patience or self.patience,
            )
        return await stack.enter_async_context(process), spool, far

    async def _far_side(self, copy: Copy, run_dir: Path, stack: AsyncExitStack) -> FarSide:
        match copy.source:
            case Neighbour(root=root, path=path):
                source = await asyncio.to_thread(open_source, root, path)
                return neighbour(copy, stack.enter_context(source))
            case Elsewhere():
                return await elsewhere(copy, copy.source, run_dir, stack)
            case None:
                upload = copy.direction is Direction.TO_CLOUD
                store = await asyncio.to_thread(
                    store_directory,
                    copy.backend,
                    self.local_store,
                    make=upload and _changes(copy),
                )
                return FarSide(copy=copy, store=store)


async def _follow(
    run: Run, gauge: Gauge, pace: Pace, stop: Stop
) -> AsyncGenerator[Progress | End, None]:
    """Progress about once a second until the copy or the wish to stop ends it."""
    work = asyncio.create_task(run.whole())
    asked = asyncio.ensure_future(stop.wait())
    try:
        while True:
            await asyncio.wait(
                {work, asked}, timeout=PROGRESS_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if work.done() or asked.done():
                break
            await pace.keep()
            yield await gauge.read()
        if not work.done():
            # Hanging up on the call stops what it does, and aborts its multipart uploads;
            # SIGTERM alone lets a daemon finish the calls it is answering.
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await run.rc.end()
            yield _limited(await _halted(run), gauge)
            return
        yield _limited(_with_past(await _ended(work, run), run.copy), gauge)
    finally:
        asked.cancel()
        work.cancel()
        await asyncio.gather(asked, work, return_exceptions=True)


async def _ended(work: asyncio.Task[End], run: Run) -> End:
    try:
        return work.result()
    except Gone:
        end = await run.broken(_crash(run.ledger))
        return replace(end, result=replace(end.result, interrupted=True))
    except RcError as error:
        return await run.broken(reason(str(error)))
    except (sqlite3.Error, OSError) as error:
        _log_disk(error, run)
        await asyncio.to_thread(run.copy.ledger.unlink, missing_ok=True)  # cut short
        return refused(_OWN_DISK)


async def _halted(run: Run) -> Halted:
    try:
        done = await run.unfinished(None)
    except (sqlite3.Error, OSError) as error:
        _log_disk(error, run)
        await asyncio.to_thread(run.copy.ledger.unlink, missing_ok=True)
        done = Result(notes=(str(_OWN_DISK),))
    return Halted(replace(done, interrupted=run.copy.resumed or run.rc.killed))


def _log_disk(error: sqlite3.Error | OSError, run: Run) -> None:
    # Their texts name files of ours and system errors; no credential is in either.
    log.warning(
        "own files failed",
        transfer=run.copy.transfer,
        kind=type(error).__name__,
        error=str(error),
    )


def _said(end: End, mover: Mover) -> End:
    """The same end; its log says who moved the files."""
    said = f"moved by {mover}"
    return replace(end, result=replace(end.result, log=(*end.result.log, said)))


def _limited(end: End, gauge: Gauge) -> End:
    return replace(end, result=replace(end.result, limited_by=gauge.limited_by))


def _with_past(end: End, copy: Copy) -> End:
    """The same end; what an earlier process of this attempt left is not forgotten."""
    interrupted = copy.resumed or end.result.interrupted
    return replace(end, result=replace(end.result, interrupted=interrupted))


def _group(error: CloudCopyError) -> ErrorGroup:
    cure = " ".join(error.next) or "Correct it, and copy again."
    return ErrorGroup(code=error.code, text=str(error), cure=cure, count=1)


def _crash(ledger: Ledger) -> Reason:
    told = f": {reason(ledger.errors[-1]).text}" if ledger.errors else ""
    return Reason("engine_ended", f"the mover ended before the copy did{told}", "Try again.")


_OWN_DISK: Final = Reason(
    "agent_disk",
    "the agent could not write its own files on this machine",
    "Free some space where the agent keeps its data, and copy again.",
)


def _changes(copy: Copy) -> bool:
    """Whether the destination may be changed."""
    return copy.work is Work.TRANSFER and not copy.flags.dry_run


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
    """What rclone may see of the instance. What changes nothing makes no directory there.

    Raises:
        Invalid: it is not there, leaves the instance, or has the wrong kind.
    """
    if copy.direction is Direction.TO_CLOUD:
        return open_source(copy.root, copy.local)
    if _changes(copy):
        return open_target(copy.root, copy.local)
    try:
        return open_source(copy.root, copy.local)
    except Invalid as error:
        if error.code != "no_such_source":
            raise
        empty = own / "empty"
        empty.mkdir()
        return open_source(empty, InstancePath(""))
