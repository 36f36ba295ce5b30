"""Statements that are never broken off in the middle.

A coroutine that is cancelled while it waits for SQLite makes SQLAlchemy drop the connection.
SQLite keeps a closed connection alive, and its transaction open, as long as a statement of it
has rows left to give (``RETURNING``), which may be as long as a traceback is kept: every other
writer is locked out. So what was handed to the database is waited for, and only then is the
cancellation told on. Each wait is bounded by the database's own busy timeout.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


async def whole(work: Awaitable[T]) -> T:
    """The outcome of `work`, which is done to its end.

    Raises:
        CancelledError: it was asked for meanwhile, and the work is done.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # has been looked at: nobody else will
    raise cancelled


class WholeConnection(AsyncConnection):
    """A connection whose statements are done to their end. Begin and end its use by `whole`, too.

    Of all that it can be asked, the store uses `execute` and `scalar`, which is made of it.
    """

    async def execute(self, *arguments: Any, **options: Any) -> CursorResult[Any]:
        return await whole(super().execute(*arguments, **options))
