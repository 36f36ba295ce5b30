"""The relays of this process; see `ports.relays` and `wire.relay`.

Everything is in memory and for one attempt: a relay ends with its attempt, or when the
destination's agent goes. When the source's agent goes, the relay stays, and each new connection
asks again whether it is back; what was served there starts again with the first of them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import structlog
from fastapi import WebSocket

from cloudcopy.domain.errors import Conflict, NotFound, Unavailable
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.ports.relays import Opened, Wanted
from cloudcopy.wire import agent as wire
from cloudcopy.wire import relay as words

log = structlog.get_logger()

GRACE_SECONDS: Final = 5.0  # for a source's agent that is connecting just now
SERVE_SECONDS: Final = 45.0  # rclone's start on a starved machine, and then some
HALF_SECONDS: Final = 20.0  # of the destination's patience, so that it tries again
MAX_REASON: Final = 500  # characters

Tell = Callable[[wire.Message], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """An agent that is connected here."""

    relays: bool
    tell: Tell


@dataclass(slots=True, eq=False)
class Half:
    """The source's WebSocket of one connection. Its route lives until `done` is set."""

    socket: WebSocket
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class Relay:
    """Attributes:
    closed: Set when the relay is over: what goes through it ends.
    """

    wanted: Wanted
    token: str = field(repr=False)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    serving: "asyncio.Future[str] | None" = None
    halves: "dict[str, asyncio.Future[Half]]" = field(default_factory=dict, repr=False)
    pairs: int = 0

    @property
    def id(self) -> str:
        return f"{self.wanted.transfer}-{self.wanted.attempt}"


