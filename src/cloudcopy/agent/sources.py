"""What this machine shows of its instances to copies on other machines.

Each relay has one confined, read-only server, started when the control plane asks for it and
ended with the relay, with the agent, and with the connection to the control plane: whoever
still needs it asks again.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from cloudcopy.agent.outbox import Outbox
from cloudcopy.domain.errors import CloudCopyError, Invalid
from cloudcopy.domain.paths import InstancePath
from cloudcopy.ports.tunnels import Origin, Origins, Tunnels
from cloudcopy.wire.agent import (
    EndSource,
    OpenHalf,
    ServeSource,
    SourceRefused,
    SourceServed,
    ToSource,
)

log = structlog.get_logger()

MAX_SERVED: Final = 32  # at once; each is a process
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)  # it names a directory of ours

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass
class _Served:
    """One relay. `origin` is there, or fails, once the server answers, or does not start."""

    origin: asyncio.Future[Origin]
    halves: set[asyncio.Task[None]] = field(default_factory=set)
    task: asyncio.Task[None] | None = None

    @property
    def refused(self) -> bool:
        done = self.origin.done() and not self.origin.cancelled()
        return done and self.origin.exception() is not None

    def close(self) -> None:
        """End the server and what goes through it; whoever waits for it waits no longer."""
        self.origin.cancel()
        for each in (*self.halves, *([self.task] if self.task else [])):
            each.cancel()


@dataclass
class Sources:
    """Used from one event loop."""

    roots: Mapping[str, Path]
    origins: Origins
    tunnels: Tunnels
    outbox: Outbox
    _served: dict[str, _Served] = field(default_factory=dict, init=False)

    def hear(self, message: ToSource, spawn: Spawn) -> None:
        """Act on what the control plane says; nothing here waits."""
        if not _ID.fullmatch(message.relay):
            log.error("relay refused: it has no proper id")
            return
        match message:
            case ServeSource():
                spawn(self._answer(message, self._serve(message, spawn)))
            case OpenHalf():
                served = self._serve(message, spawn)
                half = spawn(self._join(message, served))
                served.halves.add(half)
                half.add_done_callback(served.halves.discard)
            case EndSource():
                self._end(message.relay)

    def part(self) -> None:
        """The connection to the control plane is lost."""
        for relay in list(self._served):
            self._end(relay)

    def _end(self, relay: str) -> None:
        served = self._served.pop(relay, None)
        if served is not None:
            served.close()

    def _serve(self, asked: ServeSource | OpenHalf, spawn: Spawn) -> _Served:
        served = self._served.get(asked.relay)
        if served is None:
            served = _Served(asyncio.get_running_loop().create_future())
            # Somebody may ask and nobody wait for the answer any more.
            served.origin.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._served[asked.relay] = served
            served.task = spawn(self._run(asked, served))
        return served

    async def _run(self, asked: ServeSource | OpenHalf, served: _Served) -> None:
        """Serve until it is cancelled or the server ends."""
        try:
            if len(self._served) > MAX_SERVED:
                raise Invalid("src", "this machine serves as many copies as it can; try later")
            root = self.roots.get(asked.instance)
            if root is None:
                raise Invalid("src", f"the instance {asked.instance} is no longer on its machine")
            path = InstancePath.parse(asked.path, field="src")
            async with self.origins.serve(asked.relay, root, path) as origin:
                log.info("source served", relay=asked.relay)
                served.origin.set_result(origin)
                await origin.ended()
        except CloudCopyError as error:
            log.warning("source not served", relay=asked.relay, reason=str(error))
            if not served.origin.done():
                served.origin.set_exception(error)
        except OSError:
            log.exception("source not served", relay=asked.relay)
        finally:
            if self._served.get(asked.relay) is served:
                del self._served[asked.relay]
            if not served.refused:  # else whoever waits for it tells why
                served.close()
            log.info("source ended", relay=asked.relay)

    async def _answer(self, asked: ServeSource, served: _Served) -> None:
        try:
            origin = await asyncio.shield(served.origin)
        except CloudCopyError as error:
            self.outbox.say(SourceRefused(relay=asked.relay, reason=str(error)))
        except asyncio.CancelledError:
            if not served.origin.cancelled():
                raise
            reason = "the source's machine could not serve it"
            self.outbox.say(SourceRefused(relay=asked.relay, reason=reason))
        else:
            self.outbox.say(SourceServed(relay=asked.relay, name=origin.name))

    async def _join(self, asked: OpenHalf, served: _Served) -> None:
        try:
            origin = await asyncio.shield(served.origin)
            await self.tunnels.join(asked.secret, origin.place)
        except CloudCopyError as error:
            self.outbox.say(SourceRefused(relay=asked.relay, reason=str(error)))
        except OSError as error:
            log.info("relay's connection lost", relay=asked.relay, reason=type(error).__name__)
