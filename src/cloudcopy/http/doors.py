"""What every request passes first: one spelling of paths, and bounds on heads and bodies.

Plain ASGI, because all must act before routing and none may buffer a response.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from cloudcopy.http.errors import COMPATIBLE, shaped

MAX_BODY_BYTES: Final = 256 * 1024  # the largest order has 64 flags of 1 KiB
MAX_TARGET_BYTES: Final = 16 * 1024  # path and query; the longest we send ourselves is under 5 KiB
MAX_HEADER_BYTES: Final = 32 * 1024  # names and values; uvicorn's own bound on a head is 64 KiB


class OneSpelling:
    """`/api/…` works with and without its trailing slash, and never redirects.

    A redirect would turn a client's POST into a GET, which then says "Started".
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(COMPATIBLE):
            path = scope["path"].rstrip("/") + "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


class Straight:
    """The WebSocket at `path` is served here, past everything that is about requests.

    There is one for each agent, and each layer that it passes keeps a frame as long as it lives.
    """

    def __init__(self, app: ASGIApp, path: str, serve: Callable[[WebSocket], Awaitable[None]]):
        self._app = app
        self._path = path
        self._serve = serve

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "websocket" and scope["path"] == self._path:
            return self._serve(WebSocket(scope, receive, send))
        return self._app(scope, receive, send)


class BoundedHead:
    """An address over `MAX_TARGET_BYTES` or headers over `MAX_HEADER_BYTES` are refused."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif len(scope["path"].encode()) + len(scope["query_string"]) > MAX_TARGET_BYTES:
            await _refuse(scope, send, 414, f"The address is larger than {MAX_TARGET_BYTES} bytes")
        elif sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            await _refuse(scope, send, 431, f"The headers are larger than {MAX_HEADER_BYTES} bytes")
        else:
            await self._app(scope, receive, send)


class BoundedBody:
    """A body over `MAX_BODY_BYTES` is refused before anything reads it whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > MAX_BODY_BYTES:
            await _refuse(scope, send, 413, f"The body is larger than {MAX_BODY_BYTES} bytes")
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLarge:
            await _refuse(scope, send, 413, f"The body is larger than {MAX_BODY_BYTES} bytes")


class _TooLarge(Exception):
    """A body without a length has grown over the bound. Routes read it before they answer."""


async def _refuse(scope: Scope, send: Send, status: int, words: str) -> None:
    body, kind = shaped(scope["path"], status, "too_large", f"{words}; nothing was done.")
    headers = [(b"content-type", kind.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