class RelaysHere:
    """See `ports.relays.Relays`. Used from one event loop."""

    def __init__(self, new_secret: Callable[[], str], *, grace: float = GRACE_SECONDS) -> None:
        self._new_secret = new_secret
        self.grace = grace  # seconds that a source may be away when a relay is opened
        self._lines: dict[MachineId, _Line] = {}
        self._connected = asyncio.Event()  # set, and replaced, when an agent connects
        self._relays: dict[TransferId, Relay] = {}
        self._by_token: dict[bytes, Relay] = {}
        self._halves: dict[bytes, asyncio.Future[Half]] = {}

    # The agents

    @contextmanager
    def connected(self, machine: MachineId, *, relays: bool, tell: Tell) -> Iterator[None]:
        """An agent can be told something, for as long as this lasts or until it is there anew."""
        line = _Line(relays, tell)
        self._lines[machine] = line
        was, self._connected = self._connected, asyncio.Event()
        was.set()
        try:
            yield
        finally:
            if self._lines.get(machine) is line:
                del self._lines[machine]
            self._parted(machine)

    def _parted(self, machine: MachineId) -> None:
        for relay in list(self._relays.values()):
            if relay.wanted.target == machine:
                self._end(relay)
            elif relay.wanted.source == machine:
                _fail(relay, _away())

    def takes_part(self, machine: MachineId) -> bool:
        line = self._lines.get(machine)
        return line is None or line.relays

    def answered(
        self, message: wire.SourceServed | wire.SourceRefused, *, machine: MachineId
    ) -> None:
        """A source has answered; what nobody waits for is dropped."""
        for relay in self._relays.values():
            if relay.id != message.relay or relay.wanted.source != machine:
                continue
            if isinstance(message, wire.SourceRefused):
                reason = message.reason[:MAX_REASON] or "its machine gave no reason"
                _fail(relay, Conflict(f"The source instance refused: {reason}"))
            elif relay.serving is not None and not relay.serving.done():
                relay.serving.set_result(message.name)

    # A relay's life

    async def open(self, wanted: Wanted) -> Opened:
        relay = self._relays.get(wanted.transfer)
        if relay is not None and relay.wanted.fence != wanted.fence:
            self._end(relay)
            relay = None
        if relay is None:
            relay = Relay(wanted, self._new_secret())
            self._relays[wanted.transfer] = relay
            self._by_token[_key(relay.token)] = relay
        try:
            name = await self._served(relay)
        except Conflict:
            self._end(relay)
            raise
        return Opened(relay.token, name)

    async def _served(self, relay: Relay) -> str:
        """Raises Conflict where it is not."""
        wanted = relay.wanted
        line = await self._line(wanted.source)
        if relay.serving is None or relay.serving.done():
            relay.serving = asyncio.get_running_loop().create_future()
        asked = wire.ServeSource(relay=relay.id, instance=wanted.label, path=wanted.path)
        try:
            async with asyncio.timeout(SERVE_SECONDS):
                await _told(line, asked)
                return await asyncio.shield(relay.serving)
        except TimeoutError:
            raise Conflict(
                "The source instance's machine did not answer in time. Retry the transfer.",
                code="source_silent",
            ) from None

    async def _line(self, machine: MachineId) -> _Line:
        """The agent of a source, which may come back within some seconds.

        Raises:
            Conflict: it does not, or is too old.
        """
        try:
            async with asyncio.timeout(self.grace):
                while (line := self._lines.get(machine)) is None:
                    await self._connected.wait()
        except TimeoutError:
            raise _away() from None
        if not line.relays:
            raise Conflict(
                "The agent of the source instance's machine is too old to copy between "
                "instances. Install this server's cloudcopy version there, then retry.",
                code="source_too_old",
            )
        return line

    def end(self, transfer: TransferId, fence: str, *, target: MachineId) -> None:
        relay = self._relays.get(transfer)
        if relay and (relay.wanted.fence, relay.wanted.target) == (fence, target):
            self._end(relay)

    def _end(self, relay: Relay) -> None:
        if self._relays.get(relay.wanted.transfer) is relay:
            del self._relays[relay.wanted.transfer]
        self._by_token.pop(_key(relay.token), None)
        relay.closed.set()
        _fail(relay, Conflict("This copy is over.", code="relay_over"))
        line = self._lines.get(relay.wanted.source)
        if line is not None and line.relays:
            telling = asyncio.ensure_future(_told(line, wire.EndSource(relay=relay.id)))
            telling.add_done_callback(lambda done: done.cancelled() or done.exception())

    # Its connections

    def expected(self, secret: str) -> "asyncio.Future[Half] | None":
        """What waits for the source's half with that secret."""
        return self._halves.pop(_key(secret), None)

    @asynccontextmanager
    async def pair(self, token: str) -> AsyncIterator[tuple[Relay, Half]]:
        """The source's half for a connection of the destination's.

        Raises:
            NotFound: there is no such relay any more.
            Unavailable: the source cannot be reached now, or there are too many connections.
            Conflict: the source refuses.
        """
        relay = self._by_token.get(_key(token))
        if relay is None:
            raise NotFound("relay", "of this token")
        if relay.pairs >= words.MAX_PAIRS:
            raise Unavailable("The copy has as many connections as it may.")
        relay.pairs += 1
        try:
            half = await self._summon(relay)
            try:
                yield relay, half
            finally:
                half.done.set()
        finally:
            relay.pairs -= 1

    async def _summon(self, relay: Relay) -> Half:
        line = self._lines.get(relay.wanted.source)
        if line is None:
            raise Unavailable(str(_away()))
        secret = self._new_secret()
        coming: asyncio.Future[Half] = asyncio.get_running_loop().create_future()
        self._halves[_key(secret)] = relay.halves[secret] = coming
        wanted = relay.wanted
        asked = wire.OpenHalf(
            relay=relay.id, instance=wanted.label, path=wanted.path, secret=secret
        )
        try:
            async with asyncio.timeout(HALF_SECONDS):
                await _told(line, asked)
                return await coming
        except TimeoutError:
            raise Unavailable("The source instance's machine did not answer in time.") from None
        finally:
            self._halves.pop(_key(secret), None)
            del relay.halves[secret]


def _fail(relay: Relay, error: Conflict) -> None:
    """Tell whoever waits for the source."""
    waiting: list[asyncio.Future[Any]] = [*relay.halves.values()]
    if relay.serving is not None:
        waiting.append(relay.serving)
    for each in waiting:
        if not each.done():
            each.set_exception(error)
            each.exception()  # it may be that nobody asks for it


async def _told(line: _Line, message: wire.Message) -> None:
    try:
        await line.tell(message)
    except Exception as error:
        raise _away() from error


def _away() -> Conflict:
    return Conflict(
        "The source instance's machine is not connected. Start its agent, then retry the transfer.",
        code="source_offline",
    )


def _key(secret: str) -> bytes:
    """What a secret is looked up by: how long that takes says nothing about the secret."""
    return sha256(secret.encode()).digest()
