"""The agent's end of the socket: calls as `rclone.rc.Rc` makes them.

The socket is one of a pair, so nobody else can reach it, and it needs no password.
"""

import asyncio
import contextlib
import json
import socket
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from cloudcopy.adapters.objects.child.wire import LENGTH_BYTES
from cloudcopy.adapters.rclone.rc import Gone, RcError

_LIMIT: Final = 1 << 20  # bytes read at once; an answer may be longer


class Link:
    """Attributes:
    unsupported: Why rclone must do this copy, once the program has told so. Until then it has
        changed nothing.

    Args:
        first: What the program is told before the first call.
    """

    def __init__(self, connection: socket.socket, *, first: bytes = b"") -> None:
        self._first = first
        self.unsupported = ""
        self._connection = connection
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        reader, self._writer = await asyncio.open_unix_connection(
            sock=self._connection, limit=_LIMIT
        )
        self._writer.write(self._first)  # the program reads it before anything else
        self._reading = asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer:
            self._writer.close()
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """See `Rc.call`. Giving up on it stops what it does.

        Raises:
            RcError, Gone
        """
        if self._reading is None or self._reading.done():
            raise Gone(method)
        number = next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send({"id": number, "method": method, "parameters": parameters})
            answer = await answered
        except asyncio.CancelledError:
            self._send({"id": number})
            raise
        finally:
            self._waiting.pop(number, None)
        if "error" in answer:
            if answer.get("unsupported"):
                self.unsupported = str(answer["error"])
            raise RcError(str(answer["error"]), int(answer["status"]))
        found: dict[str, Any] = answer["result"]
        return found

    def _send(self, request: dict[str, Any]) -> None:
        body = json.dumps(request).encode()
        if self._writer and not self._writer.is_closing():
            self._writer.write(len(body).to_bytes(LENGTH_BYTES, "big") + body)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
                    answer = json.loads(await reader.readexactly(length))
                    waiting = self._waiting.get(int(answer["id"]))
                    if waiting and not waiting.done():
                        waiting.set_result(answer)
        finally:
            for each in self._waiting.values():
                if not each.done():
                    each.set_exception(Gone("the mover ended"))
