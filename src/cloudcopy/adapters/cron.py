"""Cron lines, read by cronsim in the way of Debian's cron.

At fixed times (neither the minute nor the hour begins with ``*``) a slot that the clocks jump
over comes right after the jump, and one that comes twice is run the first time. Other lines
follow real time: what is not on the clock that day does not come, and an hour that comes
twice has its slots twice.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.schedule import NextAfter

MAX_TEXT: Final = 200  # characters
FIELDS: Final = 5  # cronsim reads a sixth, seconds; a copy every second is nobody's wish
REMEMBERED: Final = 8192  # answers; most take 30 µs, and a 29th of February on a Monday 5 ms
# In the directory of zones, and no IANA names: this machine's own clocks, and clocks that count
# leap seconds, on which every slot would be 27 s off.
_NOT_NAMES: Final = frozenset({"localtime", "posix", "posixrules", "right"})
_ANY: Final = datetime(2024, 1, 1, tzinfo=UTC)


def read_cron(text: str, zone: str) -> NextAfter:
    """The function that finds the slots of `text` on the clocks of `zone`.

    Raises:
        Invalid: ``bad_cron`` or ``bad_zone``.
    """
    words = " ".join(text.split())
    if len(words) > MAX_TEXT or len(words.split(" ")) != FIELDS:
        raise _bad(f"{text[:40]!r} must have the five fields: minute hour day month weekday")
    try:
        if zone.partition("/")[0] in _NOT_NAMES:
            raise ValueError(zone)
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            "zone",
            f"{zone[:40]!r} is not a time zone that is known",
            code="bad_zone",
            next=("Write an IANA name, for example Europe/Berlin or UTC.",),
        ) from None
    try:
        CronSim(words, _ANY)
    except (CronSimError, ValueError) as error:
        raise _bad(f"{text[:40]!r} cannot be read: {error}") from None

    def next_after(moment: datetime, /) -> datetime | None:
        return _next(words, clock, moment)

    return next_after


@lru_cache(maxsize=REMEMBERED)
def _next(words: str, clock: ZoneInfo, moment: datetime) -> datetime | None:
    for slot in CronSim(words, moment.astimezone(clock)):
        found = slot.astimezone(UTC)
        if found > moment and found.astimezone(clock).replace(fold=0) == slot.replace(fold=0):
            return found
    return None  # cronsim looks 50 years ahead


def _bad(problem: str) -> Invalid:
    return Invalid(
        "cron",
        problem,
        code="bad_cron",
        next=("Write for example '0 3 * * *' for each day at 3, or '*/15 * * * *'.",),
    )
