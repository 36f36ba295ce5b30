"""The instance's side: directories, files that are read, and files that are written.

A file is written under another name beside its own, which it gets when it is whole.
"""

import errno
import hashlib
import os
import stat
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudcopy.adapters.objects.child.call import Call, log
from cloudcopy.adapters.objects.child.failing import Failure, of_file
from cloudcopy.adapters.objects.child.names import shown
from cloudcopy.adapters.objects.child.sums import Sums

BLOCK: Final = 1 << 20
OBJECT: Final = "*local.Object"
_DIRECTORY: Final = "*local.Directory"
_LONGEST: Final = 255  # bytes of a name
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE: Final = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file, or a directory, with its path below what is listed."""

    path: str
    status: os.stat_result
    directory: bool


def directory(root: str, below: str) -> Iterator[Entry]:
    """What is in one directory. What cannot be copied is only logged, as by rclone.

    Raises:
        Failure: it could not be opened.
    """
    place = f"{root}/{below}" if below else root
    try:
        found = list(os.scandir(place))
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise Failure("directory not found", 404) from None
        text = f"failed to open directory: {of_file('open', shown(place.lstrip('/')), error)}"
        if not isinstance(error, PermissionError):
            raise Failure(text) from None
        log("error", text, shown(below), _DIRECTORY)  # and it counts as empty, as for rclone
        return
    for each in found:
        path = f"{below}/{each.name}" if below else each.name
        try:
            status = each.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            why = of_file("lstat", shown(path), error)
            log(
                "error",
                f"failed to get info about directory entry: {why}",
                shown(below),
                _DIRECTORY,
            )
            continue
        yield from _entry(path, status)


def _entry(path: str, status: os.stat_result) -> Iterator[Entry]:
    if stat.S_ISREG(status.st_mode):
        yield Entry(path, status, directory=False)
    elif stat.S_ISDIR(status.st_mode):
        yield Entry(path, status, directory=True)
    elif stat.S_ISLNK(status.st_mode):
        log("notice", "Can't follow symlink without -L/--copy-links", shown(path), OBJECT)
    else:
        log("notice", "Can't transfer non file/directory", shown(path), OBJECT)


def look(root: str, path: str) -> Entry | None:
    """One file or directory; None where there is none that could be copied.

    Raises:
        Failure: it may not be looked at.
    """
    try:
        status = os.lstat(f"{root}/{path}" if path else root)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise of_file("lstat", shown(path), error) from None
    if stat.S_ISDIR(status.st_mode):
        return Entry(path, status, directory=True)
    return Entry(path, status, directory=False) if stat.S_ISREG(status.st_mode) else None


@dataclass(slots=True)
class Reading:
    """An open file of the source."""

    name: str
    fd: int
    status: os.stat_result

    def content(self) -> bytes:
        """All of it. Raises Failure: the file is not what it was."""
        data = os.pread(self.fd, self.status.st_size, 0) if self.status.st_size else b""
        if len(data) != self.status.st_size:
            raise _changed("it has become shorter")
        return data

    def part(self, start: int, buffer: memoryview) -> None:
        """Fill `buffer` with what begins at `start`.

        Raises:
            Failure: the file is not what it was.
        """
        filled = 0
        while filled < len(buffer):
            count = os.preadv(self.fd, [buffer[filled:]], start + filled)
            if not count:
                raise _changed("it has become shorter")
            filled += count

    def check(self) -> os.stat_result:
        """Its status, which is the one it had when it was opened.

        Raises:
            Failure: it is not.
        """
        now = os.fstat(self.fd)
        if now.st_size != self.status.st_size:
            raise _changed(f"size changed from {self.status.st_size} to {now.st_size}")
        if now.st_mtime_ns != self.status.st_mtime_ns:
            raise _changed("its time changed")
        return now


def _changed(how: str) -> Failure:
    return Failure(f"can't copy - source file is being updated ({how})")


@contextmanager
def reading(root: str, name: str) -> Iterator[Reading]:
    """Open a regular file. Raises Failure."""
    try:
        fd = os.open(f"{root}/{name}", _READ)
    except OSError as error:
        raise of_file("open", name, error) from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Failure("can't copy - source is not a regular file")
        yield Reading(name, fd, status)
    except OSError as error:
        raise of_file("read", name, error) from None
    finally:
        os.close(fd)


def md5(call: Call, root: str, name: str, sums: Sums) -> str:
    """The file's hash. Raises Failure, Stopped."""
    with reading(root, name) as file:
        known = sums.of(file.status)
        if known:
            return known
        digest = hashlib.md5(usedforsecurity=False)
        buffer = memoryview(bytearray(min(BLOCK, max(1, file.status.st_size))))
        start = 0
        while start < file.status.st_size:
            call.check()
            some = buffer[: min(len(buffer), file.status.st_size - start)]
            file.part(start, some)
            digest.update(some)
            start += len(some)
        sums.keep(file.check(), digest.hexdigest(), read=True)
        return digest.hexdigest()


