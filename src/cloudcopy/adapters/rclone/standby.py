"""Movers for the control plane's own looks: started ahead where a look is expected soon, and
ended after it has been answered."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.process import Daemon
from cloudcopy.adapters.rclone.rc import Gone
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.movers import Mover

log = structlog.get_logger()

AHEAD: Final = 4  # that wait for their look; each is a process of some 40 MB
KEPT_SECONDS: Final = 10.0  # that one waits; to start it takes a tenth of a second


@dataclass(frozen=True, slots=True)
class Opening:
    """What a mover is started with. One can do every look of another that is equal."""

    backend: Backend
    flags: Flags
    mover: Mover


@dataclass(frozen=True, slots=True)
class Eyes:
    """A running mover that is shown a store, and nothing else."""

    daemon: Daemon
    ledger: Ledger

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """`Daemon.call`; a `Gone` says what the mover said last."""
        try:
            return await self.daemon.call(method, **parameters)
        except Gone:
            raise last_words(self.ledger) from None


def last_words(ledger: Ledger) -> Gone:
    """What a mover said before it ended."""
    return Gone(ledger.errors[-1] if ledger.errors else "it ended")


@dataclass(frozen=True, slots=True)
class Held:
    """One that runs, or is being started, until `leave`."""

    opening: Opening
    ready: "asyncio.Future[Eyes]"
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def eyes(self) -> Eyes:
        """Wait until it has started.

        Raises:
            Gone: it ended before it answered.
            Unavailable: it could not be started.
        """
        return await asyncio.shield(self.ready)

    @property
    def failed(self) -> bool:
        return self.ready.done() and self.ready.exception() is not None

    def leave(self) -> None:
        """Let it end. Nobody waits for that but `Standby.close`."""
        self.left.set()


@dataclass(frozen=True, slots=True)
class Standby:
    """Used from one event loop.

    Attributes:
        opened: A mover for the time of a block.
    """

    opened: Callable[[Opening], AbstractAsyncContextManager[Eyes]]
    _ahead: dict[str, Held] = field(default_factory=dict, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    def expect(self, about: str, opening: Opening) -> None:
        """Start one for the look that `about` names, unless one waits or too many do."""
        if about not in self._ahead and len(self._ahead) < AHEAD:
            held = self._ahead[about] = self._start(opening)
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._expire, about, held)

    @property
    def waiting(self) -> int:
        """How many wait for their look."""
        return len(self._ahead)

    def dismiss(self, about: str) -> None:
        """That look will not come."""
        held = self._ahead.pop(about, None)
        if held:
            held.leave()

    def take(self, about: str, opening: Opening) -> Held:
        """The one that was started for this look, or a new one. The caller lets it end."""
        held = self._ahead.pop(about, None)
        if held and held.opening == opening and not held.failed:
            return held
        if held:
            held.leave()
        return self._start(opening)

    async def close(self) -> None:
        """End those that wait, and wait for all that end."""
        for about in list(self._ahead):
            self.dismiss(about)
        await asyncio.gather(*self._tasks)

    def _expire(self, about: str, held: Held) -> None:
        if self._ahead.get(about) is held:
            self.dismiss(about)

    def _start(self, opening: Opening) -> Held:
        held = Held(opening, asyncio.get_running_loop().create_future())
        task = asyncio.create_task(self._hold(held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return held

    async def _hold(self, held: Held) -> None:
        try:
            async with self.opened(held.opening) as eyes:
                held.ready.set_result(eyes)
                await held.left.wait()
        except Exception as error:
            if held.ready.done():
                log.exception("a mover could not be ended")
                return
            held.ready.set_exception(error)
            held.ready.exception()  # whoever waits is told; nobody may
