"""The control plane's own look at a store: does the connection work, what was left in it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from cloudcopy.adapters.objects.process import objects_daemon
from cloudcopy.adapters.objects.spare import Spares
from cloudcopy.adapters.rclone.book import Book, told
from cloudcopy.adapters.rclone.flags import IMPATIENT, PATIENT
from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.process import daemon
from cloudcopy.adapters.rclone.rc import Gone, RcError
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.adapters.rclone.recheck import ON_HOST, compare, filters
from cloudcopy.adapters.rclone.remotes import cloud, has_buckets, obscured
from cloudcopy.adapters.rclone.standby import Eyes, Held, Opening, Standby, last_words
from cloudcopy.adapters.sandbox.beneath import open_source
from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.adapters.uploads import abort
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import StoreUnreachable, Unavailable
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow
from cloudcopy.domain.movers import Mover, chosen
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Recheck
from cloudcopy.ports.engine import Claim, Finding

AT_ONCE: Final = 4  # tests of connections; each is an rclone of its own
_CONNECTIONS: Final = 3  # that a look at a small tree needs at once
PROBE_SECONDS: Final = 20.0  # a healthy store lists its top in well under one


@dataclass(frozen=True, slots=True)
class StoreProbe:
    """See `ports.engine.Probe`. Confined like a copy, and shown an empty directory.

    Attributes:
        work_dir: Private to this process, and gone with it.
    """

    sandbox: Sandbox
    binary: Path
    work_dir: Path
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    standby: Standby = field(init=False)
    spares: Spares = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spares", Spares(self.sandbox, self.work_dir))
        object.__setattr__(self, "standby", Standby(self._opened))

    async def close(self) -> None:
        """Wait until every mover that was started here has ended."""
        await self.standby.close()
        await self.spares.close()

    async def check(self, backend: Backend, root: RemotePath) -> None:
        opening = Opening(backend, Flags(), Mover.RCLONE)
        options = {"noModTime": True, "noMimeType": True}
        try:
            async with (
                self.turns,
                asyncio.timeout(PROBE_SECONDS),
                self._opened(opening, patience=IMPATIENT) as eyes,
            ):
                await eyes.call("operations/list", fs=cloud(None, root), remote="", opt=options)
        except TimeoutError:
            raise _unreachable("timeout", backend) from None
        except (RcError, Gone) as error:
            raise _unreachable(str(error), backend) from None

    def expect(self, claim: Claim) -> None:
        if claim.backend.type != "local":
            self.standby.expect(claim.attempt, _opening(claim))

    def dismiss(self, attempt: str) -> None:
        self.standby.dismiss(attempt)

    async def recheck(self, claim: Claim, rows: AsyncIterator[FileRow]) -> Finding:
        if claim.backend.type == "local":
            return Finding(Recheck(why_not=ON_HOST))
        opening = _opening(claim)
        held = self.standby.take(claim.attempt, opening)
        try:
            with tempfile.TemporaryDirectory(dir=self.work_dir) as scratch:
                async with told(rows, Path(scratch)) as book:
                    try:
                        return await _seen(held, claim, book)
                    except _Unable:
                        held.leave()
                        await book.forget()
                    held = self.standby.take("", replace(opening, mover=Mover.RCLONE))
                    try:
                        return await _seen(held, claim, book)
                    except _Unable as error:
                        raise _unreachable(str(error), claim.backend) from None
        finally:
            held.leave()

    @asynccontextmanager
    async def _opened(
        self, opening: Opening, *, patience: tuple[str, ...] = PATIENT
    ) -> AsyncIterator[Eyes]:
        """A confined mover that is shown the store.

        Raises:
            Gone: it ended before it answered.
        """
        ledger = Ledger()
        with tempfile.TemporaryDirectory(dir=self.work_dir) as scratch:
            empty, run_dir = await asyncio.to_thread(_directories, Path(scratch))
            with open_source(empty, InstancePath("")) as shown, _nothing() as nothing:
                if opening.mover is Mover.OBJECTS:
                    process = objects_daemon(
                        self.spares,
                        shown=shown,
                        writable=False,
                        run_dir=run_dir,
                        backend=opening.backend,
                        flags=opening.flags,
                        lock_fd=nothing,
                        feed=ledger.feed,
                        patience=patience,
                    )
                else:
                    process = daemon(
                        self.sandbox,
                        binary=self.binary,
                        shown=shown,
                        writable=False,
                        store=None,
                        run_dir=run_dir,
                        backend=obscured(opening.backend),
                        flags=opening.flags,
                        lock_fd=nothing,
                        feed=ledger.feed,
                        patience=patience,
                    )
                async with AsyncExitStack() as stack:
                    try:
                        started = await stack.enter_async_context(process)
                    except Gone:
                        raise last_words(ledger) from None
                    eyes = Eyes(started, ledger)
                    if started.by_name:
                        connected = asyncio.create_task(_connected(eyes))
                        stack.push_async_callback(_given_up, connected)
                    yield eyes

    async def sweep(self, backend: Backend, below: RemotePath, *, since: datetime) -> int:
        if backend.type != "s3":
            return 0
        return await asyncio.to_thread(abort, backend, below, since=since)


async def _connected(eyes: Eyes) -> None:
    """Have the mover open connections while it waits. What is wrong with that, the look says."""
    with suppress(RcError, Gone):
        await eyes.call("core/connect", count=_CONNECTIONS)


async def _given_up(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class _Unable(Exception):
    """This process cannot do the look; another may."""


def _opening(claim: Claim) -> Opening:
    flags = filters(claim)
    return Opening(claim.backend, flags, chosen(claim.backend, flags))


async def _seen(held: Held, claim: Claim, book: Book) -> Finding:
    """What one mover's look comes to.

    Raises:
        StoreUnreachable: the store answered with an error.
        _Unable: the mover ended, could not be started, or does not know how.
    """
    try:
        eyes = await held.eyes()
    except (Gone, Unavailable) as error:
        raise _Unable(str(error)) from None
    try:
        return await compare(eyes.call, claim, book, by_name=eyes.daemon.by_name)
    except Gone as error:
        raise _Unable(str(error)) from None
    except RcError as error:
        if eyes.daemon.rc.unsupported:
            raise _Unable(str(error)) from None
        raise _unreachable(str(error), claim.backend) from None


def _directories(scratch: Path) -> tuple[Path, Path]:
    empty, run_dir = scratch / "empty", scratch / "run"
    empty.mkdir()
    run_dir.mkdir(mode=0o700)
    return empty, run_dir


@contextmanager
def _nothing() -> Iterator[int]:
    """A descriptor in the place of a copy's lock: two probes may run at once."""
    fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _unreachable(said: str, backend: Backend) -> StoreUnreachable:
    known = reason(said)
    cures = [known.cure]
    if known.code == "access_denied" and has_buckets(backend):
        cures.append("A key that may not list buckets needs the connection's `bucket` option.")
    if known.code in ("not_found", "no_such_bucket") and has_buckets(backend):
        return StoreUnreachable(
            "The connection's bucket does not exist.", code="no_such_bucket", next=tuple(cures)
        )
    return StoreUnreachable(
        f"The connection was tested and does not work: {known.text}.",
        code=known.code,
        next=tuple(cures),
    )
