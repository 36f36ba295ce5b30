"""A look of our own at the instance's files: what rclone's listing does not tell of them.

A file that has the inode, the modification time and the change time that it had before has not
been written since: the change time is the kernel's, and no program can set it. Only names are
followed, never a link, and with the rights of the instance's user.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from cloudcopy.adapters.sandbox.beneath import Shown, acting_as

BATCH: Final = 4096
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Glance(NamedTuple):
    """A regular file. Times are in nanoseconds since 1970."""

    path: str
    size: int
    mtime: int
    inode: int
    ctime: int


def glances(
    shown: Shown, enter: Callable[[str], bool] = lambda _: True
) -> Iterator[Sequence[Glance]]:
    """Every regular file below a directory that was opened, some at once, in no order.

    What cannot be listed, and what has a name that is not UTF-8, is left out: nothing is
    claimed of it. Blocks; each step may be done in another thread.

    Args:
        enter: Which directories to enter.
    """
    found: list[Glance] = []
    waiting = [""]
    while waiting:
        with acting_as((shown.uid, shown.gid)):
            files, below = _directory(shown.fd, waiting.pop())
        found += files
        waiting += [each for each in below if enter(each)]
        if len(found) >= BATCH:
            yield found
            found = []
    if found:
        yield found


def _directory(top: int, directory: str) -> tuple[list[Glance], list[str]]:
    files: list[Glance] = []
    below: list[str] = []
    try:
        fd = _opened(top, directory)
    except OSError:
        return files, below
    before = f"{directory}/" if directory else ""
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                if not entry.name.isprintable() and not _utf8(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(before + entry.name)
                elif entry.is_file(follow_symlinks=False):
                    seen = entry.stat(follow_symlinks=False)
                    times = (seen.st_mtime_ns, seen.st_ino, seen.st_ctime_ns)
                    files.append(Glance(before + entry.name, seen.st_size, *times))
    except OSError:
        pass
    finally:
        os.close(fd)
    return files, below


def _opened(top: int, directory: str) -> int:
    """Step by step, so that no link is followed on the way."""
    fd = os.open(".", _DIRECTORY, dir_fd=top)
    for name in directory.split("/") if directory else ():
        try:
            inside = os.open(name, _DIRECTORY, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inside
    return fd


def _utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
