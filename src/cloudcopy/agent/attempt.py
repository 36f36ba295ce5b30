"""One attempt, from the order to the report of its end."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import structlog

from cloudcopy.agent.grants import Grants
from cloudcopy.agent.outbox import Outbox
from cloudcopy.domain.errors import CloudCopyError, Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Progress, Result
from cloudcopy.domain.transfer import Direction
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.engine import Broken, Copy, Done, End, Halted, TransferEngine
from cloudcopy.ports.journal import Journal
from cloudcopy.wire.agent import Numbers, Order, ProgressNow, Report

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every attempt on this machine works with.

    Attributes:
        roots: The instances' directories on this host, by label.
    """

    roots: Mapping[str, Path]
    journal: Journal
    engine: TransferEngine
    outbox: Outbox
    grants: Grants
    now: Clock


async def carry_out(
    order: Order, stop: asyncio.Event, *, slots: asyncio.Semaphore, resumed: bool, bench: Bench
) -> None:
    """Copy, and record how it ended; the order is in the journal already.

    Cancelling this (the agent shuts down) ends the copy and records nothing: the attempt
    is resumed at the next start.

    Args:
        slots: How many copies may run on this machine at once; orders wait in turn.
        resumed: An earlier process of this attempt died without ending it.
    """
    try:
        if not await _unless(stop, slots.acquire()):
            end: End = Halted(Result(interrupted=resumed))
        else:
            try:
                end = await _copy(order, stop, resumed=resumed, bench=bench)
            finally:
                slots.release()
    except CloudCopyError as error:
        end = Broken(str(error), Result(interrupted=resumed))
    except Exception:
        log.exception("unexpected error", transfer=order.transfer, attempt=order.attempt)
        end = Broken(
            "Something went wrong in the agent; it has been logged there.",
            Result(interrupted=True),
        )
    report = _report(order, end, bench.now)
    log.info("copy ended", transfer=order.transfer, attempt=order.attempt, kind=report.kind)
    await bench.journal.ended(report)
    bench.outbox.hold(report)


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """The outcome of `work`, or None when `stop` came first and it was given up."""
    task = asyncio.ensure_future(work)
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        asked.cancel()
        if not task.done():
            task.cancel()
        await asyncio.gather(task, asked, return_exceptions=True)


async def _copy(order: Order, stop: asyncio.Event, *, resumed: bool, bench: Bench) -> End:
    """Raises CloudCopyError where the copy could not begin."""
    root = bench.roots.get(order.instance)
    if root is None:
        raise Invalid("instance", f"{order.instance} is no longer on this machine")
    # Parsed here again: this agent trusts no path or flag because of who sent it.
    local = InstancePath.parse(order.local, field="local")
    remote = RemotePath.parse(order.remote, field="remote")
    flags = Flags.parse(order.flags)
    grant = await _unless(stop, bench.grants.ask(order))
    if grant is None or stop.is_set():
        return Halted(Result(interrupted=resumed))
    copy = Copy(
        transfer=order.transfer,
        root=root,
        direction=Direction(order.direction),
        local=local,
        remote=remote.below(grant.root),
        flags=flags,
        backend=grant.backend,
        resumed=resumed,
    )
    await bench.journal.started(order.transfer, order.attempt)
    bench.outbox.hold(_started(order, bench.now))
    log.info("copy started", transfer=order.transfer, attempt=order.attempt, resumed=resumed)
    async with aclosing(bench.engine.run(copy, stop)) as events:
        async for event in events:
            if not isinstance(event, Progress):
                return event
            bench.outbox.progress(_progress(order, event))
    raise AssertionError("an engine yields exactly one end")


def _started(order: Order, now: Clock) -> Report:
    return Report(
        transfer=order.transfer,
        attempt=order.attempt,
        fence=order.fence,
        kind="started",
        at=now(),
    )


def _progress(order: Order, seen: Progress) -> ProgressNow:
    return ProgressNow(
        transfer=order.transfer,
        attempt=order.attempt,
        fence=order.fence,
        phase=seen.phase.value,
        files_done=seen.files_done,
        files_total=seen.files_total,
        bytes_done=seen.bytes_done,
        bytes_total=seen.bytes_total,
        rate=seen.rate,
        eta_seconds=seen.eta_seconds,
        errors=seen.errors,
        current=[(each.name, each.bytes, each.size) for each in seen.current],
        log=list(seen.log),
    )


def _report(order: Order, end: End, now: Clock) -> Report:
    kind: Literal["succeeded", "failed", "stopped"]
    match end:
        case Done():
            kind = "succeeded"
        case Broken():
            kind = "failed"
        case Halted():
            kind = "stopped"
    return Report(
        transfer=order.transfer,
        attempt=order.attempt,
        fence=order.fence,
        kind=kind,
        at=now(),
        reason=end.reason if isinstance(end, Broken) else "",
        result=msgspec.convert(msgspec.to_builtins(end.result), Numbers),
    )
