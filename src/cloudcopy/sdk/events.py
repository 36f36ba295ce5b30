"""What happens to a transfer, as the server tells it: Server-Sent Events.

A change of state has a number: after a lost connection the stream goes on behind the last one
that was read, and nothing is missed or told twice. Numbers of progress have none; what was
missed of them is outdated.
"""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from cloudcopy.sdk.calls import FIRST_PAUSE_SECONDS, Calls
from cloudcopy.sdk.errors import Unavailable, Unreachable
from cloudcopy.wire.v1 import EventView, ProgressView, StateName

FINAL_STATES: Final[frozenset[StateName]] = frozenset(
    {"succeeded", "partial", "failed", "cancelled"}
)
MAX_MISSED: Final = 12  # looks for the server in a row, about a minute or more
SILENCE_SECONDS: Final = 45.0  # the server sends a sign of life every 15
PAUSE_SECONDS: Final = 5.0  # before the server is looked for again

Told = EventView | ProgressView


@dataclass(slots=True)
class Place:
    """How far a reader has come.

    Attributes:
        after: Number of the last change of state that was read.
        over: That one was an end, or the server says that nothing comes after it.
    """

    after: int = 0
    over: bool = False


async def connected(calls: Calls, path: str, place: Place) -> AsyncGenerator[Told | None, None]:
    """What one connection tells about the transfer at `path`; None is a sign of life.

    Raises:
        ApiError: the server refused.
        Unreachable: no answer came, or it broke off.
    """
    opened = calls.stream(
        f"{path}/events",
        headers={"Last-Event-ID": str(place.after)} if place.after else None,
        tries=1,
        silence_seconds=SILENCE_SECONDS,
    )
    async with opened as answer:
        if answer.status_code == 204:
            place.over = True
            return
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise calls.not_the_api(answer.status_code)
        async with aclosing(calls.split(answer)) as lines:
            async for kind, data in _events(lines):
                if kind == "state":
                    event = calls.read(data, EventView, status=answer.status_code)
                    place.after, place.over = event.number, event.state in FINAL_STATES
                    yield event
                elif kind == "progress":
                    yield calls.read(data, ProgressView, status=answer.status_code)
                else:
                    yield None


async def followed(calls: Calls, path: str) -> AsyncGenerator[Told, None]:
    """What happens to the transfer at `path` from its beginning to its end.

    Raises:
        ApiError: the server refused.
        Unreachable: it was looked for `MAX_MISSED` times in a row.
    """
    place = Place()
    missed = 0
    while True:
        missed += 1
        try:
            async with aclosing(connected(calls, path, place)) as told:
                async for each in told:
                    missed = 0
                    if each is not None:
                        yield each
        except (Unreachable, Unavailable):
            if missed > MAX_MISSED:
                raise
        if place.over or missed > MAX_MISSED:
            return
        await calls.sleep(PAUSE_SECONDS if missed else FIRST_PAUSE_SECONDS)


async def _events(read: AsyncIterable[list[bytes]]) -> AsyncGenerator[tuple[str, bytes], None]:
    """Kinds and data; a comment has neither."""
    kind = ""
    data: list[bytes] = []
    async for lines in read:
        for line in lines:
            name, _, value = line.partition(b":")
            match name:
                case b"" if line:
                    yield "", b""
                case b"":
                    if data:
                        yield kind, b"\n".join(data)
                    kind, data = "", []
                case b"event":
                    kind = value.removeprefix(b" ").decode(errors="replace")
                case b"data":
                    data.append(value.removeprefix(b" "))
