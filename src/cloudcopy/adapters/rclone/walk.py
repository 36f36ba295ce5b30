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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
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
LIKELY: Final = 64  # directories: as many requests were for nothing, at most

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
    small: bool = True,
    likely: Sequence[str] = (),
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
        small: It may be a small tree: nobody knows better.
        likely: Directories that are probably there, and to be entered: they are asked for before
            the ones above them have answered. Only with an empty `below`.
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
        small=small,
    )
    early = {} if small else await _early(likely, directories)
    waiting = deque([below, *early])
    at_once = MANY if likely else AT_ONCE
    running: set[asyncio.Task[_Found]] = set()
    batches: list[list[Listed]] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.popleft()
                asked = first if name == below else {**first, "remote": name, "whole": False}
                running.add(asyncio.create_task(_directory(call, asked, splits)))
            for batch in batches:  # what comes next is on its way meanwhile
                yield batch
            batches = []
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for found in [_found(task, early, unlisted) for task in done]:
                if found is None:
                    continue
                name, files, inside, whole = found
                if whole:
                    files, inside = await _entered(files, inside, below, directories), []
                elif small and name == below:
                    early = await _early(likely, directories, inside)
                    waiting.extend(early)
                few = len(files) + len(inside) <= SMALL
                at_once = min(MANY, at_once + 1) if few else AT_ONCE
                new = [each for each in inside if each not in early]
                early |= dict.fromkeys(set(inside) - set(new), True)
                waiting.extend([each for each in new if await _enter(directories, each)])
                batches += [files] if files else []
        for batch in batches:
            yield batch
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


Early = dict[str, bool]
"""Directories that are asked for before the one above has answered, and whether it has named them
since."""


async def _early(
    likely: Iterable[str], directories: Chosen | None, top: Iterable[str] | None = None
) -> Early:
    """Those of `likely` that are to be entered, and lie in one of `top`."""
    there = None if top is None else set(top)
    return {
        each: False
        for each in sorted(likely)
        if (there is None or each.partition("/")[0] in there) and await _enter(directories, each)
    }


def top(
    fs: str,
    *,
    hashes: Sequence[str] = (),
    times: bool = False,
    everything: bool = False,
    server_times: bool = False,
    below: str = "",
    small: bool = True,
) -> dict[str, Any]:
    """What `walk` asks first."""
    asked = parameters(
        hashes, times=times or server_times, everything=everything, server_times=server_times
    )
    fs = by_arrival(fs) if server_times else fs
    return {"fs": hashed(fs) if hashes else fs, "remote": below, "whole": small, **asked}


class _Found(NamedTuple):
    """Of a directory: files, directories, and whether that is everything below."""

    name: str
    files: list[Listed]
    directories: list[str]
    whole: bool


def _found(
    task: "asyncio.Task[_Found]", early: Early, unlisted: Callable[[Unlisted], object] | None
) -> _Found | None:
    """None where the directory could not be listed. Raises Unlisted."""
    try:
        return task.result()
    except Unlisted as error:
        if early.get(error.directory) is False:
            del early[error.directory]  # if it is there, it will be found
        elif unlisted is None:
            raise
        else:
            unlisted(error)
    return None


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
    return _Found(directory, files, below, bool(found.get("whole")))


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
