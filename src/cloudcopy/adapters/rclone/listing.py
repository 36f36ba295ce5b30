"""Files and stores as calls tell of them, and single files asked for by name."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import gmtime, strftime
from typing import Any, Final, Protocol

from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import BAD_NAME, Reason, reason
from cloudcopy.adapters.rclone.remotes import REMOTE

AT_ONCE: Final = 8  # directories or files; rclone's own default for --checkers
MANY: Final = 32  # small directories: each is one round trip, whatever is in it

NAMELESS: Final = "\N{REPLACEMENT CHARACTER}"  # in rclone's answers, for what is not UTF-8

# Without the caller's filters; the names are those of rclone's `fs/filter.Options`.
EVERYTHING: Final[Mapping[str, Any]] = {
    "FilterRule": [],
    "ExcludeRule": [],
    "IncludeRule": [],
    "MinSize": -1,
    "MaxSize": -1,
    "MinAge": "off",
    "MaxAge": "off",
}


class Call(Protocol):
    """`Rc.call`, or something like it."""

    async def __call__(self, method: str, **parameters: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """One file.

    Attributes:
        path: Relative to what was listed, with ``/``.
        size: Bytes; -1 where the store does not know it.
        time: RFC 3339 in UTC, with as many digits as rclone writes; empty where it was not
            asked for.
        hashes: Lower-case hex by kind; without those the store has not got.
    """

    path: str
    size: int
    time: str
    hashes: Mapping[str, str]


_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def nanoseconds(time: str) -> int:
    """Since 1970; 0 for what is no time."""
    found = _TIME.fullmatch(time)
    if found is None:
        return 0
    second = datetime.fromisoformat(f"{found[1]}{found[3]}".replace("Z", "+00:00"))
    return int(second.timestamp()) * 10**9 + int((found[2] or "").ljust(9, "0"))


def written(nanoseconds: int) -> str:
    """The time as rclone writes that of a local file, in UTC."""
    second, rest = divmod(nanoseconds, 10**9)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(second))}.{rest:09}Z"


def in_utc(time: str) -> str:
    """A time of rclone's, which has the machine's time zone, in UTC; with the same digits."""
    if time.endswith("Z"):
        return time
    found = _TIME.fullmatch(time)
    if found is None:
        return time
    there = datetime.fromisoformat(f"{found[1]}{found[3]}").astimezone(UTC)
    return f"{there:%Y-%m-%dT%H:%M:%S}{f'.{found[2]}' if found[2] else ''}Z"


class Unlisted(RcError):
    """A directory could not be listed.

    Attributes:
        directory: Which; empty for the top.
    """

    def __init__(self, directory: str, error: RcError) -> None:
        super().__init__(str(error), error.status)
        self.directory = directory

    @property
    def why(self) -> Reason:
        """In plain words. A name that is only a look is not found, whatever it is a look of."""
        return BAD_NAME if NAMELESS in self.directory else reason(str(self))


async def look(
    call: Call,
    fs: str,
    path: str,
    *,
    hashes: Sequence[str] = (),
    times: bool = False,
    server_times: bool = False,
) -> Listed | None:
    """One file, asked for by name, whatever the filters say; None when there is none.

    Args:
        server_times: See `walk`. Asked for alone, S3 tells whole seconds.

    Raises:
        RcError: it could not be asked, or not be read for its hash.
    """
    asked = parameters(
        hashes, times=times or server_times, everything=True, server_times=server_times
    )
    asked["opt"]["filesOnly"] = True
    fs = by_arrival(fs) if server_times else fs
    fs = hashed(fs) if hashes else fs
    found = (await call("operations/stat", fs=fs, remote=path, **asked))["item"]
    return listed(found) if found else None


async def look_at(
    call: Call,
    fs: str,
    paths: Iterable[str],
    *,
    hashes: Sequence[str] = (),
    times: bool = False,
    at_once: int = AT_ONCE,
) -> dict[str, Listed | RcError | None]:
    """`look` at each of them, some at once; what could not be is an error. Raises Gone."""
    turns = asyncio.Semaphore(at_once)
    found: dict[str, Listed | RcError | None] = {}

    async def one(path: str) -> None:
        async with turns:
            try:
                found[path] = await look(call, fs, path, hashes=hashes, times=times)
            except RcError as error:
                found[path] = error

    try:
        async with asyncio.TaskGroup() as group:
            for path in paths:
                group.create_task(one(path))
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a store can say about its files.

    Attributes:
        hashes: Kinds it knows, in rclone's order.
        precision: Of its times, in nanoseconds; None where it keeps none of its own.
        slow_hash: It must read a file for its hash.
        slow_time: It must ask for each file's time, and no filter by age makes it ask anyway.
            Such a filter takes the time that is listed, so that must be the file's own.
    """

    hashes: tuple[str, ...]
    precision: int | None
    slow_hash: bool
    slow_time: bool


