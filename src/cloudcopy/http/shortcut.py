"""The two routes that start a copy, past the framework: they are asked far more than all others.

Finding the route, solving its dependencies and checking its answer again cost more than the copy
did. What is called is the routes' own functions, so nothing is decided here. A request that is
not plain, or whose body has not the right form, goes the ordinary way from its beginning, and is
refused there.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudcopy.domain.errors import CloudCopyError
from cloudcopy.domain.keys import Caller
from cloudcopy.http import callers, errors
from cloudcopy.http.services import Services
from cloudcopy.http.v0 import copies
from cloudcopy.http.v1 import transfers
from cloudcopy.wire.v1 import NewTransfer

_PROOF: Final = re.compile(rb"Bearer ([!-~]+)")
_KEY: Final = b"idempotency-key"
_ONCE: Final = (b"authorization", b"content-type", _KEY)

Answer = Callable[[Caller, Services, Response], Awaitable[BaseModel]]


class _NotPlain(Exception):
    """The ordinary way knows what to do with it."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """A request with a key in its header and a whole JSON body."""

    request: Request
    headers: dict[bytes, bytes]
    body: bytes


class Shortcut:
    """Within everything that bounds a request, and around what finds its route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = _WAYS.get(scope["path"]) if scope["type"] == "http" else None
        headers = _headers(scope) if way and scope["method"] == "POST" else None
        if way is None or headers is None:
            await self._app(scope, receive, send)
            return
        messages = await _whole(receive)
        body = b"".join(message.get("body", b"") for message in messages)
        again = _replayed(messages, receive)
        request = Request(scope, again)
        try:
            need, answer = way(_Plain(request, headers, body))
        except _NotPlain:
            await self._app(scope, again, send)
            return
        response = Response(media_type="application/json")
        app: Services = scope["app"].state.services
        try:
            text = headers[b"authorization"].decode().removeprefix("Bearer ")
            told = await answer(await callers.allowed(text, need, app), app, response)
        except CloudCopyError as error:
            response = await errors.known(request, error)
        else:
            response.body = told.__pydantic_serializer__.to_json(told)
            response.headers["content-length"] = str(len(response.body))
        await response(scope, again, send)


def _headers(scope: Scope) -> dict[bytes, bytes] | None:
    """None where there is anything that the ordinary way reads in a way of its own."""
    headers = dict(scope["headers"])
    plain = (
        not scope["query_string"]
        and headers.get(b"content-type") == b"application/json"
        and _PROOF.fullmatch(headers.get(b"authorization", b"")) is not None
        and all(sum(name == each for name, _ in scope["headers"]) <= 1 for each in _ONCE)
    )
    return headers if plain else None


async def _whole(receive: Receive) -> list[Message]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _replayed(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def again() -> Message:
        message = next(left, None)
        return await receive() if message is None else message

    return again


def _native(plain: _Plain) -> tuple[callers.Need, Answer]:
    try:
        body = NewTransfer.model_validate(json.loads(plain.body))
    except (ValueError, RecursionError, ValidationError):
        raise _NotPlain from None
    key = plain.headers.get(_KEY)

    async def answer(caller: Caller, app: Services, response: Response) -> BaseModel:
        response.status_code = 202
        once = None if key is None else key.decode("latin-1")
        return await transfers.submit(body, caller, app, response, once)

    return _SUBMIT, answer


def _compatible(plain: _Plain) -> tuple[callers.Need, Answer]:
    async def answer(caller: Caller, app: Services, response: Response) -> BaseModel:
        return await copies.start(plain.request, caller, app)

    return _START, answer


_SUBMIT: Final = callers.need_of(transfers.submit)
_START: Final = callers.need_of(copies.start)
_WAYS: Final[dict[str, Callable[[_Plain], tuple[callers.Need, Answer]]]] = {
    "/v1/transfers": _native,
    "/api/v0/commands/rclone/": _compatible,
}
