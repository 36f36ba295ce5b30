"""Waiting for the end of a transfer, plan or check."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from inspect import isawaitable
from typing import Final, Self

from pydantic import PrivateAttr

from cloudcopy.sdk import events
from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.errors import CloudCopyError, Unavailable, Unreachable
from cloudcopy.sdk.events import FINAL_STATES, MAX_MISSED, Place
from cloudcopy.wire.v1 import EventView, TransferView

FIRST_POLL_SECONDS: Final = 0.1  # a small copy ends within a second
SLOWEST_POLL_SECONDS: Final = 1.0  # agents report about once a second

Show = Callable[[TransferView], Awaitable[None] | None]


async def watched(calls: Calls, path: str) -> AsyncGenerator[TransferView, None]:
    """The transfer at `path`, and again whenever it has changed, until it has ended.

    Raises:
        ApiError: the server refused.
        Unreachable, Unavailable: it did so the first time, or `MAX_MISSED` times in a row.
    """
    shown: TransferView | None = None
    place = Place()
    pause = FIRST_POLL_SECONDS
    missed = 0
    eventful = True
    while True:
        try:
            now = await calls.get(path, TransferView)
        except (Unreachable, Unavailable):
            missed += 1
            if shown is None or missed > MAX_MISSED:
                raise
        else:
            missed = 0
            if now != shown:
                yield (shown := now)
            if eventful and now.state not in FINAL_STATES:
                eventful = False  # where not even the first event comes, none will
                with suppress(CloudCopyError):  # the next poll says what is wrong, if it is
                    async with aclosing(_told(calls, path, now, place)) as views:
                        async for now in views:
                            eventful = True
                            if now != shown:
                                yield (shown := now)
            if now.state in FINAL_STATES:
                return
        await calls.sleep(pause)
        pause = min(SLOWEST_POLL_SECONDS, pause * 1.5)


async def end(views: AsyncGenerator[TransferView, None], show: Show | None) -> TransferView:
    """The last of them; each is shown."""
    last: TransferView | None = None
    async with aclosing(views) as found:
        async for last in found:
            said = show(last) if show is not None else None
            if isawaitable(said):
                await said
    assert last is not None  # noqa: S101 - `watched` yields before it ends
    return last


async def _told(
    calls: Calls, path: str, seen: TransferView, place: Place
) -> AsyncGenerator[TransferView, None]:
    """The transfer with each event, until it has ended or the connection has."""
    async with aclosing(events.connected(calls, path, place)) as told:
        async for each in told:
            match each:
                case EventView() if (each.state, each.attempt) == (seen.state, seen.attempt):
                    pass
                case EventView() | None:  # how many are ahead of it comes with no event
                    seen = await calls.get(path, TransferView)
                case progress:
                    phase = progress.phase if seen.state == "running" else seen.phase
                    seen = seen.model_copy(update={"progress": progress, "phase": phase})
            yield seen
            if seen.state in FINAL_STATES:
                return


class Transfer(TransferView):
    """A transfer, plan or check that was just accepted, and can be waited for."""

    _calls: Calls = PrivateAttr()

    @classmethod
    def of(cls, view: TransferView, calls: Calls) -> Self:
        made = cls.model_construct(**dict(view))
        made._calls = calls
        return made

    async def wait(self, on_progress: Show | None = None) -> TransferView:
        """The same as `client.transfers.wait` with its id."""
        return await end(self.watch(), on_progress)

    def watch(self) -> AsyncGenerator[TransferView, None]:
        """The same as `client.transfers.watch` with its id."""
        return watched(self._calls, f"/v1/transfers/{self.id}")

    def __eq__(self, other: object) -> bool:
        """Equal to any view of the same content."""
        return isinstance(other, TransferView) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]  # as its lists have none
