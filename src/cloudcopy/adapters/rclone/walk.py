"""What lies in a store or a directory, one directory after the other, with bounded memory.

rclone's own recursive listing answers with everything at once. This one asks for single
directories, a few at a time: `AT_ONCE`, and more, up to `MANY`, as long as those that it sees are
small. What it holds at most: the answers to these (about 500 bytes a file), so eight times the
largest one where they are large, and the names of the directories that are still to be listed.

The second mover may answer the first call with everything: a small tree is one round trip.
"""

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from cloudcopy.adapters.rclone.listing import (
    AT_ONCE,
    MANY,
    Call,
    Listed,
    Unlisted,
    by_arrival,
    hashed,
    listed,
    parameters,
)
from cloudcopy.adapters.rclone.rc import RcError

SMALL: Final = 1000  # entries; a page of S3

Chosen = Callable[[str], bool | Awaitable[bool]]
Splits = Callable[[str], Awaitable[Sequence[str]]]


async def walk(
    call: Call,
    fs: str,
    *,
    hashes: Sequence[str] = (),
    times: bool = False,
    everything: bool = False,
    directories: Chosen | None = None,
    server_times: bool = False,
    below: str = "",
    unlisted: Callable[["Unlisted"], object] | None = None,
    splits: Splits | None = None,
) -> AsyncIterator[Sequence[Listed]]:
    """The files below `fs`, breadth first, one directory in each batch, in no order.

    The caller's filters choose as they do in a copy: excluded directories are not entered.
    A store that has two files of one name gives it twice. The second mover may answer the first
    call with the whole of a small tree, and that is one batch.

    Args:
        hashes: Kinds to ask for. Where rclone must read files or ask for each object, it does
            that one file after the other in each directory: see `Side.slow_hash`.
        everything: Leave out the caller's filters.
        directories: Which subdirectories to enter; all by default.
        server_times: The times when the store received the files, which S3 lists for nothing,
            instead of the files' own, which cost one request each there.
        below: The directory to begin at; paths stay relative to `fs`.
        splits: Of a directory, sorted names in it where stretches may begin; not for rclone.
        unlisted: Told of each directory that could not be listed; then the walk goes on.

    Raises:
        Unlisted: a directory could not be listed, e.g. because it vanished meanwhile, and
            nobody is told.
    """
    first = top(
        fs,
        hashes=hashes,
        times=times,
        everything=everything,
        server_times=server_times,
        below=below,
    )
    waiting = deque([below])
    at_once = AT_ONCE
    running: set[asyncio.Task[_Found]] = set()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.popleft()
                asked = first if name == below else {**first, "remote": name, "whole": False}
                running.add(asyncio.create_task(_directory(call, asked, splits)))
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                try:
                    files, inside, whole = task.result()
                except Unlisted as error:
                    if unlisted is None:
                        raise
                    unlisted(error)
                    continue
                if whole:
                    files, inside = await _entered(files, inside, below, directories), []
                small = len(files) + len(inside) <= SMALL
                at_once = min(MANY, at_once + 1) if small else AT_ONCE
                waiting.extend([each for each in inside if await _enter(directories, each)])
                if files:
                    yield files
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def top(
    fs: str,
    *,
    hashes: Sequence[str] = (),
    times: bool = False,
    everything: bool = False,
    server_times: bool = False,
    below: str = "",
) -> dict[str, Any]:
    """What `walk` asks first."""
    asked = parameters(
        hashes, times=times or server_times, everything=everything, server_times=server_times
    )
    fs = by_arrival(fs) if server_times else fs
    return {"fs": hashed(fs) if hashes else fs, "remote": below, "whole": True, **asked}


class _Found(NamedTuple):
    """Files, directories, and whether that is everything below."""

    files: list[Listed]
    directories: list[str]
    whole: bool


async def _directory(call: Call, asked: dict[str, Any], splits: Splits | None) -> _Found:
    directory = asked["remote"]
    known = await splits(directory) if splits else ()
    if known:
        asked = {**asked, "splits": list(known)}
    try:
        found = await call("operations/list", **asked)
    except RcError as error:
        raise Unlisted(directory, error) from error
    files, below = [], []
    for each in found["list"]:
        if each["IsDir"]:
            below.append(str(each["Path"]))
        else:
            files.append(listed(each))
    return _Found(files, below, bool(found.get("whole")))


async def _entered(
    files: list[Listed], inside: list[str], below: str, directories: Chosen | None
) -> list[Listed]:
    """Those that are not in a directory which is not to be entered."""
    if directories is None:
        return files
    entered = {below}
    for each in sorted(inside):  # a directory comes before those in it
        if each.rpartition("/")[0] in entered and await _enter(directories, each):
            entered.add(each)
    return [each for each in files if each.path.rpartition("/")[0] in entered]


async def _enter(directories: Chosen | None, name: str) -> bool:
    if directories is None:
        return True
    answer = directories(name)
    return await answer if inspect.isawaitable(answer) else answer
