"""The loop that runs schedules."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from cloudcopy.control import slots
from cloudcopy.domain.errors import Unavailable
from cloudcopy.http.services import Services

log = structlog.get_logger()

LONGEST_SLEEP: Final = timedelta(seconds=20)  # other servers' changes are seen within it
BUSY_SLEEP: Final = timedelta(seconds=1)  # a locked database is free again within that
SHORTEST_SLEEP: Final = timedelta(milliseconds=50)


class Alarm:
    """Called, it wakes whoever waits; a call that nobody waits for is kept, once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def __call__(self) -> None:
        self._rung.set()

    async def wait(self, at_most: timedelta) -> None:
        try:
            async with asyncio.timeout(at_most.total_seconds()):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()


async def keep(found: Services) -> None:
    """Run what is due, sleep until the next slot, and so on until cancelled."""
    alarm = found.schedules.wake
    assert isinstance(alarm, Alarm)  # noqa: S101 - `server.services` puts it there
    while True:
        await alarm.wait(await _once(found.schedules))


async def _once(desk: slots.Desk) -> timedelta:
    """Run what is due; how long there is nothing to do."""
    try:
        trouble = await slots.run_due(desk=desk)
        # What could not be run is due still: it waits for the next slot of another, or the longest.
        next_due = await desk.reads.next_due(after=desk.now() if trouble else None)
    except Unavailable as error:
        log.warning("schedules could not be run", reason=str(error))
        return BUSY_SLEEP
    except Exception as error:
        log.error("schedules could not be run", exc_info=error)
        return LONGEST_SLEEP
    for id, why in trouble:
        log.error("a schedule could not be run", schedule=id, exc_info=why)
    busy = any(isinstance(why, Unavailable) for _, why in trouble)
    longest = BUSY_SLEEP if busy else LONGEST_SLEEP
    if next_due is None:
        return longest
    return max(SHORTEST_SLEEP, min(longest, next_due - desk.now()))
