"""A transfer as it happens: Server-Sent Events.

Two kinds. `state` is a change of state, with its number as the event's id: after a lost
connection the `Last-Event-ID` header brings what was missed, and nothing twice. `progress`
has no id: only the latest numbers are ever sent.

Nothing is queued for a reader. A stream holds the numbers it sent last, and makes its next
event when the server's buffer of that connection (64 KiB) has room; what came meanwhile is
replaced by what is there then. A stream ends after the event of a final state, when the
server closes, when its key is no longer good, or when the connection is lost: a reader that
stops reading and stays connected keeps its place, of which each key has a bounded number, until
TCP gives it up.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from cloudcopy.control import keys, queries
from cloudcopy.domain.errors import Invalid, TooMany, Unavailable
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.domain.machine import MAX_ID
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Progress
from cloudcopy.http.callers import App, Native, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v1 import examples, views
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.ports.bus import Watch
from cloudcopy.ports.reads import Moved
from cloudcopy.wire.v1 import Problem

log = structlog.get_logger()
router = APIRouter(prefix="/v1/transfers", tags=["Transfers"])

STREAMS_OF_KEY: Final = 64
STREAMS: Final = 1_000
HEARTBEAT_SECONDS: Final = 15.0  # proxies cut what is silent for a minute
HEARTBEAT: Final = b": still here\n\n"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter: nginx


class Streams:
    """How many streams are open now, in all and of each key."""

    def __init__(self) -> None:
        self._open: Counter[KeyId] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    @contextmanager
    def one(self, key: KeyId) -> Iterator[None]:
        """A place for one more.

        Raises:
            TooMany: there is none.
        """
        if self._open[key] >= STREAMS_OF_KEY or len(self) >= STREAMS:
            raise TooMany(
                f"At most {STREAMS_OF_KEY} streams of events are open at once for a key, and "
                f"{STREAMS} in all.",
                code="too_many_streams",
                next=("Close one, or ask for the transfer itself now and then.",),
            )
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]


async def place(
    transfer_id: str, caller: Native, app: App, request: Request
) -> AsyncIterator[Watch]:
    """A place among the streams and the transfer's bell, until the response has been sent."""
    streams: Streams = request.app.state.streams
    id = TransferId(transfer_id)
    with streams.one(caller.key), app.bus.watch(id) as watch:
        ringing = asyncio.create_task(_ring_at_the_end(id, app))
        try:
            yield watch
        finally:
            ringing.cancel()


async def _ring_at_the_end(id: TransferId, app: Services) -> None:
    """Wake the transfer's streams when the server closes, so that they end."""
    await app.closing.wait()
    app.bus.moved(id)


Place = Annotated[Watch, Depends(place)]
Number = Annotated[int, Query(ge=0, le=MAX_ID)]
LastEventId = Annotated[int | None, Header(ge=0, le=MAX_ID)]

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **PROBLEMS,
    200: {
        "description": "`state` events are EventViews, `progress` events are ProgressViews.",
        "content": {
            "text/event-stream": {"schema": {"type": "string"}, "example": examples.EVENTS}
        },
    },
    204: {"description": "The transfer has ended and there is nothing after `Last-Event-ID`."},
    429: {"model": Problem, "description": "Too many streams are open; see `Retry-After`."},
}


@router.get(
    "/{transfer_id}/events",
    summary="follow a transfer",
    response_class=Response,
    responses=_ANSWERS,
)
@needs("instance_read", "api.transfer.show")
async def events(  # noqa: PLR0917 - each is a part of the request
    transfer_id: str,
    caller: Native,
    app: App,
    watch: Place,
    last_event_id: LastEventId = None,
    after: Number = 0,
) -> Response:
    """Server-Sent Events: every change of state after `Last-Event-ID` (or `after`), then what
    comes, with the latest numbers in between. Ends after a final state."""
    seen = await queries.transfer(TransferId(transfer_id), caller=caller, desk=app.queries)
    start = after if last_event_id is None else last_event_id
    known = await queries.moves(seen.transfer.id, after=max(0, start - 1), desk=app.queries)
    if start and not known:
        raise Invalid("Last-Event-ID", f"{start} is no event of transfer {seen.transfer.id}")
    if seen.transfer.state.final and (not known or known[-1].number <= start):
        return Response(status_code=204)  # which tells a browser not to come back
    told = _told(seen.transfer.id, start, seen.progress, watch=watch, caller=caller, app=app)
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)


async def _told(
    id: TransferId,
    start: int,
    numbers: Progress | None,
    *,
    watch: Watch,
    caller: Caller,
    app: Services,
) -> AsyncIterator[bytes]:
    """The events after number `start`. The history is read when the bell says so, and also with
    each heartbeat: a ring may be lost. Then the key is looked at, too; that it expired or was
    revoked through this process is known before each event."""
    loop = asyncio.get_running_loop()
    shown: Progress | None = None
    look_at = loop.time()
    while not app.closing.is_set():
        look = watch.moved() or loop.time() >= look_at
        moves: Sequence[Moved] = ()
        try:
            if not await keys.still_good(caller, desk=app.keys, look=look):
                return  # the reader comes back, and is told why
            if look:
                look_at = loop.time() + HEARTBEAT_SECONDS
                moves = await queries.moves(id, after=start, desk=app.queries)
        except Unavailable as error:  # the reader comes back, and misses nothing
            log.warning("stream ended", transfer=id, reason=str(error))
            return
        for move in moves:
            start = move.number
            yield _event("state", views.event(move).model_dump_json(), id=start)
        if moves and moves[-1].state.final:
            return
        numbers = app.bus.latest(id) or numbers
        if numbers is not None and numbers != shown:
            shown = numbers
            yield _event("progress", views.progress(numbers).model_dump_json())
        if not await watch.wait(max(0.0, look_at - loop.time())):
            yield HEARTBEAT


def _event(kind: str, data: str, *, id: int | None = None) -> bytes:
    """JSON has no line breaks in it, so one line of data is enough."""
    number = "" if id is None else f"id: {id}\n"
    return f"event: {kind}\n{number}data: {data}\n\n".encode()
