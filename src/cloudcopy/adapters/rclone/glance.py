"""A look of our own at the instance's files: what rclone's listing does not tell of them.

A file that has the inode, the modification time and the change time that it had before has not
been written since: the change time is the kernel's, and no program can set it. Only names are
followed, never a link, and with the rights of the instance's user.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cloudcopy.adapters.rclone.names import askable
from cloudcopy.adapters.sandbox.beneath import Shown, acting_as

BATCH: Final = 4096
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


LINK: Final = ("symbolic_link", "symbolic link")  # a code, and words
IRREGULAR: Final = ("not_regular", "not a regular file")


class Glance(NamedTuple):
    """A regular file. Times are in nanoseconds since 1970."""

    path: str
    size: int
    mtime: int
    inode: int
    ctime: int


@dataclass(slots=True)
class Batch:
    """Some of what there is.

    Attributes:
        files: Regular files.
        others: Paths of what is none, with `LINK` or `IRREGULAR`.
        whole: Nothing was left out. It is where a directory could not be listed, or a name is
            none that rclone finds again as it stands: nothing is claimed of that.
    """

    files: list[Glance] = field(default_factory=list)
    others: list[tuple[str, tuple[str, str]]] = field(default_factory=list)
    whole: bool = True


def glances(shown: Shown, enter: Callable[[str], bool] = lambda _: True) -> Iterator[Batch]:
    """Everything below a directory that was opened, in no order. Blocks; each step may be done in
    another thread.

    Args:
        enter: Which directories to enter.
    """
    found = Batch()
    waiting = [""]
    while waiting:
        with acting_as((shown.uid, shown.gid)):
            below = _directory(shown.fd, waiting.pop(), found)
        waiting += [each for each in below if enter(each)]
        if len(found.files) + len(found.others) >= BATCH:
            yield found
            found = Batch()
    yield found


def _directory(top: int, directory: str, found: Batch) -> list[str]:
    """Puts what is in it to `found`. The directories in it."""
    below: list[str] = []
    before = f"{directory}/" if directory else ""
    try:
        fd = _opened(top, directory)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    path = before + entry.name
                    if not askable(entry.name) or not _utf8(entry.name):
                        found.whole = False
                    elif entry.is_file(follow_symlinks=False):
                        seen = entry.stat(follow_symlinks=False)
                        times = (seen.st_mtime_ns, seen.st_ino, seen.st_ctime_ns)
                        found.files.append(Glance(path, seen.st_size, *times))
                    elif entry.is_dir(follow_symlinks=False):
                        below.append(path)
                    else:
                        found.others.append((path, LINK if entry.is_symlink() else IRREGULAR))
        finally:
            os.close(fd)
    except OSError:
        found.whole = False
    return below


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
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
