"""``ls``, ``rm`` and ``du`` beneath an instance's root, without a program and without a shell.

The kernel walks every path (`adapters.sandbox.beneath`), so a link that leaves the instance
leads nowhere; below a directory that was opened, links are shown and never followed.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cloudcopy.adapters.sandbox.beneath import open_source
from cloudcopy.domain.errors import CloudCopyError
from cloudcopy.domain.paths import InstancePath
from cloudcopy.domain.question import MAX_ANSWER, Command

MAX_DEPTH: Final = 64
_UNITS: Final = "BKMGTP"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _Full(Exception):
    """The answer is as long as it may be."""


class Paper:
    """What is printed, up to a bound."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._left = MAX_ANSWER - 100

    def line(self, text: str) -> None:
        """Raises _Full."""
        clean = "".join(char if char.isprintable() or char == "\t" else "?" for char in text)
        self._left -= len(clean) + 1
        if self._left < 0:
            raise _Full
        self._lines.append(clean)

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)


def carry_out(root: Path, command: Command) -> str:
    """Do it and return what it prints, errors as lines of it."""
    paper = Paper()
    does = {"ls": _ls, "rm": _rm, "du": _du}[command.program]
    try:
        does(root, command, paper)
    except _Full:
        return f"{paper.text()}(the rest is left out)\n"
    return paper.text()


def _each(command: Command, paper: Paper, do: Callable[[InstancePath], object]) -> None:
    """`do` each path of the command; what fails becomes a line and stops nothing."""
    for path in command.paths or (InstancePath(""),):
        try:
            do(path)
        except CloudCopyError as error:
            words = str(error).partition(": ")[2] or str(error)
            paper.line(f"{command.program}: {words}")
        except OSError as error:
            paper.line(f"{command.program}: {_shown(path)}: {os.strerror(error.errno or 0)}")


def _shown(path: InstancePath) -> str:
    return path.value or "."


@contextmanager
def _opened(root: Path, path: InstancePath) -> Iterator[tuple[int, os.stat_result]]:
    with open_source(root, path) as found:
        yield found.fd, os.fstat(found.fd)


@contextmanager
def _directory(fd: int) -> Iterator[int]:
    """A descriptor that can be listed, of one that only names."""
    opened = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield opened
    finally:
        os.close(opened)


def _names(fd: int) -> list[str]:
    return sorted(os.listdir(fd))


def _ls(root: Path, command: Command, paper: Paper) -> None:
    several = len(command.paths) > 1

    def one(path: InstancePath) -> None:
        with _opened(root, path) as (fd, status):
            if not stat.S_ISDIR(status.st_mode) or "d" in command.options:
                paper.line(_entry(_shown(path), status, "", command))
                return
            with _directory(fd) as opened:
                _list(opened, _shown(path), command, paper, headed=several, depth=0)

    _each(command, paper, one)


def _list(fd: int, name: str, command: Command, paper: Paper, *, headed: bool, depth: int) -> None:
    deep = "R" in command.options
    if headed or deep:
        paper.line(f"{name}:")
    found = []
    for each in _names(fd):
        if each.startswith(".") and not command.options & {"a", "A"}:
            continue
        try:
            found.append((each, os.stat(each, dir_fd=fd, follow_symlinks=False)))
        except FileNotFoundError:
            continue
    if "t" in command.options:
        found.sort(key=lambda pair: -pair[1].st_mtime)
    if "S" in command.options:
        found.sort(key=lambda pair: -pair[1].st_size)
    if "r" in command.options:
        found.reverse()
    for each, status in found:
        target = _target(each, fd) if stat.S_ISLNK(status.st_mode) else ""
        paper.line(_entry(each, status, target, command))
    if not deep or depth >= MAX_DEPTH:
        return
    for each, status in found:
        if stat.S_ISDIR(status.st_mode):
            paper.line("")
            below = os.open(each, _DIRECTORY, dir_fd=fd)
            try:
                _list(below, f"{name}/{each}", command, paper, headed=True, depth=depth + 1)
            finally:
                os.close(below)


def _target(name: str, fd: int) -> str:
    try:
        return os.readlink(name, dir_fd=fd)
    except OSError:
        return "?"


def _entry(name: str, status: os.stat_result, target: str, command: Command) -> str:
    if not command.options & {"l", "o", "g"}:
        return name
    owner = [] if "g" in command.options else [str(status.st_uid)]
    group = [] if "o" in command.options else [str(status.st_gid)]
    size = _human(status.st_size) if "h" in command.options else str(status.st_size)
    at = datetime.fromtimestamp(status.st_mtime, UTC)
    words = [stat.filemode(status.st_mode), str(status.st_nlink), *owner, *group]
    line = " ".join([*words, f"{size:>10}", f"{at:%Y-%m-%d %H:%M}", name])
    return f"{line} -> {target}" if target else line


def _human(size: float) -> str:
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:.0f}{unit}" if unit == "B" or size >= 10 else f"{size:.1f}{unit}"
        size /= 1024
    raise AssertionError("the last unit ends it")


def _rm(root: Path, command: Command, paper: Paper) -> None:
    options = command.options

    def one(path: InstancePath) -> None:
        above = InstancePath(path.value.rpartition("/")[0])
        try:
            with _opened(root, above) as (fd, _), _directory(fd) as opened:
                _remove(path.name, opened)
        except FileNotFoundError:
            if "f" not in options:
                raise
        except CloudCopyError as error:
            if "f" not in options or "does not exist" not in str(error):
                raise

    def _remove(name: str, fd: int) -> None:
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=fd)
        elif options & {"r", "R"}:
            shutil.rmtree(name, dir_fd=fd)
        elif "d" in options:
            os.rmdir(name, dir_fd=fd)
        else:
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if "v" in options:
            paper.line(f"removed '{name}'")

    _each(command, paper, one)


def _du(root: Path, command: Command, paper: Paper) -> None:
    seen: set[tuple[int, int]] = set()
    total = 0
    most = 0 if "s" in command.options else command.depth

    def size(status: os.stat_result) -> int:
        key = (status.st_dev, status.st_ino)
        if key in seen and not stat.S_ISDIR(status.st_mode):
            return 0
        seen.add(key)
        return status.st_size if "b" in command.options else status.st_blocks * 512

    def line(count: int, name: str) -> None:
        paper.line(f"{_measured(count, command)}\t{name}")

    def below(fd: int, name: str, depth: int) -> int:
        count = size(os.fstat(fd))
        for each in _names(fd):
            try:
                status = os.stat(each, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            shown = f"{name}/{each}"
            if stat.S_ISDIR(status.st_mode) and depth < MAX_DEPTH:
                inner = os.open(each, _DIRECTORY, dir_fd=fd)
                try:
                    count += below(inner, shown, depth + 1)
                finally:
                    os.close(inner)
                continue
            own = size(status)
            count += own
            if "a" in command.options and (most is None or depth + 1 <= most):
                line(own, shown)
        if most is None or depth <= most:
            line(count, name)
        return count

    def one(path: InstancePath) -> None:
        nonlocal total
        with _opened(root, path) as (fd, status):
            if not stat.S_ISDIR(status.st_mode):
                own = size(status)
                line(own, _shown(path))
                total += own
                return
            with _directory(fd) as opened:
                total += below(opened, _shown(path), 0)

    _each(command, paper, one)
    if "c" in command.options:
        line(total, "total")


def _measured(count: int, command: Command) -> str:
    if "h" in command.options:
        return _human(count)
    if "b" in command.options:
        return str(count)
    unit = 1024 * 1024 if "m" in command.options else 1024
    return str(-(-count // unit))
