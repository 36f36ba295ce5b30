"""The first choice: namespaces, made by bubblewrap (0.8.0 or newer).

Inside there are rclone, the data, the socket's directory, and what it needs to find and
trust a store. Writable are only the data of a download, the socket's directory, and a small
file system in memory that holds the credentials: rclone must be able to replace a token
there. Everything else is read-only, so that a copy through a link that leads nowhere on
this host fails instead of vanishing.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudcopy.adapters.sandbox import launch
from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.adapters.sandbox.cell import HOST_FILES, Confined, Handover, Inside, Program
from cloudcopy.adapters.sandbox.child import (
    beside,
    ending,
    everything,
    holding,
    launched,
    opened,
    run_directory,
)
from cloudcopy.adapters.sandbox.plan import Plan
from cloudcopy.adapters.sandbox.section import as_file
from cloudcopy.domain.errors import Unavailable

CREDENTIALS_BYTES: Final = 8 * 1024 * 1024

_NAMESPACES: Final = (
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    "--new-session",
    "--clearenv",
    *("--cap-drop", "ALL"),
)
_PSEUDO: Final = ("--proc", "/proc", "--dev", "/dev")
_MEMORY: Final = ("--perms", "0700", "--size", str(CREDENTIALS_BYTES), "--tmpfs", "/cred")
_READ_ONLY: Final = ("--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/")
_HOME: Final = (*("--setenv", "HOME", "/cred"), *("--setenv", "TMPDIR", "/cred"), "--chdir", "/run")
# For rclone, the first process of its namespace (`launch.LISTENING`).
_SOCKET: Final = (*("--setenv", "LISTEN_FDS", "1"), *("--setenv", "LISTEN_PID", "1"))


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """See `cell.Sandbox`."""

    bwrap: Path

    @property
    def name(self) -> str:
        return "bubblewrap"

    async def usable(self) -> bool:
        """Whether a small sandbox starts here: user namespaces may be forbidden, bwrap too old."""
        with opened(Path("/")) as root:
            trial = ("--ro-bind-fd", str(root), "/", *_PSEUDO, *_MEMORY[:-1], "/tmp")  # noqa: S108
            try:
                process = await asyncio.create_subprocess_exec(
                    self.bwrap,
                    *_NAMESPACES,
                    *trial,
                    self.bwrap,
                    "--version",
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={},
                    pass_fds=[root],
                )
            except OSError:
                return False
            async with ending(process):
                return await process.wait() == 0

    def handover(self, libraries: Sequence[Path]) -> Handover | None:
        """The cell's own files are all that is in it; what is handed over lies outside."""
        return Handover([("/", "programs")]) if launch.landlock_abi() else None

    async def start(self, program: Program) -> Confined:
        inside = Inside(
            data="/data" if program.shown else "",
            run="/run",
            store="/store" if program.store else None,
            config=("--config", "/cred/rclone.conf"),
        )
        with ExitStack() as stack:
            mounts = _Mounts(stack, staged=program.user is not None)
            if not program.libraries:
                mounts.add(stack.enter_context(opened(program.binary)), "/rclone")
            for path in program.libraries:
                mounts.add(stack.enter_context(opened(path)), str(path))
            if program.shown:
                single = f"/{program.shown.name}" if program.shown.name else ""
                mounts.add(program.shown.fd, f"/data{single}", writable=program.writable)
            mounts.add(stack.enter_context(run_directory(program)), "/run", writable=True)
            if isinstance(program.store, Shown):
                single = f"/{program.store.name}" if program.store.name else ""
                mounts.add(program.store.fd, f"/store{single}")
            elif program.store:
                store = stack.enter_context(opened(program.store))
                mounts.add(store, "/store", writable=program.store_writable)
            config = as_file(program.config) if program.config else b""
            config_fd = beside(stack, stack.enter_context(holding(config)))
            lock = [] if program.lock_fd is None else [beside(stack, program.lock_fd)]
            info, told = os.pipe()
            stack.callback(os.close, info)
            ours = stack.enter_context(ExitStack())
            ours.callback(os.close, told)
            told = beside(ours, told)
            process = await launched(
                Plan(
                    parent=os.getpid(),
                    told=-1,
                    keep=[config_fd, told, *lock, *mounts.kept],
                    user=program.user,
                    stage=mounts.stage,
                    cwd=None,
                    rules=None,
                    program=str(self.bwrap),
                    argv=[
                        str(self.bwrap),
                        *_NAMESPACES,
                        "--as-pid-1",
                        *_PSEUDO,
                        *mounts.arguments,
                        *(word for path in HOST_FILES for word in ("--ro-bind-try", path, path)),
                        *_MEMORY,
                        *("--perms", "0600", "--file", str(config_fd), "/cred/rclone.conf"),
                        *("--info-fd", str(told)),
                        *_READ_ONLY,
                        *_HOME,
                        *(_SOCKET if program.socket is not None else ()),
                        "--",
                        str(program.binary) if program.libraries else "/rclone",
                        *program.arguments(inside),
                    ],
                    env={},
                    listening=program.socket,
                ),
                passed=mounts.passed,
                stderr=program.stderr,
            )
            ours.close()
            async with ending(process):
                return await _confined(process, info)


class _Mounts:
    """What of the host is bound into the cell, each by its descriptor.

    bubblewrap opens the path behind a descriptor again, which a user can do only who may
    enter all its parents; `staged` mounts are brought to where everybody can.
    """

    def __init__(self, stack: ExitStack, *, staged: bool) -> None:
        self._stack = stack
        self._staged = staged
        self.passed: list[int] = []
        self.stage: list[tuple[int, str]] = []
        self.arguments: list[str] = []

    def add(self, fd: int, place: str, *, writable: bool = False) -> None:
        fd = beside(self._stack, fd)
        self.passed.append(fd)
        bind = "--bind" if writable else "--ro-bind"
        if self._staged:
            name = str(len(self.stage))
            self.stage.append((fd, name))
            self.arguments += [bind, f"{launch.STAGE}/{name}", place]
        else:
            self.arguments += [f"{bind}-fd", str(fd), place]

    @property
    def kept(self) -> list[int]:
        """Those that bubblewrap needs itself; it closes them."""
        return [] if self._staged else self.passed


async def _confined(process: asyncio.subprocess.Process, info: int) -> Confined:
    """bubblewrap tells rclone's pid as soon as it has made the namespaces."""
    told = await everything(info, until=b"}")
    try:
        return Confined(process, int(json.loads(told)["child-pid"]))
    except (ValueError, ProcessLookupError):
        raise Unavailable(
            "bubblewrap could not start a sandbox; what it said is in the copy's log"
        ) from None
