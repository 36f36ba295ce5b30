"""One `objects.child` for one copy: started confined, listened to, ended."""

import asyncio
import os
import socket
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Final

import obstore

from cloudcopy.adapters.objects.bundle import START, bundled
from cloudcopy.adapters.objects.link import Link
from cloudcopy.adapters.rclone.flags import PATIENT
from cloudcopy.adapters.rclone.process import Daemon, Log, answering
from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.adapters.sandbox.cell import Inside, Program, Sandbox
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.flags import Flags

_TOLD: Final = ("--transfers", "--bwlimit")
_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")


@asynccontextmanager
async def objects_daemon(
    sandbox: Sandbox,
    *,
    shown: Shown,
    writable: bool,
    run_dir: Path,
    backend: Backend,
    flags: Flags,
    lock_fd: int,
    feed: Callable[[bytes], None],
    patience: tuple[str, ...] = PATIENT,
) -> AsyncIterator[Daemon]:
    """As `rclone.process.daemon`.

    Raises:
        Gone: it ended before it answered; why is in its log.
    """
    modules = await asyncio.to_thread(bundled)
    log = Log(feed)
    seen: list[Inside] = []

    def arguments(inside: Inside) -> list[str]:
        seen.append(inside)
        config = [f"--config={inside.config[1]}"]
        told = [f"{name}={value}" for name, value in flags.values if name in _TOLD]
        return [*_interpreted(), *config, *patience, *told, f"--mark={run_dir.parent.name}"]

    ours, theirs = socket.socketpair()
    try:
        try:
            confined = await sandbox.start(
                Program(
                    binary=_interpreter(),
                    arguments=arguments,
                    shown=shown,
                    writable=writable,
                    store=None,
                    run_dir=run_dir,
                    config=backend,
                    lock_fd=lock_fd,
                    stderr=log.writer,
                    socket=theirs.fileno(),
                    libraries=_libraries(),
                )
            )
        finally:
            theirs.close()
            os.close(log.writer)
        ours.setblocking(False)
        async with Link(ours, first=modules) as link:
            running = Daemon(
                link,
                seen[0],
                log,
                confined,
                shown=shown,
                run_dir=run_dir,
                by_name=True,
            )
            async with answering(running):
                yield running
    finally:
        ours.close()
        log.close()


def _interpreter() -> Path:
    return Path(sys.executable).resolve()


def _interpreted() -> list[str]:
    """The interpreter's arguments: nothing of the agent's environment, of a user's directories
    or of what `site` would find."""
    return ["-I", "-S", "-B", "-c", START]


@cache
def _libraries() -> Sequence[Path]:
    """What the interpreter reads: itself, its library, the system's, and obstore."""
    shared = Path(str(sysconfig.get_config_var("LIBDIR"))) / str(
        sysconfig.get_config_var("INSTSONAME")
    )
    own = [
        *map(Path, _LIBRARIES),
        _interpreter(),
        Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix})),
        Path(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_prefix})),
        shared,
        Path(str(obstore.__file__)).resolve().parent,
    ]
    wanted: list[Path] = []
    for each in own:
        if each.exists() and not any(each.is_relative_to(known) for known in wanted):
            wanted.append(each)
    return tuple(wanted)
