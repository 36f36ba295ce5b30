"""What every request passes first: one spelling of paths, and a bound on bodies.

Plain ASGI, because both must act before routing and neither may buffer a response.
"""

import json
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES: Final = 256 * 1024  # the largest order has 64 flags of 1 KiB
_SLASHED: Final = "/api/"


class OneSpelling:
    """`/api/…` works with and without its trailing slash, and never redirects.

    A redirect would turn a client's POST into a GET, which then says "Started".
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_SLASHED):
            path = scope["path"].rstrip("/") + "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}
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
            await _refuse(send)
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
            await _refuse(send)


class _TooLarge(Exception):
    """A body without a length has grown over the bound. Routes read it before they answer."""


async def _refuse(send: Send) -> None:
    detail = f"The body is larger than {MAX_BODY_BYTES} bytes; nothing was done."
    body = {
        "success": False,
        "error": "too_large",
        "msg": detail,
        "title": "Too large",
        "status": 413,
        "detail": detail,
        "code": "too_large",
        "retryable": False,
        "next": [],
    }
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
