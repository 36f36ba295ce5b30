"""One call to the server: sent, tried again where that is safe, and read.

A call is tried again only when it cannot do its work twice. That is so for reads and for
calls that carry an Idempotency-Key; any other call is tried again only when it was never
sent, or was answered 429 or 503, with which the server says that nothing was started.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager
from typing import Final, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from cloudcopy.sdk.errors import ApiError, CloudCopyError, Unreachable, kind_of
from cloudcopy.wire.v1 import Problem

Sleep = Callable[[float], Awaitable[None]]  # seconds
Chance = Callable[[], float]  # from 0 to 1

TRIES: Final = 5
FIRST_PAUSE_SECONDS: Final = 0.25  # doubled each time: a server that restarts is back in 4 s
LONGEST_PAUSE_SECONDS: Final = 30.0  # asked to wait for longer, we say so instead
SPREAD: Final = 0.5  # of a pause of our own is left to chance: clients must not come back as one
ASKED_SPREAD: Final = 0.1  # of the pause that a server asked for comes on top, at most
LONGEST_LINE_BYTES: Final = 1024 * 1024  # of a stream: a row or an event is far shorter

_TEMPORARY = frozenset({429, 502, 503, 504})
_NOTHING_STARTED = frozenset({429, 503})
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

View = TypeVar("View", bound=BaseModel)


class Calls:
    """Sends calls to one server, with one key."""

    def __init__(
        self, http: httpx2.AsyncClient, *, server: str, sleep: Sleep, chance: Chance
    ) -> None:
        self._http = http
        self._server = server  # for error messages
        self.sleep = sleep
        self._chance = chance

    async def get(
        self, path: str, view: type[View], params: Mapping[str, str | int] | None = None
    ) -> View:
        return self._read(await self._send("GET", path, params=params, repeatable=True), view)

    async def post(
        self,
        path: str,
        view: type[View],
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> View:
        answer = await self._send(
            "POST", path, body=body, params=params, headers=headers, repeatable=repeatable
        )
        return self._read(answer, view)

    async def patch(self, path: str, view: type[View], *, body: object) -> View:
        return self._read(await self._send("PATCH", path, body=body, repeatable=True), view)

    async def delete(self, path: str) -> None:
        await self._send("DELETE", path, repeatable=False)

    async def text(self, path: str) -> str:
        return (await self._send("GET", path, repeatable=True)).text

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = TRIES,
        silence_seconds: float | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        """An answer whose body is read by the caller, as it comes.

        Args:
            tries: To open it. What breaks later is not tried again.
            silence_seconds: Without a byte for so long, it is broken; None for the client's own.

        Raises:
            ApiError: the server refused.
            Unreachable: no answer came, or it broke off while it was read.
        """
        answer = await self._send(
            "GET",
            path,
            params=params,
            headers=headers,
            repeatable=True,
            tries=tries,
            stream=True,
            silence_seconds=silence_seconds,
        )
        try:
            yield answer
        except httpx2.RequestError as cause:
            raise self._no_answer(cause) from cause
        finally:
            await answer.aclose()

    async def lines(
        self, path: str, *, params: Mapping[str, str | int] | None = None
    ) -> AsyncGenerator[list[bytes], None]:
        """The lines of an answer without their ends, as many at once as a piece of it holds."""
        async with (
            self.stream(path, params=params) as answer,
            aclosing(self.split(answer)) as found,
        ):
            async for lines in found:
                yield lines

    async def split(self, answer: httpx2.Response) -> AsyncGenerator[list[bytes], None]:
        """The lines of a body that is being read, in the same way."""
        rest = b""
        async for chunk in answer.aiter_bytes():
            *whole, rest = (rest + chunk).split(b"\n")
            if whole:
                yield [line.removesuffix(b"\r") for line in whole]
            if len(rest) > LONGEST_LINE_BYTES:
                raise self.not_the_api(answer.status_code)
        if rest:
            yield [rest]

    async def _send(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = TRIES,
        stream: bool = False,
        silence_seconds: float | None = None,
    ) -> httpx2.Response:
        """The server's answer below 300, after at most `tries` tries; a stream is unread.

        Raises:
            ApiError: the server refused.
            Unreachable: no answer came.
        """
        pause = FIRST_PAUSE_SECONDS
        timeout = self._http.timeout if silence_seconds is None else httpx2.Timeout(silence_seconds)
        for left in range(tries - 1, -1, -1):
            error: CloudCopyError
            wait: float | None = (own := pause * (1 - SPREAD * self._chance()))
            request = self._http.build_request(
                method, path, json=body, params=params, headers=headers, timeout=timeout
            )
            try:
                answer = await self._http.send(request, stream=stream)
                if stream and not answer.is_success:
                    await _read_whole(answer)
            except httpx2.RequestError as cause:
                error = self._no_answer(cause)
                error.__cause__ = cause
                again = repeatable or isinstance(cause, _NEVER_SENT)
            else:
                if answer.is_success:
                    return answer
                error = self._refusal(answer)
                wait = self._asked_wait(answer, otherwise=own)
                again = answer.status_code in (_TEMPORARY if repeatable else _NOTHING_STARTED)
            if not (left and again and wait is not None):
                raise error
            await self.sleep(wait)
            pause *= 2
        raise AssertionError(method)

    def _asked_wait(self, answer: httpx2.Response, *, otherwise: float) -> float | None:
        """Seconds to wait before the next try; None when the server asks for too many."""
        asked = answer.headers.get("Retry-After", "")
        if not (asked.isascii() and asked.isdigit()):  # the date form is for caches
            return otherwise
        seconds = float(asked)
        if seconds > LONGEST_PAUSE_SECONDS:
            return None
        return seconds * (1 + ASKED_SPREAD * self._chance())

    def _no_answer(self, cause: httpx2.RequestError) -> Unreachable:
        late = isinstance(cause, httpx2.TimeoutException)
        why = "no answer in time" if late else str(cause) or type(cause).__name__
        return Unreachable(
            f"Could not reach {self._server}: {why}.",
            code="unreachable",
            retryable=True,
            next=(
                "Check that the server runs there; on this machine, start it with: cloudcopy up.",
                "If it is elsewhere, say where: export CLOUDCOPY_URL=https://...",
            ),
        )

    def _refusal(self, answer: httpx2.Response) -> ApiError:
        status = answer.status_code
        try:
            problem = Problem.model_validate_json(answer.content)
        except ValidationError:
            return self.not_the_api(status)
        return kind_of(status)(
            status,
            problem.detail,
            code=problem.code,
            retryable=problem.retryable,
            next=problem.next,
        )

    def _read(self, answer: httpx2.Response, view: type[View]) -> View:
        return self.read(answer.content, view, status=answer.status_code)

    def read(self, raw: bytes, view: type[View], *, status: int) -> View:
        """Raises ApiError: `raw` is not a `view`."""
        try:
            return view.model_validate_json(raw)
        except ValidationError:
            raise self.not_the_api(status) from None  # it quotes the body: maybe a key

    def not_the_api(self, status: int) -> ApiError:
        """For an answer in another shape: a proxy's page, or another program."""
        return kind_of(status)(
            status,
            f"{self._server} answered with status {status} and a body that is not "
            "the cloudcopy API's.",
            code="unexpected_answer",
            retryable=status in _TEMPORARY,
            next=("Check that CLOUDCOPY_URL is the cloudcopy server's own address.",),
        )


async def _read_whole(answer: httpx2.Response) -> None:
    try:
        await answer.aread()
    finally:
        await answer.aclose()
