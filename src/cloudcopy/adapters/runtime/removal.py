"""Removing a directory in which somebody else did what they liked.

They may have nested it deeper than a path, a stack or the open files reach, and taken all
rights from parts of it. So directories are emptied one at a time, their subdirectories being
moved up to the top first: nothing recurses, and three descriptors are enough.
"""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

_OPENED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMED: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def discard(path: Path) -> None:
    """Remove the directory with all that is in it; links are removed, never followed. One that
    is not there is removed. What an interrupted call left is still below `path`.

    Raises:
        OSError: something cannot be removed.
    """
    try:
        top = os.open(path, _OPENED)
    except FileNotFoundError:
        return
    try:
        while names := os.listdir(top):  # noqa: PTH208 - a descriptor has no path
            for name in names:
                _remove(top, name)
    finally:
        os.close(top)
    path.rmdir()


def _remove(top: int, name: str) -> None:
    """Its subdirectories are afterwards in `top`."""
    if not _is_directory(top, name):
        os.unlink(name, dir_fd=top)
        return
    opened = _opened(top, name)
    try:
        for each in os.listdir(opened):  # noqa: PTH208
            if not _is_directory(opened, each):
                os.unlink(each, dir_fd=opened)
                continue
            os.close(_opened(opened, each))  # to be moved, it must be writable
            os.rename(each, f".{secrets.token_hex(16)}", src_dir_fd=opened, dst_dir_fd=top)
    finally:
        os.close(opened)
    with contextlib.suppress(FileNotFoundError):
        try:
            os.rmdir(name, dir_fd=top)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:  # else something was added; it comes up again
                raise


def _is_directory(parent: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _opened(parent: int, name: str) -> int:
    """A descriptor of the directory, with all rights for its owner."""
    named = os.open(name, _NAMED, dir_fd=parent)
    try:
        if os.fstat(named).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            Path(f"/proc/self/fd/{named}").chmod(stat.S_IRWXU)
        return os.open(f"/proc/self/fd/{named}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(named)
