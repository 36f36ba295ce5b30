"""The parent of everything that runs in one instance: `python -I -S keeper.py FD`.

FD holds a `Task` as JSON. The keeper is a "subreaper": whatever its children start and leave
behind, with sessions of their own or not, becomes its child, so it can end all of it. It
gets SIGTERM when the agent asks, and also, from the kernel, when the agent dies. Then it ends
its children, first by request, then by force, and ends itself after the last.

It writes what they print to a log of at most two files, and on its own stdout says
``up``, ``ended CODE`` and ``failed WORDS``, a line each. It imports the standard library only.
"""

import contextlib
import ctypes
import fcntl
import json
import marshal
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final, TypedDict

LOG_BYTES: Final = 1024 * 1024  # of each of the two files
_LOOK_SECONDS: Final = 0.05  # while it waits for an end
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PIECE: Final = 64 * 1024


class Task(TypedDict):
    """
    parent: Who started us; without it there is nothing to do.
    lock: A file; only one keeper at a time holds it.
    log: A file; the one before it has ``.1`` behind its name.
    grace_seconds: Between asking to end and forcing it.
    launch: Where `adapters.sandbox.launch` lies.
    plan: Its `Plan`, but for what only we know: `parent` and `told`.
    """

    parent: int
    lock: str
    log: str
    grace_seconds: float
    launch: str
    plan: dict[str, Any]


class Log:
    """The last one to two MiB of what was printed."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._file = self._open()

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, piece: bytes) -> None:
        """A disk that is full loses lines; it stops nobody."""
        with contextlib.suppress(OSError):
            os.write(self._file, piece)
            if os.fstat(self._file).st_size >= LOG_BYTES:
                self._path.rename(f"{self._path}.1")
                os.close(self._file)
                self._file = self._open()


def say(line: str) -> None:
    with contextlib.suppress(OSError):  # the agent is gone
        os.write(1, f"{line}\n".encode())


def begin(task: Task, output: int) -> tuple[int, str]:
    """Start the program; returns its pid, and what went wrong before it ran."""
    told, tell = os.pipe()
    text = os.memfd_create("plan", 0)
    plan = {**task["plan"], "parent": os.getpid(), "told": tell}
    os.write(text, marshal.dumps(plan))
    os.lseek(text, 0, os.SEEK_SET)
    pid = os.fork()
    if pid == 0:
        _become_launch(task["launch"], text, tell, output)
    os.close(tell)
    os.close(text)
    problem = b""
    while piece := os.read(told, _PIECE):
        problem += piece
    os.close(told)
    return pid, problem.decode(errors="replace")


def _become_launch(launch: str, text: int, tell: int, output: int) -> None:
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for fd in (text, tell):
            os.set_inheritable(fd, True)
        os.execv(sys.executable, [sys.executable, "-I", "-S", launch, str(text)])  # noqa: S606
    finally:
        os._exit(127)


def descendants() -> list[int]:
    """Everything below us, by its pid."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are all that is needed
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = Path(f"/proc/{entry}/stat").read_text()
                parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found, below = [], [os.getpid()]
    while below:
        above = below.pop()
        for child in [pid for pid, parent in parents.items() if parent == above]:
            del parents[child]
            found.append(child)
            below.append(child)
    return found


def send(number: signal.Signals) -> None:
    for pid in descendants():
        with contextlib.suppress(OSError):
            os.kill(pid, number)


class Keeper:
    """Waits for output, for ends, and for SIGTERM."""

    def __init__(self, task: Task) -> None:
        self._log = Log(task["log"])
        self._grace = task["grace_seconds"]
        self._selector = selectors.DefaultSelector()
        self._asked = False
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(woken, selectors.EVENT_READ)
        self._woken = woken
        self._output, output = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._output, False)
        self._selector.register(self._output, selectors.EVENT_READ)
        self._main, problem = begin(task, output)
        os.close(output)
        self._force_at = 0.0
        say(f"failed {' '.join(problem.split())}" if problem else "up")

    def _ask(self, *_: object) -> None:
        self._asked = True

    def run(self) -> None:
        """Until it was asked to end and nothing is left, or the program failed."""
        while True:
            alone = self._reap()
            if self._asked:
                if alone:
                    break
                self._end()
            for key, _ in self._selector.select(_LOOK_SECONDS if self._asked else None):
                self._read(key.fd)
        while self._read(self._output):
            pass

    def _reap(self) -> bool:
        """Whether there is no child left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._main:
                code = os.waitstatus_to_exitcode(status)
                say(f"ended {code}")
                self._asked = self._asked or code != 0

    def _end(self) -> None:
        now = time.monotonic()
        if not self._force_at:
            self._force_at = now + self._grace
            send(signal.SIGTERM)
        elif now >= self._force_at:
            send(signal.SIGKILL)

    def _read(self, fd: int) -> bool:
        try:
            piece = os.read(fd, _PIECE)
        except BlockingIOError:
            return False
        if fd == self._output and piece:
            self._log.write(piece)
        elif fd == self._output and fd in self._selector.get_map():
            self._selector.unregister(fd)
        return bool(piece)


def main() -> None:
    with open(int(sys.argv[1]), "rb") as file:  # noqa: PTH123 - a descriptor has no path
        task: Task = json.load(file)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != task["parent"]:
        return
    lock = os.open(task["lock"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # until the keeper before us has ended all that it kept
    Keeper(task).run()


if __name__ == "__main__":
    main()
