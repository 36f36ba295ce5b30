"""Group commit: what is asked for while one transaction runs is the next transaction.

A commit costs a wait for the disk and several changes of thread, whether it holds one order or
sixty. Nothing is ever held back to make a group larger: alone, an order is a group of one.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import structlog
from sqlalchemy import Connection, CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

from cloudcopy.adapters.sql.database import Database
from cloudcopy.adapters.sql.store import store_on
from cloudcopy.domain.errors import CloudCopyError, Unavailable
from cloudcopy.ports.intake import Accept, Accepted, Wanted

log = structlog.get_logger()

MOST: Final = 128  # in one transaction: it holds up other writers for some 10 ms

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Waiting:
    wanted: Wanted
    answer: asyncio.Future[Accepted]


class GroupCommit:
    """See `ports.intake.Intake`. Used from one event loop."""

    def __init__(self, database: Database, accept: Accept, *, most: int = MOST) -> None:
        self._database = database
        self._accept = accept
        self._most = most
        self._queue: deque[_Waiting] = deque()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, wanted: Wanted) -> Accepted:
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(wanted, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await answer

    async def _drain(self) -> None:
        """One group after another, until nobody waits."""
        group: list[_Waiting] = []
        try:
            while self._queue:
                group = self._next()
                await self._commit(group)
        finally:
            self._running = None
            for each in (*group, *self._queue):  # not answered only where this is cancelled
                each.answer.cancel()
            self._queue.clear()

    def _next(self) -> list[_Waiting]:
        """The oldest; who asked may have left meanwhile."""
        group = [self._queue.popleft() for _ in range(min(self._most, len(self._queue)))]
        return [each for each in group if not each.answer.done()]

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        outcomes = await self._outcomes([each.wanted for each in group])
        for each, outcome in zip(group, outcomes, strict=True):
            if each.answer.done():
                continue
            if isinstance(outcome, BaseException):
                each.answer.set_exception(outcome)
            else:
                each.answer.set_result(outcome)

    async def _outcomes(self, wanted: Sequence[Wanted]) -> Sequence[Accepted | Exception]:
        if not wanted:
            return []
        try:
            return await self._together(wanted)
        except Unavailable as error:
            return [_of_its_own(error) for _ in wanted]
        except Exception as error:  # a defect, or a race that another process won
            if len(wanted) == 1:
                return [error]
            log.warning("orders are accepted one by one", count=len(wanted), exc_info=error)
        return [outcome for each in wanted for outcome in await self._outcomes([each])]

    async def _together(self, wanted: Sequence[Wanted]) -> Sequence[Accepted | CloudCopyError]:
        def work(connection: Connection) -> Sequence[Accepted | CloudCopyError]:
            store = store_on(cast(AsyncConnection, _Here(connection)))
            return _done(self._accept(wanted, store))

        return await self._database.at_once(work)


class _Here:
    """Of an `AsyncConnection` what the store uses, done in the thread that asks for it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, *arguments: Any, **options: Any) -> CursorResult[Any]:
        return self._connection.execute(*arguments, **options)

    async def scalar(self, *arguments: Any, **options: Any) -> Any:
        return self._connection.scalar(*arguments, **options)


def _done(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; it has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    work.close()
    raise RuntimeError("accepting orders waited for something else than the store")


def _of_its_own(error: Unavailable) -> Unavailable:
    """The same for one of several that are told: an error is raised in one place only."""
    copy = Unavailable(*error.args, next=error.next)
    copy.__cause__ = error.__cause__
    return copy
