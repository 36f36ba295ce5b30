"""Queries that come while all readers are busy are done together, in one change of thread.

A change of thread costs several times what a small query does. Each query is run after it was
asked for: what it tells is never older than the asking.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, Select

from cloudcopy.adapters.sql.whole import whole

MOST: Final = 64  # queries in one change of thread: a slow one among them holds up the others

Rows = list[RowMapping]
_Query = tuple[Select[Any], Mapping[str, object] | None]
_Asked = tuple[Select[Any], Mapping[str, object] | None, asyncio.Future[Rows]]
_Name = tuple[int, tuple[tuple[str, object], ...]]


class Gathering:
    """Used from one event loop.

    Args:
        threads: As many as there may be connections of `engine` in use.
    """

    def __init__(self, engine: Engine, threads: ThreadPoolExecutor, *, readers: int) -> None:
        self._engine = engine
        self._threads = threads
        self._free = readers
        self._waiting: list[_Asked] = []
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, query: Select[Any], values: Mapping[str, object] | None) -> Rows:
        """All rows. Raises what SQLAlchemy does."""
        answer: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._waiting.append((query, values, answer))
        if self._free:
            self._free -= 1
            running = asyncio.create_task(self._drain())
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        return await answer

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group = self._waiting[:MOST]
                del self._waiting[:MOST]
                await self._answer(group)
        finally:
            self._free += 1

    async def _answer(self, group: Sequence[_Asked]) -> None:
        queries = {_name(query, values): (query, values) for query, values, _ in group}
        found: Mapping[_Name, Rows | Exception] = {}
        try:
            loop = asyncio.get_running_loop()
            found = await whole(loop.run_in_executor(self._threads, self._look, queries))
        except Exception as error:  # noqa: BLE001 - told to all: nothing was asked
            found = dict.fromkeys(queries, error)
        finally:
            for query, values, answer in group:
                _tell(answer, found.get(_name(query, values)))

    def _look(self, queries: Mapping[_Name, _Query]) -> Mapping[_Name, Rows | Exception]:
        with self._engine.connect() as connection:
            return {name: _rows(connection, *each) for name, each in queries.items()}


def _rows(
    connection: Connection, query: Select[Any], values: Mapping[str, object] | None
) -> Rows | Exception:
    try:
        return [*connection.execute(query, values).mappings()]
    except Exception as error:  # noqa: BLE001 - told to who asked; the others go on
        return error


def _tell(answer: asyncio.Future[Rows], outcome: Rows | Exception | None) -> None:
    if answer.done():  # whoever asked has left
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    elif outcome is None:  # the loop ends
        answer.cancel()
    else:
        answer.set_result(outcome)


def _name(query: Select[Any], values: Mapping[str, object] | None) -> _Name:
    """Equal for the same query with the same values."""
    return id(query), tuple((values or {}).items())
