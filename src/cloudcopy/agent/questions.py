"""What an attempt asks the control plane: credentials, and which files failed before.

Credentials are asked for just before a copy starts and are kept in memory only.
"""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from cloudcopy.agent.outbox import Outbox
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Unavailable
from cloudcopy.wire.agent import (
    BackendGranted,
    BackendRefused,
    Names,
    NeedBackend,
    NeedNames,
    Order,
)

Question = NeedBackend | NeedNames
Answer = BackendGranted | BackendRefused | Names

_STORE: Final = "store"


@dataclass(frozen=True, slots=True)
class Grant:
    """A store with its secrets, and the prefix of every path in the connection."""

    backend: Backend
    root: str


class Questions:
    """Questions that wait for their answers, across sockets."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: dict[Hashable, asyncio.Future[Answer]] = {}

    async def backend(self, order: Order) -> Grant:
        """The store of this attempt. Waits as long as the control plane is away.

        Raises:
            Unavailable: the control plane refused; says why.
        """
        wanted = NeedBackend(transfer=order.transfer, attempt=order.attempt, fence=order.fence)
        answer = await self._ask(wanted, (order.transfer, order.attempt, _STORE))
        if isinstance(answer, BackendGranted):
            return Grant(Backend(answer.backend, answer.options), answer.root)
        raise Unavailable(answer.reason if isinstance(answer, BackendRefused) else "no answer")

    async def names(self, order: Order, *, after: int) -> Names:
        """A page of the files that failed in the attempt before, from number `after` on."""
        wanted = NeedNames(
            transfer=order.transfer, attempt=order.attempt, fence=order.fence, after=after
        )
        answer = await self._ask(wanted, (order.transfer, order.attempt, after))
        if isinstance(answer, Names):
            return answer
        raise Unavailable("the control plane did not say which files failed")

    async def _ask(self, wanted: Question, key: Hashable) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        self._outbox.hold(wanted)
        try:
            return await answer
        finally:
            self._outbox.release(wanted)
            self._waiting.pop(key, None)

    def answered(self, message: Answer) -> None:
        """Hand an answer to whoever asked; an answer that nobody waits for is dropped."""
        about = message.after if isinstance(message, Names) else _STORE
        waiting = self._waiting.get((message.transfer, message.attempt, about))
        if waiting is not None and not waiting.done():
            waiting.set_result(message)
