"""The control plane's own look at a store: does the connection work, what was left in it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from cloudcopy.adapters.rclone.flags import IMPATIENT, PATIENT
from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.process import Daemon, daemon
from cloudcopy.adapters.rclone.rc import Gone, RcError
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.adapters.rclone.recheck import ON_HOST, compare, filters
from cloudcopy.adapters.rclone.remotes import cloud, has_buckets, obscured
from cloudcopy.adapters.sandbox.beneath import open_source
from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.adapters.uploads import abort
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import StoreUnreachable
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Recheck
from cloudcopy.ports.engine import Claim, Finding

AT_ONCE: Final = 4  # each is an rclone of its own
PROBE_SECONDS: Final = 20.0  # a healthy store lists its top in well under one
_NO_FLAGS: Final = Flags()


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

    async def check(self, backend: Backend, root: RemotePath) -> None:
        try:
            async with (
                self.turns,
                asyncio.timeout(PROBE_SECONDS),
                self._rclone(backend, patience=IMPATIENT) as (started, _),
            ):
                options = {"noModTime": True, "noMimeType": True}
                await started.call("operations/list", fs=cloud(None, root), remote="", opt=options)
        except TimeoutError:
            raise _unreachable("timeout", backend) from None

    async def recheck(self, claim: Claim, rows: AsyncIterator[FileRow]) -> Finding:
        if claim.backend.type == "local":
            return Finding(Recheck(why_not=ON_HOST))
        flags = filters(claim)
        async with self._rclone(claim.backend, flags=flags) as (started, scratch):
            return await compare(started.call, claim, rows, scratch)

    @asynccontextmanager
    async def _rclone(
        self, backend: Backend, *, flags: Flags = _NO_FLAGS, patience: tuple[str, ...] = PATIENT
    ) -> AsyncIterator[tuple[Daemon, Path]]:
        """A confined rclone for the store, and a private directory.

        Raises:
            StoreUnreachable: rclone ended, or one of its answers was an error.
        """
        ledger = Ledger()
        with tempfile.TemporaryDirectory(dir=self.work_dir) as scratch:
            empty, run_dir = await asyncio.to_thread(_directories, Path(scratch))
            with open_source(empty, InstancePath("")) as shown, _nothing() as nothing:
                try:
                    async with daemon(
                        self.sandbox,
                        binary=self.binary,
                        shown=shown,
                        writable=False,
                        store=None,
                        run_dir=run_dir,
                        backend=obscured(backend),
                        flags=flags,
                        lock_fd=nothing,
                        feed=ledger.feed,
                        patience=patience,
                    ) as started:
                        yield started, Path(scratch)
                except RcError as error:
                    raise _unreachable(str(error), backend) from None
                except Gone:
                    said = ledger.errors[-1] if ledger.errors else "rclone did not start"
                    raise _unreachable(said, backend) from None

    async def sweep(self, backend: Backend, below: RemotePath, *, since: datetime) -> int:
        if backend.type != "s3":
            return 0
        return await asyncio.to_thread(abort, backend, below, since=since)


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
