"""How two agents reach one another through the control plane: see `wire.relay`."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cloudcopy.domain.paths import InstancePath


class Tunnel(Protocol):
    @property
    def trouble(self) -> str:
        """Why connections fail now, in words; empty while they do not."""
        ...


class Tunnels(Protocol):
    def listen(
        self, place: Path, token: str, renew: Callable[[], Awaitable[str]]
    ) -> AbstractAsyncContextManager[Tunnel]:
        """The destination's end: every connection to the unix socket `place` is one to the
        source, until this ends.

        A connection waits while the control plane or the source is away, for about a minute,
        and is then closed.

        Args:
            renew: A token that is good now; raises Unavailable, with why there is none.
        """
        ...

    async def join(self, secret: str, place: Path) -> None:
        """The source's half of one connection, to the unix socket `place`, until it ends."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """What is being served.

    Attributes:
        name: It is that single file; empty for a directory.
        place: The unix socket that answers, as WebDAV.
        ended: Returns when nothing answers there any more.
    """

    name: str
    place: Path
    ended: Callable[[], Awaitable[object]]


class Origins(Protocol):
    def serve(
        self, relay: str, root: Path, path: InstancePath
    ) -> AbstractAsyncContextManager[Origin]:
        """Serve `path` of the instance at `root`, read-only and confined.

        It ends with this process, whatever ends that.

        Raises:
            Invalid: there is nothing to read at the path, or it leaves the instance.
            Unavailable: it did not start.
        """
        ...
