"""One `objects.child` for one copy: told what it is, listened to, ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from cloudcopy.adapters.objects.child.wire import DATA, RUN, Begin
from cloudcopy.adapters.objects.spare import Spare, Spares, libraries, spare
from cloudcopy.adapters.rclone.flags import PATIENT
from cloudcopy.adapters.rclone.process import READY_SECONDS, Daemon, answering
from cloudcopy.adapters.rclone.rc import Gone
from cloudcopy.adapters.sandbox.beneath import Shown, holder
from cloudcopy.adapters.sandbox.cell import Inside, becoming
from cloudcopy.adapters.sandbox.child import given
from cloudcopy.adapters.sandbox.section import options
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import Flags

_TOLD: Final = ("--transfers", "--bwlimit")
_RUN, _SHOWN = 1, 2  # among the descriptors that are handed over


@asynccontextmanager
async def objects_daemon(
    spares: Spares,
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
    words = [f"{name}={value}" for name, value in flags.values if name in _TOLD]
    told: Begin = {
        "words": [*patience, *words, f"--mark={run_dir.parent.name}"],
        "store": options(backend),
        "rules": None,
        "handed": False,
    }
    async with AsyncExitStack() as stack:
        with ExitStack() as ours:
            handed = _handed(spares, told, shown, run_dir, ours, writable=writable)
            if handed:
                found = await stack.enter_async_context(spares.taken(shown.owner, feed))
                inside = Inside(data=_named(DATA), run=_named(RUN), store=None, config=())
            else:
                started = spare(
                    spares.sandbox, run_dir=run_dir, feed=feed, shown=shown, writable=writable
                )
                found = await stack.enter_async_context(started)
                inside = found.inside
            await _begin(found, told, [*handed, lock_fd])
        running = Daemon(
            found.link,
            inside,
            found.log,
            found.confined,
            shown=shown,
            run_dir=run_dir,
            by_name=True,
        )
        await stack.enter_async_context(answering(running))
        yield running


def _named(fd: int) -> str:
    return f"/proc/self/fd/{fd}"


def _handed(
    spares: Spares,
    told: Begin,
    shown: Shown,
    run_dir: Path,
    stack: ExitStack,
    *,
    writable: bool,
) -> list[int]:
    """The descriptors of what may be seen, with the rules for them in `told`; none where it must
    be shown from the start."""
    handover = spares.sandbox.handover(libraries())
    if handover is None:
        return []
    try:
        directory = stack.enter_context(holder(shown))
    except Invalid:
        return []  # a link to a file: a sandbox that can show it does
    told["handed"] = True
    if handover.rules is not None:
        right = "change" if writable else "read"
        told["rules"] = [*handover.rules, (_RUN, "read"), (_SHOWN, right)]
    run = stack.enter_context(given(run_dir, becoming(shown.owner)))
    return [directory, run, shown.fd]


async def _begin(found: Spare, told: Begin, handed: list[int]) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await found.link.begin(told, handed=handed)
    except TimeoutError:
        raise Gone("the mover did not start in time") from None
