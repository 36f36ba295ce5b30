"""The agents' WebSocket: login, then desired state down and reports up.

One socket per machine speaks: the newest epoch wins, and an older socket is told so when
the newer one has logged in, and closed. A fault of ours never closes a socket: what could
not be done is not acknowledged, so the agent says it again.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import msgspec
import structlog
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from cloudcopy.control import hosting, ledgers, machines, reports
from cloudcopy.domain.errors import CloudCopyError, Forbidden, Rejected, Unavailable, first
from cloudcopy.domain.machine import Machine
from cloudcopy.http.callers import anyone
from cloudcopy.http.ends import Ends
from cloudcopy.http.services import Services, socket_services
from cloudcopy.http.shutdown import Shutdown
from cloudcopy.ports.bus import Doorbell
from cloudcopy.ports.reads import Sign
from cloudcopy.wire import agent as wire

log = structlog.get_logger()
router = APIRouter()

PATH: Final = "/v1/agent"
ROUND_SECONDS: Final = 20.0  # between full rounds, give or take a quarter so that agents spread
LOGIN_SECONDS: Final = 10.0
AT_ONCE: Final = 32  # messages of one agent in hand, besides reports
KEEP_EVERY: Final = timedelta(seconds=5)  # how often a copy's numbers are stored
REFUSED: Final = 4403  # private close codes are 4000 to 4999 (RFC 6455)
SUPERSEDED: Final = 4409
GOING_AWAY: Final = 1001
TRY_AGAIN: Final = 1013

M = TypeVar("M", bound=wire.Message)


@router.websocket(PATH)
@anyone
async def speak(socket: WebSocket) -> None:
    """Serve one agent until either side goes."""
    app = socket_services(socket)
    await socket.accept()
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            line = await _log_in(socket, app)
    except (CloudCopyError, msgspec.DecodeError, TimeoutError) as error:
        log.warning("agent refused", reason=str(error))
        final = isinstance(error, Rejected)
        words = str(error) or "the login took too long"
        await socket.send_bytes(wire.pack(wire.Bye(reason=words, final=final)))
        await socket.close(REFUSED if final else TRY_AGAIN)
        return
    except WebSocketDisconnect:
        return
    with (
        app.bus.listen(line.machine.id) as bell,
        app.relays.connected(line.machine.id, relays=line.relays, tell=line.send),
    ):
        await line.serve(bell)


async def _log_in(socket: WebSocket, app: Services) -> "Line":
    hello = await _expect(socket, wire.Hello)
    nonce = app.new_nonce()
    await socket.send_bytes(wire.pack(wire.Challenge(nonce=nonce)))
    proof = await _expect(socket, wire.Proof)
    machine, epoch = await machines.log_in(hello, proof, nonce, desk=app.machines)
    told = await _expect(socket, wire.Announce)
    ids = await machines.announce(told, machine=machine.id, desk=app.machines)
    await socket.send_bytes(wire.pack(wire.Welcome(epoch=epoch, instances=ids)))
    log.info("agent connected", machine=machine.id, epoch=epoch)
    app.bus.ring(machine.id)  # an older socket of this machine, if any, finds out now
    shutdown, hosts = socket.app.state.shutdown, told.hardware is not None
    socket.scope.clear()  # as long as it is connected it would be kept, unread
    return Line(socket, app, machine, epoch, told.relays, shutdown, hosts=hosts)


async def _frame(socket: WebSocket) -> wire.FromAgent:
    """The next message. Raises msgspec.DecodeError for a frame that is none."""
    received = await socket.receive()
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received["code"])
    return wire.from_agent(received.get("bytes") or b"")


async def _expect(socket: WebSocket, kind: type[M]) -> M:
    message = await _frame(socket)
    if not isinstance(message, kind):
        raise Forbidden(f"expected {kind.__name__}, got {type(message).__name__}")
    return message


class Superseded(Exception):
    """A newer socket of the same machine has logged in."""


@dataclass(slots=True)
class Line:
    """One logged-in socket.

    Attributes:
        hosts: The agent knows of created instances.
    """

    socket: WebSocket
    app: Services
    machine: Machine
    epoch: int
    relays: bool
    shutdown: Shutdown
    hosts: bool = False
    _instances: Sequence[wire.DesiredInstances] = field(default=(), init=False)
    _told: set[Sign] = field(default_factory=set, init=False)
    _fences: dict[str, str] = field(default_factory=dict, init=False)
    _kept_at: dict[str, datetime] = field(default_factory=dict, init=False)
    _places: dict[tuple[str, int], ledgers.Place] = field(default_factory=dict, init=False)
    _ends: Ends = field(init=False)
    _hands: asyncio.Semaphore = field(
        default_factory=partial(asyncio.Semaphore, AT_ONCE), init=False
    )
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self._ends = Ends(self.app, self.machine.id, self.send)

    async def serve(self, bell: Doorbell) -> None:
        """Until the agent goes, a newer socket takes over, or the server closes."""
        down = asyncio.create_task(self._send_desired(bell))
        up = asyncio.create_task(self._receive())
        closing = self.shutdown.task()
        done, rest = await asyncio.wait({down, up, closing}, return_when=asyncio.FIRST_COMPLETED)
        for each in rest - {closing}:
            each.cancel()
        await asyncio.gather(*(rest - {closing}), return_exceptions=True)
        await self._close(next(iter(done)))

    async def _close(self, ended: "asyncio.Task[None] | asyncio.Task[object]") -> None:
        error = first(ended.exception())
        code, words = GOING_AWAY, "the server is shutting down"
        match error:
            case WebSocketDisconnect():
                return
            case Superseded():
                code, words = SUPERSEDED, "a newer connection of this machine took over"
            case Forbidden() | msgspec.DecodeError():
                code, words = REFUSED, str(error)
            case Exception():
                log.error("agent socket failed", machine=self.machine.id, exc_info=error)
                code, words = 1011, "the server failed"
        with suppress(WebSocketDisconnect, RuntimeError):  # it was gone already
            await self.send(wire.Bye(reason=words))
            await self.socket.close(code)

    async def send(self, message: wire.Message) -> None:
        async with self._sending:
            await self.socket.send_bytes(wire.pack(message))

    async def _send_desired(self, bell: Doorbell) -> None:
        """Everything at once and on each round; what is new on each ring."""
        loop = asyncio.get_running_loop()
        round_at = loop.time()
        while True:
            full = loop.time() >= round_at
            if full:
                round_at = loop.time() + ROUND_SECONDS * random.uniform(0.75, 1.25)  # noqa: S311
            try:
                await self._tell(full=full)
            except Unavailable as error:
                log.warning("agent not told", machine=self.machine.id, reason=str(error))
            await bell.wait(max(0.0, round_at - loop.time()))

    async def _tell(self, *, full: bool) -> None:
        """Raises Superseded; Unavailable when the database cannot be read now."""
        reads, id = self.app.reads, self.machine.id
        current, signs = await asyncio.gather(
            machines.is_current(self.machine, self.epoch, reads=reads), reads.signs(id)
        )
        if not current:
            raise Superseded
        if full:
            await machines.heard(id, desk=self.app.machines)
        fresh = [each.transfer for each in signs if each not in self._told]
        if fresh or full:  # whole rows are dear: only those are read that say something new
            only = None if full else fresh
            orders = await reports.desired(id, reads=reads, only=only) if signs else []
            await self._send_orders(orders, full=full)
        if self.hosts:
            await self._tell_instances(full=full)
        self._told = set(signs)
        self._fences = {each.transfer: each.fence for each in signs}

    async def _send_orders(self, orders: list[wire.Order], *, full: bool) -> None:
        for start in range(0, max(1, len(orders)), wire.MAX_ORDERS):
            part = orders[start : start + wire.MAX_ORDERS]
            more = start + wire.MAX_ORDERS < len(orders)
            await self.send(wire.Desired(full=full, orders=part, more=more))

    async def _tell_instances(self, *, full: bool) -> None:
        app = self.app
        wanted = await hosting.desired(
            self.machine.id, reads=app.reads, vault=app.vault, now=app.now()
        )
        if full or wanted != self._instances:
            for each in wanted:
                await self.send(each)
        self._instances = wanted

    async def _receive(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                message = await _frame(self.socket)
                if isinstance(message, wire.Report):  # a slow one holds up no other message
                    group.create_task(self._hear(message))
                    continue
                await self._hands.acquire()
                hearing = group.create_task(self._hear(message))
                hearing.add_done_callback(lambda _: self._hands.release())

    async def _hear(self, message: wire.FromAgent) -> None:
        try:
            await self._act(message)
        except (Forbidden, WebSocketDisconnect):
            raise
        except Unavailable as error:
            log.warning("message left unanswered", machine=self.machine.id, reason=str(error))
        except Exception:
            log.exception("message left unanswered", machine=self.machine.id)

    async def _act(self, message: wire.FromAgent) -> None:
        match message:
            case wire.Report():
                await self._report(message)
            case wire.LedgerChunk():
                await self._ledger(message)
            case wire.NeedNames():
                await self._names(message)
            case wire.ProgressNow():
                await self._progress(message)
            case wire.InstanceNow():
                await self._instance(message)
            case wire.InstanceAnswer():
                await hosting.answered(
                    message,
                    machine=self.machine.id,
                    open_store=self.app.open_store,
                    now=self.app.now,
                )
            case wire.NeedBackend():
                await self.send(
                    await reports.grant(
                        message,
                        machine=self.machine.id,
                        reads=self.app.reads,
                        vault=self.app.vault,
                        relays=self.app.relays,
                    )
                )
            case wire.SourceServed() | wire.SourceRefused():
                self.app.relays.answered(message, machine=self.machine.id)
            case _:
                raise Forbidden(f"{type(message).__name__} is not expected after the login")

    async def _ledger(self, chunk: wire.LedgerChunk) -> None:
        reads, opened = self.app.reads, self.app.open_store
        await ledgers.take(chunk, machine=self.machine.id, reads=reads, open_store=opened)
        await self.send(
            wire.LedgerAck(transfer=chunk.transfer, attempt=chunk.attempt, number=chunk.number)
        )

    async def _names(self, wanted: wire.NeedNames) -> None:
        key = (wanted.transfer, wanted.attempt)
        page, place = await ledgers.names(
            wanted,
            machine=self.machine.id,
            reads=self.app.reads,
            known=self._places.pop(key, None),
        )
        if page.more and place is not None:
            self._places[key] = place
        await self.send(page)

    async def _instance(self, told: wire.InstanceNow) -> None:
        await hosting.reported_now(
            told, machine=self.machine.id, open_store=self.app.open_store, now=self.app.now
        )

    async def _report(self, report: wire.Report) -> None:
        ended = await self._ends.report(report)
        if ended is not None:
            self._kept_at.pop(ended.id, None)
            self._fences.pop(ended.id, None)

    async def _progress(self, told: wire.ProgressNow) -> None:
        if self._fences.get(told.transfer) != told.fence:
            return  # of an attempt that this machine does not have
        await self._ends.near(told)
        last = self._kept_at.get(told.transfer)
        keep = last is None or self.app.now() - last >= KEEP_EVERY
        if keep:
            self._kept_at[told.transfer] = self.app.now()
        await reports.note(
            told,
            open_store=self.app.open_store,
            bus=self.app.bus,
            now=self.app.now,
            keep=keep,
        )
