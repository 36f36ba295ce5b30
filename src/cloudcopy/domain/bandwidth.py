"""A bandwidth limit, and when it holds.

``10M`` always, ``off`` never, or a timetable by the clock of one place:
``08:00,1M 12:00,off 18:00,30M [Europe/Berlin]``; without a zone the times are UTC. An entry may
name its day (``Sat-00:00,off``); without one it is for every day. Each holds until the next
one, round the clock. Sizes are rclone's: ``1M`` is 1,048,576 bytes per second, and a number
alone counts KiB, as in its ``--bwlimit``.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloudcopy.domain.errors import Invalid

MAX_TEXT: Final = 1000  # characters; more than any canonical text has
MAX_ENTRIES: Final = 24
MIN_RATE: Final = 1024  # bytes per second
MAX_RATE: Final = 1024**5
UNLIMITED: Final = 0
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_RATE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(B|[KMGTP]i?)?", re.ASCII | re.IGNORECASE)
_ENTRY = re.compile(r"(?:([A-Za-z]{3})-)?([0-9]{1,2}):([0-9]{2}),([^ ]+)", re.ASCII)
_ZONE = re.compile(r"(.*) \[([A-Za-z0-9_+/-]{1,60})\]", re.ASCII)
_EXPONENT: Final = {"B": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_DAY_MINUTES: Final = 24 * 60
_FORMS: Final = (
    "must be a rate such as 10M, off, or a timetable: 08:00,1M 18:00,off [Europe/Berlin]"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """From `minute` of the day on, `rate` bytes per second; `UNLIMITED` is without limit.

    Attributes:
        day: Which day, from 0 for Monday; None is every day.
        written: The rate as text.
    """

    day: int | None
    minute: int
    rate: int
    written: str

    def since(self, now: int) -> int:
        """Minutes since it last began, at minute `now` of the week."""
        if self.day is None:
            return (now - self.minute) % _DAY_MINUTES
        return (now - self.day * _DAY_MINUTES - self.minute) % (len(DAYS) * _DAY_MINUTES)

    def __str__(self) -> str:
        day = "" if self.day is None else f"{DAYS[self.day]}-"
        return f"{day}{self.minute // 60:02}:{self.minute % 60:02},{self.written}"


@dataclass(frozen=True, slots=True)
class Timetable:
    """A limit over the week.

    Attributes:
        entries: Each for a moment of its own, those of one day before those of every day;
            none: nothing was said, and one for every day: it always holds.
        zone: Whose clock; empty is UTC.
    """

    entries: tuple[Entry, ...] = ()
    zone: str = ""

    def at(self, moment: datetime) -> int | None:
        """Bytes per second at that (aware) moment; None: nothing was said."""
        if not self.entries:
            return None
        zone: tzinfo = ZoneInfo(self.zone) if self.zone else UTC
        clock = moment.astimezone(zone)
        now = clock.weekday() * _DAY_MINUTES + clock.hour * 60 + clock.minute
        return min(self.entries, key=lambda each: each.since(now)).rate  # ties: the day's own

    def __str__(self) -> str:
        """In one canonical spelling, which `parse` reads."""
        if len(self.entries) == 1:
            return self.entries[0].written
        times = " ".join(str(each) for each in self.entries)
        return f"{times} [{self.zone}]" if self.zone else times


def parse(text: str) -> Timetable:
    """Read a limit; an empty text says nothing.

    Raises:
        Invalid: it is in none of the forms, a time stands twice, or the zone is unknown.
    """
    words = text.strip()
    if not words:
        return Timetable()
    if len(words) > MAX_TEXT:
        raise _bad(f"is longer than {MAX_TEXT} characters")
    zone = ""
    if match := _ZONE.fullmatch(words):
        words, zone = match[1].strip(), match[2]
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise _bad(f"names a time zone that is not known: {zone!r}") from None
    parts = words.split()
    if len(parts) == 1 and ":" not in parts[0]:
        if zone:
            raise _bad("needs no time zone where it always holds")
        return Timetable((Entry(None, 0, *_rate(parts[0])),))
    if len(parts) > MAX_ENTRIES:
        raise _bad(f"has more than {MAX_ENTRIES} entries")
    entries = sorted((_entry(part) for part in parts), key=_place)
    if len({_place(each) for each in entries}) != len(entries):
        raise _bad("has the same time twice")
    if len(entries) == 1:  # whenever it begins, it always holds
        return Timetable((replace(entries[0], day=None, minute=0),))
    return Timetable(tuple(entries), zone)


def _place(entry: Entry) -> tuple[int, int]:
    return len(DAYS) if entry.day is None else entry.day, entry.minute


def _entry(part: str) -> Entry:
    match = _ENTRY.fullmatch(part)
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:
        raise _bad(f"{_FORMS}; {part[:40]!r} is no entry")
    day = match[1].capitalize() if match[1] else None
    if day and day not in DAYS:
        raise _bad(f"names a day that is none of {', '.join(DAYS)}: {match[1]!r}")
    minute = int(match[2]) * 60 + int(match[3])
    return Entry(DAYS.index(day) if day else None, minute, *_rate(match[4]))


def _rate(word: str) -> tuple[int, str]:
    if word.lower() == "off":
        return UNLIMITED, "off"
    match = _RATE.fullmatch(word)
    if match is None:
        raise _bad(f"{_FORMS}; {word[:40]!r} is no rate")
    unit = (match[2] or "K")[0].upper()
    rate = int(float(match[1]) * 1024 ** _EXPONENT[unit])
    if rate < MIN_RATE:
        raise _bad(f"{word!r} is below 1 KiB per second; pause the transfer instead")
    if rate > MAX_RATE:
        raise _bad(f"{word!r} is above 1 PiB per second; off is without limit")
    return rate, f"{match[1]}{unit}"


def _bad(problem: str) -> Invalid:
    return Invalid("bwlimit", problem, code="bad_bwlimit")
