"""A question that is asked before it is known to be needed, while others are answered."""

import asyncio
from typing import Any

from cloudcopy.adapters.rclone.listing import Call

_Asked = tuple[str, dict[str, Any]]


class Ahead:
    """Calls, one of which may have been begun before. From one event loop."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._begun: tuple[_Asked, asyncio.Task[dict[str, Any]]] | None = None

    def begin(self, method: str, **parameters: Any) -> None:
        """Ask already; the first `call` that is the same gets the answer."""
        task = asyncio.create_task(self._call(method, **parameters))
        self._begun = (method, parameters), task

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Raises what the other call would."""
        if self._begun and self._begun[0] == (method, parameters):
            (_, task), self._begun = self._begun, None
            return await task
        return await self._call(method, **parameters)

    async def answer(self) -> dict[str, Any] | None:
        """What was begun, as it was answered. None for an error, or where nothing was."""
        if self._begun is None:
            return None
        task = self._begun[1]
        await asyncio.wait({task})
        return None if task.cancelled() or task.exception() else task.result()

    async def leave(self) -> None:
        """Hang up, if nobody has taken the answer."""
        if self._begun is not None:
            (_, task), self._begun = self._begun, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