_NO_TIMES: Final = 100 * 365 * 24 * 3600 * 10**9  # rclone's fs.ModTimeNotSupported
_NO_AGE: Final = 2**63 - 1


async def side(call: Call, fs: str) -> Side:
    """Raises RcError where the store could not be opened."""
    told = (call("operations/fsinfo", fs=fs), call("options/get", blocks="filter"))
    info, options = await asyncio.gather(*told)
    features, precision = info.get("Features") or {}, int(info.get("Precision") or 1)
    aged = any(int(options["filter"][each]) != _NO_AGE for each in ("MinAge", "MaxAge"))
    return Side(
        hashes=tuple(str(each) for each in info.get("Hashes") or ()),
        precision=None if precision >= _NO_TIMES else precision,
        slow_hash=bool(features.get("SlowHash")),
        slow_time=bool(features.get("SlowModTime")) and not aged,
    )


def shared_hash(one: Side, other: Side) -> str:
    """The kind that both know; empty for none."""
    return next((each for each in other.hashes if each in one.hashes), "")


def parameters(
    hashes: Sequence[str], *, times: bool, everything: bool, server_times: bool
) -> dict[str, Any]:
    """Of a call for a listing: what to tell of each file.

    With `server_times` the call must be about `by_arrival(fs)`, or rclone does not heed it.
    """
    opt: dict[str, Any] = {"noMimeType": True, "noModTime": not times}
    if hashes:
        opt |= {"showHash": True, "hashTypes": list(hashes)}
    asked: dict[str, Any] = {"opt": opt}
    if everything:
        asked["_filter"] = dict(EVERYTHING)
    if server_times:
        asked["_config"] = {"UseServerModTime": True}
    return asked


def by_arrival(fs: str) -> str:
    """The same store, opened once more to be listed with `server_times`.

    rclone reads that option when it opens a store, and keeps stores open by their name.
    """
    plain = f"{REMOTE}:"
    return (
        fs.replace(plain, f"{REMOTE},description=server-times:", 1) if fs.startswith(plain) else fs
    )


_UNHASHED: Final = f"{REMOTE},vendor=rclone:"


def unhashed(fs: str) -> str:
    """The same WebDAV store, asked for no hashes. rclone asks for those of all it lists, and the
    server must read every file for them."""
    plain = f"{REMOTE}:"
    return fs.replace(plain, _UNHASHED, 1) if fs.startswith(plain) else fs


def hashed(fs: str) -> str:
    """The store of `unhashed`, asked for hashes; any other one as it is."""
    return fs.replace(_UNHASHED, f"{REMOTE}:", 1) if fs.startswith(_UNHASHED) else fs


def listed(item: Mapping[str, Any]) -> Listed:
    """A file as rclone tells it."""
    sums = item.get("Hashes") or {}
    return Listed(
        str(item["Path"]),
        int(item["Size"]),
        in_utc(str(item.get("ModTime") or "")),
        {kind: str(value).lower() for kind, value in sums.items() if value},
    )
