"""The second choice, where namespaces are forbidden: Landlock, which needs no privilege.

rclone runs among the host's other processes and sees the host's paths, but the kernel
refuses to open anything except what is listed here, links included. Directories are named
by inherited descriptors (`/proc/self/fd/N`): right after their path was swapped, and
reachable for a user who may not enter their parents.

The credentials are in the environment of this one process, which its own user and root can
read while it lives; a refreshed token stays in its memory.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudcopy.adapters.sandbox import launch
from cloudcopy.adapters.sandbox.beneath import Shown, holder
from cloudcopy.adapters.sandbox.cell import HOST_FILES, Confined, Handover, Inside, Program
from cloudcopy.adapters.sandbox.child import beside, ending, launched, opened, run_directory
from cloudcopy.adapters.sandbox.plan import Plan
from cloudcopy.adapters.sandbox.section import as_environment
from cloudcopy.domain.errors import Unavailable

# The working directory, by a name that is always the same. A relative socket address keeps
# clear of the 108 bytes that such an address may have.
_HERE: Final = "/proc/self/cwd"

_SYSTEM: Final = (
    ("/dev/null", "device"),
    *((path, "read") for path in ("/dev/urandom", *HOST_FILES)),
)


@dataclass(frozen=True, slots=True)
class Landlock:
    """See `cell.Sandbox`."""

    @property
    def name(self) -> str:
        return "landlock"

    async def usable(self) -> bool:
        """Whether this kernel has Landlock and lets us use it."""
        return launch.landlock_abi() > 0

    def handover(self, libraries: Sequence[Path]) -> Handover | None:
        return Handover([*_SYSTEM, *_readable(libraries)])

    async def start(self, program: Program) -> Confined:
        """A program that was shown nothing is not confined until it was (`Handover`): Landlock
        only ever takes away."""
        return await _start(program, confined=program.shown is not None)


@dataclass(frozen=True, slots=True)
class Unconfined:
    """See `cell.Sandbox`. No confinement at all: a link in the instance leads where it leads.

    What remains is that rclone dies with the agent, runs as the instance's user, leaves no
    core, and gets nothing of the agent's environment.
    """

    @property
    def name(self) -> str:
        return "unconfined"

    def handover(self, libraries: Sequence[Path]) -> Handover | None:
        return Handover(None)

    async def start(self, program: Program) -> Confined:
        return await _start(program, confined=False)


def _readable(libraries: Sequence[Path]) -> list[tuple[str, str]]:
    return [(str(path), "programs") for path in libraries]


@contextmanager
def _store(store: Path | Shown | None) -> Iterator[int | None]:
    """A descriptor of the directory in the place of a store."""
    match store:
        case Shown():
            with holder(store) as found:
                yield found
        case Path():
            with opened(store) as place:
                yield place
        case None:
            yield None


async def _start(program: Program, *, confined: bool) -> Confined:
    with ExitStack() as stack:
        binary = beside(stack, stack.enter_context(opened(program.binary)))
        run = stack.enter_context(run_directory(program))
        shown = program.shown
        data = beside(stack, stack.enter_context(holder(shown))) if shown else None
        store = stack.enter_context(_store(program.store))
        store = None if store is None else beside(stack, store)
        inside = Inside(
            data="" if data is None else f"/proc/self/fd/{data}",
            run="",
            store=None if store is None else f"/proc/self/fd/{store}",
            config=("--config", ""),
        )
        rules: list[tuple[int | str, str]] = [
            (binary, "run"),
            (run, "serve"),
            *_SYSTEM,
            *_readable(program.libraries),
        ]
        if shown:
            rules.append((shown.fd, "change" if program.writable else "read"))
        if isinstance(program.store, Shown):
            rules.append((program.store.fd, "read"))
        elif store is not None:
            rules.append((store, "change" if program.store_writable else "read"))
        if program.listed and data is not None:
            rules.append((data, "list"))
        lock = None if program.lock_fd is None else beside(stack, program.lock_fd)
        keep = [each for each in (lock, data, store) if each is not None]
        config = as_environment(program.config) if program.config else {}
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
                env={"HOME": _HERE, "TMPDIR": _HERE, **config},
                listening=program.socket,
            ),
            passed=[
                binary,
                run,
                *([shown.fd] if shown else []),
                *([program.store.fd] if isinstance(program.store, Shown) else []),
            ],
            stderr=program.stderr,
        )
    async with ending(process):
        try:
            return Confined(process, process.pid)
        except ProcessLookupError:
            raise Unavailable("rclone ended at once; what it said is in the copy's log") from None
