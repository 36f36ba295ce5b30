"""One attempt, from the order to the report of its end."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import structlog

from cloudcopy.agent.outbox import Outbox
from cloudcopy.agent.questions import Grant, Questions
from cloudcopy.agent.shipping import Shipping
from cloudcopy.agent.sources import Sources
from cloudcopy.domain import bandwidth
from cloudcopy.domain.bandwidth import Timetable
from cloudcopy.domain.connection import INSTANCE
from cloudcopy.domain.errors import CloudCopyError, Conflict, Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.order import Direction, Mode, Scope, Verify, Work
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Progress, Result
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.engine import (
    Broken,
    Copy,
    Done,
    Elsewhere,
    End,
    Halted,
    Neighbour,
    Partial,
    TransferEngine,
)
from cloudcopy.ports.journal import Journal
from cloudcopy.wire import relay
from cloudcopy.wire.agent import Order, ProgressNow, Report

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every attempt on this machine works with.

    Attributes:
        roots: The instances' directories on this host, by label.
        work_dir: Private to this agent.
    """

    roots: Mapping[str, Path]
    journal: Journal
    engine: TransferEngine
    outbox: Outbox
    questions: Questions
    shipping: Shipping
    sources: Sources
    work_dir: Path
    now: Clock


@dataclass
class Wish:
    """What may change about an attempt while it runs."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    bwlimit: Timetable = field(default_factory=Timetable)

    def heard(self, order: Order) -> None:
        """The control plane has said the order, perhaps again and changed."""
        if order.want == "stop":
            self.stop.set()
        try:
            self.bwlimit = bandwidth.parse(order.bwlimit)
        except Invalid as error:
            log.error("bandwidth limit refused", transfer=order.transfer, reason=str(error))


async def carry_out(
    order: Order, wish: Wish, *, slots: asyncio.Semaphore, resumed: bool, bench: Bench
) -> None:
    """Do the attempt, record how it ended, and send its ledger; the order is in the journal.

    Cancelling this (the agent shuts down) ends the copy and records nothing: the attempt
    is resumed at the next start.

    Args:
        slots: How many copies may run on this machine at once; orders wait in turn.
        resumed: An earlier process of this attempt died without ending it.
    """
    try:
        its_turn = await _unless(wish.stop, slots.acquire())
        try:
            # Of a process, or a try, that did not live to record an end.
            await bench.shipping.forget(order.transfer, order.attempt)
            if its_turn:
                end: End = await _copy(order, wish, resumed=resumed, bench=bench)
            else:
                end = Halted(Result(interrupted=resumed))
        finally:
            if its_turn:
                slots.release()
    except CloudCopyError as error:
        end = Broken(str(error), Result(interrupted=resumed))
    except Exception:
        log.exception("unexpected error", transfer=order.transfer, attempt=order.attempt)
        end = Broken(
            "Something went wrong in the agent; it has been logged there.",
            Result(interrupted=True),
        )
    chunks = await bench.shipping.count(order.transfer, order.attempt)
    report = _report(order, end, chunks, bench.now)
    log.info("copy ended", transfer=order.transfer, attempt=order.attempt, kind=report.kind)
    await bench.journal.ended(report)
    await bench.shipping.send(report)


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


async def _copy(order: Order, wish: Wish, *, resumed: bool, bench: Bench) -> End:
    """Raises CloudCopyError where the copy could not begin."""
    only = bench.work_dir / "only" / f"{order.transfer}-{order.attempt}"
    try:
        grant = await _unless(wish.stop, _asked(order, only, bench))
        if grant is None or wish.stop.is_set():
            return Halted(Result(interrupted=resumed))
        copy = _parsed(order, grant, wish, only=only, resumed=resumed, bench=bench)
        return await _run(order, copy, wish, resumed=resumed, bench=bench)
    finally:
        await asyncio.to_thread(only.unlink, missing_ok=True)


async def _asked(order: Order, only: Path, bench: Bench) -> Grant:
    """What the control plane must say before a copy begins."""
    grant = await bench.questions.backend(order)
    if order.scope == Scope.FAILED:
        await _write_names(order, only, bench)
    return grant


async def _write_names(order: Order, only: Path, bench: Bench) -> None:
    """Raises Conflict where no file is named."""
    await asyncio.to_thread(only.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
    known, more = 0, True
    while more:
        page = await bench.questions.names(order, after=known)
        lines = "".join(f"{json.dumps(name)}\n" for name in page.names)
        await asyncio.to_thread(_append, only, lines, first=known == 0)
        known, more = known + len(page.names), page.more and bool(page.names)
    if not known:
        raise Conflict("Nothing is left of the attempt before to try again; retry all of it.")


def _append(path: Path, lines: str, *, first: bool) -> None:
    with path.open("w" if first else "a", encoding="utf-8") as file:
        file.write(lines)


def _parsed(
    order: Order, grant: Grant, wish: Wish, *, only: Path, resumed: bool, bench: Bench
) -> Copy:
    """Parsed here again: this agent trusts no path or flag because of who sent it.

    Raises:
        Invalid: a value breaks a rule, or is a word this agent does not know.
    """
    root = bench.roots.get(order.instance)
    if root is None:
        raise Invalid("instance", f"{order.instance} is no longer on this machine")
    bandwidth.parse(order.bwlimit)
    try:
        work, mode, verify = Work(order.work), Mode(order.mode), Verify(order.verify)
        direction, scope = Direction(order.direction), Scope(order.scope)
    except ValueError as error:
        raise Invalid("order", f"this agent does not know it: {error}") from None
    if work is Work.TRANSFER and mode is Mode.MIRROR and order.agreed is None:
        raise Invalid("mode", "a mirror needs the plan that it carries out")
    return Copy(
        transfer=order.transfer,
        root=root,
        direction=direction,
        local=InstancePath.parse(order.local, field="local"),
        remote=RemotePath.parse(order.remote, field="remote").below(grant.root),
        flags=Flags.parse(order.flags),
        backend=grant.backend,
        source=_source(order, grant, bench),
        ledger=bench.shipping.place(order.transfer, order.attempt),
        work=work,
        mode=mode,
        verify=verify,
        only=only if scope is Scope.FAILED else None,
        agreed=order.agreed,
        pace=lambda: wish.bwlimit.at(bench.now()),
        resumed=resumed,
        again=resumed or order.attempt > 1,
    )


def _source(order: Order, grant: Grant, bench: Bench) -> Neighbour | Elsewhere | None:
    """The other instance, of a copy between two.

    Raises:
        Invalid: it is on this machine no longer, or is reached in a way this agent does not know.
    """
    if grant.backend.type != INSTANCE:
        return None
    told = grant.backend.options
    match told.get(relay.WAY):
        case relay.DIRECT:
            label = told.get(relay.INSTANCE, "")
            root = bench.roots.get(label)
            if root is None:
                raise Invalid("src", f"the instance {label} is no longer on its machine")
            path = InstancePath.parse(told.get(relay.SOURCE_PATH, ""), field="src")
            return Neighbour(root=root, path=path)
        case relay.RELAY:
            listen = partial(
                bench.sources.tunnels.listen,
                token=told.get(relay.TOKEN, ""),
                renew=partial(_token, order, bench),
            )
            name = InstancePath.parse(told.get(relay.NAME, ""), field="src").name
            return Elsewhere(name=name, tunnel=listen)
        case way:
            raise Invalid("src", f"this agent does not know the way {way!r} to another instance")


async def _token(order: Order, bench: Bench) -> str:
    """Raises Unavailable: the control plane refused; says why."""
    return (await bench.questions.backend(order)).backend.options.get(relay.TOKEN, "")


async def _run(order: Order, copy: Copy, wish: Wish, *, resumed: bool, bench: Bench) -> End:
    ledgers = copy.ledger.parent
    await asyncio.to_thread(ledgers.mkdir, mode=0o700, parents=True, exist_ok=True)
    await bench.journal.started(order.transfer, order.attempt)
    bench.outbox.hold(_started(order, bench.now))
    log.info("copy started", transfer=order.transfer, attempt=order.attempt, resumed=resumed)
    async with aclosing(bench.engine.run(copy, wish.stop)) as events:
        async for event in events:
            if not isinstance(event, Progress):
                return event
            bench.outbox.progress(
                ProgressNow(
                    transfer=order.transfer,
                    attempt=order.attempt,
                    fence=order.fence,
                    progress=event,
                )
            )
    raise AssertionError("an engine yields exactly one end")


def _started(order: Order, now: Clock) -> Report:
    return Report(
        transfer=order.transfer,
        attempt=order.attempt,
        fence=order.fence,
        kind="started",
        at=now(),
    )


def _report(order: Order, end: End, chunks: int, now: Clock) -> Report:
    kind: Literal["succeeded", "partial", "failed", "stopped"]
    match end:
        case Done():
            kind = "succeeded"
        case Partial():
            kind = "partial"
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
        reason=end.reason if isinstance(end, Broken | Partial) else "",
        result=end.result,
        chunks=chunks,
    )