class Unfinished:
    """Names of files that are not whole yet, for when there is no time left to be polite.

    They are the same when a copy is begun again, so that what a killed one left is replaced; and
    others in another copy, whose `mark` is another.
    """

    def __init__(self, mark: str = "") -> None:
        self._mark = mark
        self._turn = threading.Lock()
        self._paths: set[str] = set()

    def name(self, place: str) -> str:
        """For the file that is to be at `place`."""
        above, _, name = place.rpartition("/")
        sign = f".{zlib.crc32(os.fsencode(f'{self._mark}/{name}')):08x}.partial"
        short = os.fsencode(name)[: _LONGEST - len(sign)].decode("utf-8", "ignore")
        return f"{above}/{short}{sign}"

    def add(self, path: str) -> None:
        with self._turn:
            self._paths.add(path)

    def forget(self, path: str) -> None:
        with self._turn:
            self._paths.discard(path)

    def remove(self) -> None:
        with self._turn:
            for path in self._paths:
                with suppress(OSError):
                    Path(path).unlink()


@dataclass(slots=True)
class Writing:
    """A file that is being written.

    Attributes:
        status: After it got its name; None before.
    """

    name: str
    fd: int
    place: str
    partial: str
    status: os.stat_result | None = None

    def reserve(self, size: int) -> None:
        """Make it so long, if there is room for it now.

        It is not allocated: in one go that takes as long as fetching a tenth of it, and
        nothing is fetched meanwhile.

        Raises:
            OSError: the disk has less than that.
        """
        disk = os.fstatvfs(self.fd)
        if disk.f_blocks and size > disk.f_bavail * disk.f_frsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(self.fd, size)

    def write(self, data: memoryview, start: int) -> None:
        while data:
            count = os.pwrite(self.fd, data, start)
            data, start = data[count:], start + count

    def finish(self, mtime: int | None) -> os.stat_result:
        """Give it its time and its name."""
        if mtime is not None:
            os.utime(self.fd, ns=(mtime, mtime))
        os.rename(self.partial, self.place)  # noqa: PTH104 - a path's parsing costs more than this
        self.status = os.fstat(self.fd)
        return self.status


@contextmanager
def writing(root: str, name: str, unfinished: Unfinished) -> Iterator[Writing]:
    """A new file; it is gone again unless it was finished. Raises Failure."""
    place = f"{root}/{name}"
    partial = unfinished.name(place)
    try:
        fd = _made(root, name, partial)
    except OSError as error:
        raise of_file("open", name, error) from None
    unfinished.add(partial)
    file = Writing(name, fd, place, partial)
    try:
        yield file
    except OSError as error:
        raise of_file("write", name, error) from None
    finally:
        if file.status is None:
            with suppress(OSError):
                Path(partial).unlink()
        unfinished.forget(partial)
        os.close(fd)


def _made(root: str, name: str, partial: str) -> int:
    try:
        return os.open(partial, _WRITE, 0o666)
    except FileNotFoundError:
        Path(root, name).parent.mkdir(parents=True, exist_ok=True)
        return os.open(partial, _WRITE, 0o666)


def remove(root: str, name: str) -> None:
    """Raises Failure."""
    try:
        Path(root, name).unlink()
    except OSError as error:
        raise of_file("remove", name, error) from None
