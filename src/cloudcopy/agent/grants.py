"""Credentials, asked for just before a copy starts and kept in memory only."""

import asyncio
from dataclasses import dataclass

from cloudcopy.agent.outbox import Outbox
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Unavailable
from cloudcopy.wire.agent import BackendGranted, BackendRefused, NeedBackend, Order


@dataclass(frozen=True, slots=True)
class Grant:
    """A store with its secrets, and the prefix of every path in the connection."""

    backend: Backend
    root: str


class Grants:
    """Questions to the control plane that wait for their answers, across sockets."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: dict[tuple[str, int], asyncio.Future[Grant]] = {}

    async def ask(self, order: Order) -> Grant:
        """The store of this attempt. Waits as long as the control plane is away.

        Raises:
            Unavailable: the control plane refused; says why.
        """
        wanted = NeedBackend(transfer=order.transfer, attempt=order.attempt, fence=order.fence)
        answer: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._waiting[order.transfer, order.attempt] = answer
        self._outbox.hold(wanted)
        try:
            return await answer
        finally:
            self._outbox.release(wanted)
            self._waiting.pop((order.transfer, order.attempt), None)

    def answered(self, message: BackendGranted | BackendRefused) -> None:
        """Hand an answer to whoever asked; an answer that nobody waits for is dropped."""
        waiting = self._waiting.get((message.transfer, message.attempt))
        if waiting is None or waiting.done():
            return
        if isinstance(message, BackendRefused):
            waiting.set_exception(Unavailable(message.reason))
        else:
            waiting.set_result(Grant(Backend(message.backend, message.options), message.root))
