"""The mover: runs one attempt to its end, confined, and says what came of it.

rclone is the first engine; the port knows nothing of it. The contract suites are
`tests/contracts/test_engine*.py`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cloudcopy.domain.connection import Backend
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow
from cloudcopy.domain.order import Direction, Mode, Verify, Work
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Progress, Recheck, Result
from cloudcopy.ports.clock import Stop
from cloudcopy.ports.tunnels import Tunnel


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A source in another instance on this machine: `path` below its `root`."""

    root: Path
    path: InstancePath


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A source in an instance on another machine, served there as WebDAV.

    Attributes:
        name: The source is that single file; empty for a directory.
        tunnel: Its connections, for a process that sees the file this is called with.
    """

    name: str
    tunnel: Callable[[Path], AbstractAsyncContextManager[Tunnel]]


def _unlimited() -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One attempt as an engine needs it.

    Attributes:
        transfer: Names the lock and the run directory; one copy of it runs at a time.
        root: The instance's directory on this host.
        resumed: An earlier process of this attempt died without ending it.
        again: An earlier attempt, or an earlier process of this one, may have sent files that
            it did not live to prove: what is found unchanged is proven like what is sent.
        only: A file of JSON lines, one path in each: the attempt is about these files of the
            source and no others. None is every file.
        agreed: Digests of the source's and the destination's listings in the plan that is
            carried out: nothing is done when a side is not as it was.
        ledger: Where the ledger goes, in chunks of `wire.ledger` one behind the other, each
            with its length before it as 4 bytes, big-endian. Complete and on disk when the
            end is told. There is none after an end that came before anything was listed.
        source: Another instance instead of the store, for a copy to this one; `backend` and
            `remote` say nothing then.
        pace: The bandwidth limit now, in bytes per second; None leaves it to the flags, 0 is
            without limit. Asked about once a second.
    """

    transfer: str
    root: Path
    direction: Direction
    local: InstancePath
    remote: RemotePath
    flags: Flags
    backend: Backend
    ledger: Path
    work: Work = Work.TRANSFER
    mode: Mode = Mode.COPY
    verify: Verify = Verify.HASH
    only: Path | None = None
    agreed: tuple[str, str] | None = None
    source: Neighbour | Elsewhere | None = None
    pace: Callable[[], int | None] = field(default=_unlimited)
    resumed: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """Everything that was to be done is done, and was compared as asked."""

    result: Result


@dataclass(frozen=True, slots=True)
class Partial:
    """It ran to its end. Some files are there and some are not, or two sides differ in a check."""

    reason: str
    result: Result


@dataclass(frozen=True, slots=True)
class Broken:
    """It did not succeed. `reason` is for people: plain, no secrets."""

    reason: str
    result: Result


@dataclass(frozen=True, slots=True)
class Halted:
    """It ended because `stop` was set."""

    result: Result


End = Done | Partial | Broken | Halted


class TransferEngine(Protocol):
    def run(self, copy: Copy, stop: Stop) -> AsyncGenerator[Progress | End, None]:
        """Run one attempt to its end: any number of `Progress`, then exactly one `End`.

        The first Progress comes at once, before anything was copied. Never raises for a failed
        copy: that is an End. Closing the iterator early kills the process.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a host says it has done, for the control plane to look at itself.

    Attributes:
        place: The cloud's side, the connection's own prefix included.
        since: When the attempt began: what appeared in the store later may be unknown to it.
        hash: The kind of hash in the rows; empty for none.
        whole: The rows are meant to be all of the source; not so where an attempt was about
            the failed files of an earlier one only.
        attempt: Which one it is, among all that may be looked at; empty where nothing was
            expected of it.
    """

    backend: Backend
    place: RemotePath
    direction: Direction
    flags: Flags
    since: datetime
    hash: str
    whole: bool = True
    attempt: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of looking.

    Attributes:
        wrong: Files that the host said are there and the store does not show as said, with
            why; the first few.
        count: How many those are.
    """

    recheck: Recheck
    count: int = 0
    wrong: tuple[tuple[str, str], ...] = ()


class Probe(Protocol):
    """The control plane's own look at a store."""

    async def check(self, backend: Backend, root: RemotePath) -> None:
        """List the top of `root`, once, within seconds.

        Raises:
            StoreUnreachable: with the plain reason and what to do about it.
        """
        ...

    async def sweep(self, backend: Backend, below: RemotePath, *, since: datetime) -> int:
        """Abort unfinished multipart uploads under `below` begun at or after `since`.

        Best effort: stores without them, or that refuse, give 0.
        Returns:
            How many were aborted.
        """
        ...

    def expect(self, claim: Claim) -> None:
        """A `recheck` of that attempt will come soon: get ready for it, at most. Nothing is asked
        of the store."""
        ...

    def dismiss(self, attempt: str) -> None:
        """It will not come."""
        ...

    async def recheck(self, claim: Claim, rows: AsyncIterator[FileRow]) -> Finding:
        """Compare the ledger of an attempt with the store's own listing, as it is now.

        An upload: every row that arrived is in the store with that size, and that hash where
        the listing has it. A download: every file of the source is in the ledger with its
        size, except those that came after `since`; of a claim that is not `whole`, those of
        the ledger only.

        Memory does not grow with the rows. Where the store cannot be seen from here (it lies
        on the host), that is said in `Recheck.why_not` and `count` is 0.

        Raises:
            StoreUnreachable: it could not be listed now.
        """
        ...
