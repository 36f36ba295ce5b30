"""The end of the server, as its long connections wait for it."""

import asyncio


class Shutdown:
    """The wait for the server's end, which all sockets of agents share."""

    def __init__(self, closing: asyncio.Event) -> None:
        self._closing = closing
        self._task: asyncio.Task[object] | None = None

    def task(self) -> asyncio.Task[object]:
        """Done when the server closes. Never to be cancelled by who waits for it."""
        if self._task is None:
            self._task = asyncio.create_task(self._closing.wait())
        return self._task
