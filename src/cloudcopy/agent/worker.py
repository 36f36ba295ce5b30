"""The agent's decisions: what it is told, against what its journal says.

The control plane sends everything this machine should know, again and again; most of it is
old news. A start happens once for each (transfer, attempt): the journal refuses the second.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog

from cloudcopy.agent.attempt import Bench, Wish, carry_out
from cloudcopy.agent.instances import Instances
from cloudcopy.domain.errors import Unavailable
from cloudcopy.ports.journal import Standing
from cloudcopy.wire.agent import (
    Ack,
    BackendGranted,
    BackendRefused,
    Desired,
    DesiredInstances,
    EndSource,
    FromServer,
    LedgerAck,
    Names,
    OpenHalf,
    Order,
    Report,
    ServeSource,
)

log = structlog.get_logger()

REMEMBERED: Final = timedelta(days=30)  # longer than a server restored from a backup is behind
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)  # it names files of ours

Attempt = tuple[str, int]


@dataclass
class Worker:
    """Runs the copies of one machine. Used from one event loop.

    Attributes:
        slots: Bounds how many copies run at once; the rest wait in the order they came.
        spawn: Runs a coroutine as a task of the agent.
        instances: None where none can be created.
    """

    bench: Bench
    slots: asyncio.Semaphore
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    instances: Instances | None = None
    _wishes: dict[Attempt, Wish] = field(default_factory=dict, init=False)
    _round: set[Attempt] = field(default_factory=set, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def recover(self) -> None:
        """After a start: report again what ended, go on with what was running."""
        await self.prune()
        unsettled = await self.bench.journal.unsettled()
        await self.bench.shipping.tidy(
            {(each.order.transfer, each.order.attempt) for each in unsettled}
        )
        for entry in unsettled:
            if entry.report is not None:
                self._ship(entry.report)
        for entry in await self.bench.journal.unfinished():
            log.info("resuming", transfer=entry.order.transfer, attempt=entry.order.attempt)
            self._start(entry.order, resumed=entry.standing is Standing.STARTED)

    async def prune(self) -> None:
        """Forget what ended long ago."""
        await self.bench.journal.prune(before=self.bench.now() - REMEMBERED)

    def abandon(self) -> None:
        """The agent shuts down: end every copy and record nothing, so that all resume."""
        for task in self._tasks:
            task.cancel()
        if self.instances is not None:
            self.instances.abandon()

    async def hear(self, message: FromServer) -> None:
        """Act on what the control plane says."""
        match message:
            case Desired():
                await self._desire(message)
            case BackendGranted() | BackendRefused() | Names():
                self.bench.questions.answered(message)
            case ServeSource() | OpenHalf() | EndSource():
                self.bench.sources.hear(message, self._spawn)
            case LedgerAck():
                self.bench.shipping.acknowledged(message)
            case DesiredInstances() if self.instances is not None:
                self.instances.hear(message)
            case Ack():
                await self._settle(message)
            case _:
                log.warning("unexpected message", kind=type(message).__name__)

    async def _desire(self, desired: Desired) -> None:
        for order in desired.orders:
            self._round.add((order.transfer, order.attempt))
            try:
                await self._want(order)
            except Unavailable as error:  # it is said again with the next round
                log.error("order not written down", transfer=order.transfer, reason=str(error))
        if desired.more:
            return
        wanted, self._round = self._round, set()
        if desired.full:
            for attempt, wish in self._wishes.items():
                if attempt not in wanted:
                    wish.stop.set()

    def new_socket(self) -> None:
        """A round that the last socket had begun will not be finished."""
        self._round.clear()

    def lost_socket(self) -> None:
        """What other machines read here, they read by leave of a control plane that is away."""
        self.bench.sources.part()

    async def _want(self, order: Order) -> None:
        if not _ID.fullmatch(order.transfer):
            log.error("order refused: its transfer has no proper id")
            return
        running = self._wishes.get((order.transfer, order.attempt))
        if running is not None:
            running.heard(order)
            return
        self._stop_earlier(order)
        if await self.bench.journal.accept(order):
            self._start(order, resumed=False)
            return
        entry = await self.bench.journal.get(order.transfer, order.attempt)
        if entry is None:
            return
        if entry.report is not None:
            self._ship(entry.report)
        else:  # we were cut off between writing it down and starting it
            self._start(order, resumed=entry.standing is Standing.STARTED)

    def _stop_earlier(self, order: Order) -> None:
        """A new attempt was drawn while the old one still runs here: its lock must come free."""
        for (transfer, attempt), wish in self._wishes.items():
            if transfer == order.transfer and attempt < order.attempt:
                wish.stop.set()

    def _start(self, order: Order, *, resumed: bool) -> None:
        wish = Wish()
        wish.heard(order)
        self._wishes[order.transfer, order.attempt] = wish
        self._spawn(self._run(order, wish, resumed=resumed))

    def _ship(self, report: Report) -> None:
        """Report an end again, after its ledger."""
        self._spawn(self._report_again(report))

    async def _report_again(self, report: Report) -> None:
        try:
            await self.bench.shipping.send(report)
        except OSError:  # other copies must go on
            log.exception("the ledger could not be read", transfer=report.transfer)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, order: Order, wish: Wish, *, resumed: bool) -> None:
        try:
            await carry_out(order, wish, slots=self.slots, resumed=resumed, bench=self.bench)
        except Exception:  # the journal cannot be written: other copies must go on
            log.exception("the end could not be recorded; it is tried again", order=order.transfer)
        finally:
            del self._wishes[order.transfer, order.attempt]

    async def _settle(self, ack: Ack) -> None:
        report = self.bench.outbox.acknowledged(ack)
        if report is not None and _is_end(report):
            try:
                await self.bench.journal.settle(ack.transfer, ack.attempt)
            except Unavailable as error:  # reported again after the next start
                log.error("end not settled", transfer=ack.transfer, reason=str(error))
                return
            await self.bench.shipping.forget(ack.transfer, ack.attempt)


def _is_end(report: Report) -> bool:
    return report.kind != "started"
