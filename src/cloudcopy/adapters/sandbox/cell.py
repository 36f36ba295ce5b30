"""One copy's cell: what is shown in it, the rclone that runs in it, and how that ends."""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.domain.connection import Backend

# What of the host rclone reads besides the data: whom to trust, names, and time zones.
# Not all of /etc/ssl and /etc/pki: private keys lie beside the certificates.
HOST_FILES: Final = (
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
)


@dataclass(frozen=True, slots=True)
class Inside:
    """The cell as rclone sees it.

    Attributes:
        data: The directory that was shown, or a directory with the one file that was; empty
            where nothing was.
        run: Where the socket goes, rclone's working directory; empty where it has no other name.
        store: The directory in the place of a store, if there is one.
        config: rclone's arguments that name its configuration.
    """

    data: str
    run: str
    store: str | None
    config: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One rclone to start.

    Attributes:
        arguments: rclone's arguments, given where things are. Seen by every user of the host.
        shown: None for a program that waits, and is handed over what it may see (`Handover`).
        owner: The uid and gid of whom that will belong to.
        writable: The data may be changed: it is a download.
        store: In the place of a store: a directory, which may be changed when the data may not,
            or what was opened of another instance, which is only read.
        listed: Of a single file's directory the names may be listed, for a program that does
            not open a file without.
        run_dir: A private directory, empty; rclone makes its socket there.
        config: Becomes the remote `R`; None for a program that is told otherwise.
        lock_fd: Inherited by rclone, so that a lock on it is held while rclone lives.
        stderr: A descriptor for rclone's log.
        socket: One that rclone inherits in the way of systemd.
        libraries: What a program needs that is not in one piece: files and directories, shown
            read-only under their own paths. The program is one of them and runs from there.
    """

    binary: Path
    arguments: Callable[[Inside], Sequence[str]]
    shown: Shown | None
    writable: bool = False
    store: Path | Shown | None = None
    run_dir: Path
    config: Backend | None = field(repr=False, default=None)
    lock_fd: int | None = None
    stderr: int
    owner: tuple[int, int] | None = None
    listed: bool = False
    socket: int | None = None
    libraries: Sequence[Path] = ()

    @property
    def store_writable(self) -> bool:
        return not self.writable and isinstance(self.store, Path)

    @property
    def user(self) -> tuple[int, int] | None:
        """The uid and gid to become: the owner of the instance, when only root is not it."""
        return becoming(self.shown.owner if self.shown else self.owner)


def becoming(owner: tuple[int, int] | None) -> tuple[int, int] | None:
    """See `Program.user`."""
    return owner if os.geteuid() == 0 and owner and owner[0] else None


@dataclass(frozen=True, slots=True)
class Handover:
    """How a program that was shown nothing is kept to what it is handed over later.

    It confines itself by Landlock before it looks at anything of it, for ever.

    Attributes:
        rules: What it may open besides, a path with a key of `launch.RIGHTS`; None where
            nothing confines it.
    """

    rules: Sequence[tuple[str, str]] | None


class Sandbox(Protocol):
    @property
    def name(self) -> str: ...

    def handover(self, libraries: Sequence[Path]) -> Handover | None:
        """None where a program must be shown all that it will see when it starts.

        Args:
            libraries: `Program.libraries`.
        """
        ...

    async def start(self, program: Program) -> "Confined":
        """Start it. The caller keeps and closes its own descriptors.

        rclone dies with this process, at once and whatever kills us. Call it in a thread
        that lives as long as the agent does: the kernel counts that thread as the parent.

        Raises:
            Invalid: what was shown, or an option of the store, does not fit this sandbox.
            Unavailable: it did not start.
        """
        ...


class Confined:
    """A started rclone.

    Attributes:
        pid: rclone's own, as this host counts.
    """

    def __init__(self, process: asyncio.subprocess.Process, pid: int) -> None:
        """`pid` is a child of `process`, or `process` itself.

        Raises:
            ProcessLookupError: it has ended already.
        """
        self.pid = pid
        self._process = process
        self._held = [hold(process.pid, os.getpid())]
        if pid != process.pid:
            try:
                self._held.append(hold(pid, process.pid))
            except ProcessLookupError:
                os.close(self._held.pop())
                raise
        self._end = asyncio.ensure_future(self._watch())

    def terminate(self) -> None:
        """SIGTERM to rclone itself. Does nothing once it has ended.

        Until rclone listens for SIGTERM it has begun nothing, and as the first process of
        a namespace it would not even get the signal: then it is killed.
        """
        if self._held:
            if _catches(self.pid, signal.SIGTERM):
                _send(self._held[-1], signal.SIGTERM)
            else:
                self.kill()

    def kill(self) -> None:
        """SIGKILL to everything in the cell."""
        for held in reversed(self._held):
            _send(held, signal.SIGKILL)

    async def wait(self) -> int:
        """The exit code, once nothing of the cell lives any more; 128 + n after signal n.

        May be called again, and given up on, at any time.
        """
        return await asyncio.shield(self._end)

    async def _watch(self) -> int:
        code = await self._process.wait()
        await _ended(self._held[-1])
        while self._held:
            os.close(self._held.pop())
        return code if code >= 0 else 128 - code


def no_core_dumps() -> None:
    """Forbid them for this process and all that it starts: a core holds the credentials."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def hold(pid: int, parent: int) -> int:
    """A descriptor of the process `pid`, which stays that process's when the number is reused.

    Raises:
        ProcessLookupError: no child of `parent` has that number.
    """
    held = os.pidfd_open(pid)
    if _status(pid, "PPid") != str(parent):
        os.close(held)
        raise ProcessLookupError(pid)
    return held


def _send(held: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(held, number)


def _catches(pid: int, number: signal.Signals) -> bool:
    caught = int(_status(pid, "SigCgt") or "0", 16)
    return bool(caught >> (number - 1) & 1)


def _status(pid: int, key: str) -> str:
    """A field of /proc/PID/status; empty when there is no such process or field."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return line.partition(":")[2].strip()
    return ""


async def _ended(held: int) -> None:
    """Until the process behind a descriptor of `hold` has ended."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(held, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(held)
