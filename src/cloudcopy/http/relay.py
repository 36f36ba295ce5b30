"""`/v1/relay`: two WebSockets become one connection; see `wire.relay`.

Frames are passed on one after the other, and the next one is read once the last one is written:
a pair holds a few frames and what its sockets buffer, however much passes.
"""

import asyncio
from typing import Final

import structlog
from fastapi import APIRouter, WebSocket
from fastapi.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from cloudcopy.domain.errors import CloudCopyError, NotFound, Unavailable
from cloudcopy.http.callers import anyone
from cloudcopy.http.relays import Half, Relay
from cloudcopy.http.services import Services, socket_services
from cloudcopy.wire import relay as words

log = structlog.get_logger()
router = APIRouter()

_SCHEME: Final = "bearer "


@router.websocket(words.PATH)
@anyone
async def join(socket: WebSocket) -> None:
    """Serve one half until either ends."""
    app = socket_services(socket)
    secret = _bearer(socket)
    expected = app.relays.expected(secret)
    if expected is not None:
        await _source(socket, expected)
        return
    try:
        async with app.relays.pair(secret) as (relay, half):
            await socket.accept()
            await _pass_on(socket, half.socket, relay, app)
    except CloudCopyError as error:
        await _deny(socket, error)


def _bearer(socket: WebSocket) -> str:
    told = socket.headers.get("authorization", "")
    return told[len(_SCHEME) :] if told.lower().startswith(_SCHEME) else ""


async def _source(socket: WebSocket, expected: asyncio.Future[Half]) -> None:
    await socket.accept()
    half = Half(socket)
    if expected.done():  # whoever waited has gone
        await socket.close()
        return
    expected.set_result(half)
    await half.done.wait()


async def _deny(socket: WebSocket, error: CloudCopyError) -> None:
    match error:
        case NotFound():
            status = words.UNKNOWN
        case Unavailable():
            status = words.NOT_NOW
        case _:
            status = words.REFUSED if error.code != "source_offline" else words.NOT_NOW
    try:
        await socket.send_denial_response(PlainTextResponse(str(error), status))
    except (WebSocketDisconnect, RuntimeError):
        return  # it was gone already


async def _pass_on(target: WebSocket, source: WebSocket, relay: Relay, app: Services) -> None:
    """Both ways, until either side ends, the relay is over, or the server closes."""
    tasks = [
        asyncio.ensure_future(each)
        for each in (
            _one_way(source, target),
            _one_way(target, source),
            relay.closed.wait(),
            app.closing.wait(),
        )
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(_close(target), _close(source))


async def _one_way(one: WebSocket, other: WebSocket) -> None:
    while True:
        message = await one.receive()
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        if data is not None:
            await other.send_bytes(data)
        else:
            await other.send_text(message["text"])


async def _close(socket: WebSocket) -> None:
    try:
        await socket.close()
    except (WebSocketDisconnect, RuntimeError):
        return  # it was gone already
