"""Hashes of local files that passed through this program, so that none is read twice.

A hash is told again only for the same file in the same state, its change time included. What
was written to in the last moments could change once more within one tick of the file system's
clock, so it is not kept.
"""

import os
import threading
import time
from typing import Final

MOST: Final = 200_000  # kept, some 40 MB
_TICK: Final = 50_000_000  # nanoseconds; file systems' clocks tick every 1 to 10 ms

Identity = tuple[int, int, int, int, int]


def identity(status: os.stat_result) -> Identity:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


class Sums:
    """By what the file was. Also the hashes of objects in parts, which are no MD5 of all of it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._known: dict[Identity, str] = {}
        self._parts: dict[str, str] = {}

    def keep(self, status: os.stat_result, hash: str, *, read: bool) -> None:
        """`read`: the file is not ours, and its owner may be writing to it."""
        if len(self._known) >= MOST:
            return
        latest = max(status.st_mtime_ns, status.st_ctime_ns)
        if read and time.time_ns() - latest < _TICK:
            return
        with self._turn:
            self._known[identity(status)] = hash

    def of(self, status: os.stat_result) -> str:
        """Empty where it is not known."""
        return self._known.get(identity(status), "")

    def in_parts(self, place: str, tag: str) -> None:
        """The object at `place` was sent or fetched whole, and its parts make up `tag`."""
        with self._turn:
            self._parts[place] = tag

    def told(self, place: str, tag: str) -> bool:
        """Whether a local file is known by that tag."""
        return self._parts.get(place) == tag
