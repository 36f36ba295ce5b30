"""The agent's end of the socket: calls as `rclone.rc.Rc` makes them.

The socket is one of a pair, so nobody else can reach it, and it needs no password.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from cloudcopy.adapters.objects.child.wire import LENGTH_BYTES, READY, Begin
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
        self._waiting[READY] = asyncio.get_running_loop().create_future()
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

    @property
    def alive(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def begin(self, told: Begin, *, handed: Sequence[int]) -> None:
        """Tell the program of its copy, once it is ready. Our own descriptors stay ours.

        Raises:
            Gone: it ended before.
        """
        await self.ready()
        head, body = _framed(told)
        try:  # its buffer is empty now, and it sees the descriptors with the first byte
            socket.send_fds(self._connection, [head], handed)
        except OSError:
            raise Gone("the mover ended") from None
        self._write(body)

    async def ready(self) -> None:
        """Wait until the program can begin.

        Raises:
            Gone: it ended before.
        """
        await asyncio.shield(self._waiting[READY])

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """See `Rc.call`. Giving up on it stops what it does.

        Raises:
            RcError, Gone
        """
        if not self.alive:
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
        self._write(b"".join(_framed(request)))

    def _write(self, data: bytes) -> None:
        if self._writer and not self._writer.is_closing():
            self._writer.write(data)

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
                    each.exception()  # perhaps nobody waits


def _framed(message: Mapping[str, Any]) -> tuple[bytes, bytes]:
    body = json.dumps(message).encode()
    return len(body).to_bytes(LENGTH_BYTES, "big"), body
