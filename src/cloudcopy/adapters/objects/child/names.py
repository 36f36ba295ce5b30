"""Paths, keys and times in rclone's spelling."""

import re
import time
from typing import Final

SECOND: Final = 1_000_000_000
# As `rclone.names.askable`, and what rclone writes for the names "." and "..".
_PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f\u201b\u2400-\u2421\ufffd\ud800-\udfff]*")
_DOTS: Final = frozenset({"", ".", "..", "\uff0e", "\uff0e\uff0e"})
_FLOAT: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?\d*", re.ASCII)


def plain(path: str) -> bool:
    """Whether rclone and this program write the name in the same way everywhere."""
    return _PLAIN.fullmatch(path) is not None and not _DOTS.intersection(path.split("/"))


def shown(path: str) -> str:
    """A local path as it is told: a byte that is not UTF-8 has a sign in its place."""
    if path.isascii():
        return path
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def stamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC."""
    seconds, rest = divmod(nanoseconds, SECOND)
    moment = time.gmtime(seconds)
    day = f"{moment.tm_year:04}-{moment.tm_mon:02}-{moment.tm_mday:02}"
    return f"{day}T{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}.{rest:09}Z"


def as_metadata(nanoseconds: int) -> str:
    """As rclone keeps a time in an object's metadata: seconds, with nine digits behind."""
    sign = "-" if nanoseconds < 0 else ""
    seconds, rest = divmod(abs(nanoseconds), SECOND)
    return f"{sign}{seconds}.{rest:09}"


def from_metadata(text: str) -> int | None:
    found = _FLOAT.fullmatch(text)
    if not found:
        return None
    whole = int(found[2]) * SECOND + int((found[3] or "").ljust(9, "0"))
    return -whole if found[1] else whole


def directory(fs: str) -> str | None:
    """The path on the instance that an `fs` names; None for one in the store."""
    return fs.rstrip("/") or "/" if fs.startswith("/") else None


def place(fs: str, path: str) -> str:
    """``bucket/key`` of a path in the store `fs`, e.g. ``R:bucket/below/``."""
    root = fs.partition(":")[2].strip("/")
    return f"{root}/{path}" if root and path else root or path
