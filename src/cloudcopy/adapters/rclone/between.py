"""Where a copy's far side is: a store, a directory of this host, or another instance."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.domain import between
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.paths import RemotePath
from cloudcopy.ports.engine import Broken, Copy, Elsewhere, End, Partial
from cloudcopy.ports.tunnels import Tunnel

SOCKET: Final = "relay.sock"
_DIRECTORY: Final = Backend("local", {})
# `unix_socket` is relative: rclone's working directory is the one it shares with us. This
# vendor's clients are told MD5 hashes.
_RELAYED: Final = Backend(
    "webdav", {"url": "http://localhost", "unix_socket": SOCKET, "vendor": "owncloud"}
)
# The source reads a whole file before it tells the hash. A broken relay ends the connection, so
# nothing waits that long for nothing.
_PATIENT: Final = ("--contimeout=30s", "--timeout=2h")


@dataclass(frozen=True, slots=True, kw_only=True)
class FarSide:
    """It, as rclone is told.

    Attributes:
        copy: With the backend and the path that it is in fact.
        store: What stands in the place of a store, if it is on this host.
        tunnel: What rclone's connections go through, if they go to another machine's agent.
        patience: See `rclone.flags`; None is what is usual.
        way: How the data goes, for the result; empty for a store.
    """

    copy: Copy
    store: Path | Shown | None = None
    tunnel: Tunnel | None = None
    patience: tuple[str, ...] | None = None
    way: str = ""

    def told(self, end: End) -> End:
        """The same end; which way the data went, and why it could not, are in it."""
        if self.way:
            end = replace(end, result=replace(end.result, notes=(*end.result.notes, self.way)))
        trouble = self.tunnel.trouble if self.tunnel else ""
        return (
            replace(end, reason=trouble) if trouble and isinstance(end, Broken | Partial) else end
        )


def neighbour(copy: Copy, source: Shown) -> FarSide:
    """Another instance on this machine."""
    here = replace(copy, backend=_DIRECTORY, remote=RemotePath(source.name))
    return FarSide(copy=here, store=source, way=between.DIRECT)


async def elsewhere(copy: Copy, source: Elsewhere, run_dir: Path, stack: AsyncExitStack) -> FarSide:
    """An instance on another machine. The tunnel is open as long as `stack`."""
    return FarSide(
        copy=replace(copy, backend=_RELAYED, remote=RemotePath(source.name)),
        tunnel=await stack.enter_async_context(source.tunnel(run_dir / SOCKET)),
        patience=_PATIENT,
        way=between.RELAYED,
    )


def check_apart(source: Shown, target: Shown) -> None:
    """Refuse two directories of which one holds the other, whichever instances they are in and
    whatever links led there.

    Raises:
        Invalid: they do.
    """
    one, other = source.host_path, target.host_path
    if (one.is_relative_to(other) and not source.name) or other.is_relative_to(one):
        raise Invalid(
            "dst",
            "the source and the destination hold one another on this machine",
            code="same_place",
        )
