"""The second choice, where namespaces are forbidden: Landlock, which needs no privilege.

rclone runs among the host's other processes and sees the host's paths, but the kernel
refuses to open anything except what is listed here, links included. Directories are named
by inherited descriptors (`/proc/self/fd/N`): right after their path was swapped, and
reachable for a user who may not enter their parents.

The credentials are in the environment of this one process, which its own user and root can
read while it lives; a refreshed token stays in its memory.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudcopy.adapters.sandbox import launch
from cloudcopy.adapters.sandbox.beneath import Shown
from cloudcopy.adapters.sandbox.cell import HOST_FILES, Confined, Inside, Program
from cloudcopy.adapters.sandbox.child import beside, ending, launched, opened, run_directory
from cloudcopy.adapters.sandbox.plan import Plan
from cloudcopy.adapters.sandbox.section import as_environment
from cloudcopy.domain.errors import Invalid, Unavailable

# The working directory, by a name that is always the same. A relative socket address keeps
# clear of the 108 bytes that such an address may have.
_HERE: Final = "/proc/self/cwd"


@dataclass(frozen=True, slots=True)
class Landlock:
    """See `cell.Sandbox`."""

    @property
    def name(self) -> str:
        return "landlock"

    async def usable(self) -> bool:
        """Whether this kernel has Landlock and lets us use it."""
        return launch.landlock_abi() > 0

    async def start(self, program: Program) -> Confined:
        return await _start(program, confined=True)


@dataclass(frozen=True, slots=True)
class Unconfined:
    """See `cell.Sandbox`. No confinement at all: a link in the instance leads where it leads.

    What remains is that rclone dies with the agent, runs as the instance's user, leaves no
    core, and gets nothing of the agent's environment.
    """

    @property
    def name(self) -> str:
        return "unconfined"

    async def start(self, program: Program) -> Confined:
        return await _start(program, confined=False)


@contextmanager
def _directory(shown: Shown) -> Iterator[int]:
    """The directory that was shown, or the one that holds the file that was.

    Raises:
        Invalid: the file was named by a link, which rclone would not follow, or was moved.
    """
    if not shown.name:
        yield shown.fd
        return
    with opened(shown.host_path.parent) as holder:
        found = os.stat(shown.name, dir_fd=holder, follow_symlinks=False)
        if not os.path.samestat(found, os.fstat(shown.fd)):
            raise Invalid(
                "src",
                f"{shown.name} is a symbolic link to a file, which this machine's sandbox "
                "cannot copy; name the file itself, or install bubblewrap there",
                code="link_to_file",
            )
        yield holder


@contextmanager
def _store(store: Path | Shown | None) -> Iterator[int | None]:
    """A descriptor of the directory in the place of a store."""
    match store:
        case Shown():
            with _directory(store) as holder:
                yield holder
        case Path():
            with opened(store) as place:
                yield place
        case None:
            yield None


async def _start(program: Program, *, confined: bool) -> Confined:
    with ExitStack() as stack:
        binary = beside(stack, stack.enter_context(opened(program.binary)))
        run = stack.enter_context(run_directory(program))
        data = beside(stack, stack.enter_context(_directory(program.shown)))
        store = stack.enter_context(_store(program.store))
        store = None if store is None else beside(stack, store)
        inside = Inside(
            data=f"/proc/self/fd/{data}",
            run="",
            store=None if store is None else f"/proc/self/fd/{store}",
            config=("--config", ""),
        )
        rules: list[tuple[int | str, str]] = [
            (binary, "run"),
            (run, "serve"),
            (program.shown.fd, "change" if program.writable else "read"),
            ("/dev/null", "device"),
            *((path, "read") for path in ("/dev/urandom", *HOST_FILES)),
            *((str(path), "programs") for path in program.libraries),
        ]
        if isinstance(program.store, Shown):
            rules.append((program.store.fd, "read"))
        elif store is not None:
            rules.append((store, "change" if program.store_writable else "read"))
        if program.listed:
            rules.append((data, "list"))
        keep = [beside(stack, program.lock_fd), data, *([] if store is None else [store])]
        process = await launched(
            Plan(
                parent=os.getpid(),
                told=-1,
                keep=keep,
                user=program.user,
                stage=[],
                cwd=run,
                rules=rules if confined else None,
                program=binary,
                argv=[
                    str(program.binary) if program.libraries else "rclone",
                    *program.arguments(inside),
                ],
                env={"HOME": _HERE, "TMPDIR": _HERE, **as_environment(program.config)},
                listening=program.socket,
            ),
            passed=[
                binary,
                run,
                program.shown.fd,
                *([program.store.fd] if isinstance(program.store, Shown) else []),
            ],
            stderr=program.stderr,
        )
    async with ending(process):
        try:
            return Confined(process, process.pid)
        except ProcessLookupError:
            raise Unavailable("rclone ended at once; what it said is in the copy's log") from None
