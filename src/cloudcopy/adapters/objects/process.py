"""One `objects.child` for one copy: started confined, listened to, ended."""

import asyncio
import importlib.util
import os
import socket
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Final

from cloudcopy.adapters.objects.child import main as program
from cloudcopy.adapters.objects.link import Link
from cloudcopy.adapters.rclone.flags import PATIENT
from cloudcopy.adapters.rclone.process import Daemon, Log, answering
from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.adapters.sandbox.cell import Inside, Program, Sandbox
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.flags import Flags

_TOLD: Final = ("--transfers", "--bwlimit")
_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
_START: Final = """\
import sys
from importlib.util import module_from_spec, spec_from_file_location
for name, place in {places!r}.items():
    spec = spec_from_file_location(
        name, place + "/__init__.py", submodule_search_locations=[place]
    )
    sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
from {program} import main
main()
"""
_PACKAGES: Final = ("cloudcopy", "obstore")


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
    log = Log(feed)
    seen: list[Inside] = []

    def arguments(inside: Inside) -> list[str]:
        seen.append(inside)
        config = [f"--config={inside.config[1]}"]
        told = [f"{name}={value}" for name, value in flags.values if name in _TOLD]
        return [*_interpreted(), *config, *patience, *told]

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
        async with Link(ours) as link:
            running = Daemon(
                link,
                seen[0],
                log,
                confined,
                shown=shown,
                run_dir=run_dir,
                by_name=True,
            )
            try:
                await answering(running)
                yield running
            finally:
                await asyncio.shield(running.end())
                log.drain()
    finally:
        ours.close()
        log.close()


def _interpreter() -> Path:
    return Path(sys.executable).resolve()


def _interpreted() -> list[str]:
    """The interpreter's arguments: nothing of the agent's environment, of a user's directories
    or of what `site` would find; only the packages that are named, by their places: what lies
    beside them is not shown."""
    places = dict(zip(_PACKAGES, map(str, _packages()), strict=True))
    return ["-I", "-S", "-B", "-c", _START.format(places=places, program=program.__name__)]


@cache
def _packages() -> tuple[Path, ...]:
    found = []
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None  # noqa: S101 - both are imported
        assert spec.origin is not None  # noqa: S101
        found.append(Path(spec.origin).resolve().parent)
    return tuple(found)


@cache
def _libraries() -> Sequence[Path]:
    """What the interpreter reads: itself, its library, the system's, and two packages."""
    shared = Path(str(sysconfig.get_config_var("LIBDIR"))) / str(
        sysconfig.get_config_var("INSTSONAME")
    )
    own = [
        *map(Path, _LIBRARIES),
        _interpreter(),
        Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix})),
        Path(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_prefix})),
        shared,
        *_packages(),
    ]
    wanted: list[Path] = []
    for each in own:
        if each.exists() and not any(each.is_relative_to(known) for known in wanted):
            wanted.append(each)
    return tuple(wanted)
