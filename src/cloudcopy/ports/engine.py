"""The mover: runs one copy to its end, confined, and says what came of it.

rclone is the first engine; the port knows nothing of it. The contract suite is
`tests/contracts/test_engine.py`.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cloudcopy.domain.connection import Backend
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Progress, Result
from cloudcopy.domain.transfer import Direction
from cloudcopy.ports.clock import Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One attempt as an engine needs it.

    Attributes:
        transfer: Names the lock and the run directory; one copy of it runs at a time.
        root: The instance's directory on this host.
        resumed: An earlier process of this attempt died without ending it.
    """

    transfer: str
    root: Path
    direction: Direction
    local: InstancePath
    remote: RemotePath
    flags: Flags
    backend: Backend
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """Everything that was to be copied is there, and was compared."""

    result: Result


@dataclass(frozen=True, slots=True)
class Broken:
    """The copy, or a part of it, did not succeed. `reason` is for people: plain, no secrets."""

    reason: str
    result: Result


@dataclass(frozen=True, slots=True)
class Halted:
    """It ended because `stop` was set."""

    result: Result


End = Done | Broken | Halted


class TransferEngine(Protocol):
    def run(self, copy: Copy, stop: Stop) -> AsyncGenerator[Progress | End, None]:
        """Run one copy to its end: any number of `Progress`, then exactly one `End`.

        The first Progress comes at once, before anything was copied. Never raises for a failed
        copy: that is an End. Closing the iterator early kills the process.
        """
        ...


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
