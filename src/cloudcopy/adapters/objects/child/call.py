"""One request of the agent's while it is carried out, and what is counted meanwhile."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final

from cloudcopy.adapters.objects.child.failing import Stopped

_SLICE: Final = 0.05  # seconds; a limit may change and a caller may hang up while one waits
_STDERR: Final = 2
TRIES: Final = 5
_LOGGING: Final = threading.Lock()


def log(level: str, text: str, name: str = "", kind: str = "", size: int | None = None) -> None:
    """A line as rclone logs it, whole, in the order of what happened."""
    # By hand: a line for each file, and `json.dumps` of a dictionary takes 10 times as long.
    line = f'{{"level":"{level}","msg":{_quoted(text)}'
    if name:
        line += f',"object":{_quoted(name)},"objectType":{_quoted(kind)}'
    if size is not None:
        line += f',"size":{size}'
    data = memoryview(f"{line}}}\n".encode())
    with _LOGGING:
        while data:
            data = data[os.write(_STDERR, data) :]


def _unheard(began: float) -> None:
    pass


class Call:
    """Hanging up on it stops what it does.

    Attributes:
        tries: How often one request is made at most.
        refused: Told when the store said "slow down" to a request that began then, by the
            monotonic clock.
    """

    def __init__(self, tries: int = TRIES) -> None:
        self.tries = max(1, tries)
        self.stopped = threading.Event()
        self.refused: Callable[[float], None] = _unheard
        self._turn = threading.Lock()
        self._open: set[socket.socket] = set()

    def check(self) -> None:
        """Raises Stopped after the caller has hung up."""
        if self.stopped.is_set():
            raise Stopped

    def stop(self) -> None:
        self.stopped.set()
        with self._turn:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def using(self, connection: socket.socket) -> Iterator[None]:
        """What waits for the connection inside is woken when the caller hangs up."""
        with self._turn:
            self.check()
            self._open.add(connection)
        try:
            yield
        finally:
            with self._turn:
                self._open.discard(connection)


@dataclass
class Flying:
    """A file on its way."""

    name: str
    size: int
    bytes: int = 0


@dataclass
class Counts:
    """Of one group of calls. Only told, never relied on."""

    total: int = 0
    total_bytes: int = 0
    bytes: int = 0
    errors: int = 0
    throttled: int = 0
    last_error: str = ""
    flying: dict[int, Flying] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def moved(self, file: Flying, count: int) -> None:
        with self.turn:
            file.bytes += count
            self.bytes += count

    def failed(self, text: str) -> None:
        with self.turn:
            self.errors += 1
            self.last_error = text

    def refused(self) -> None:
        with self.turn:
            self.throttled += 1

    def told(self) -> dict[str, Any]:
        with self.turn:
            flying = [vars(each) for each in self.flying.values()]
            return {
                "bytes": self.bytes,
                "totalBytes": self.total_bytes,
                "totalTransfers": self.total,
                "errors": self.errors,
                "lastError": self.last_error,
                "throttled": self.throttled,
                "transferring": [dict(each) for each in flying],
            }


class Limit:
    """At most so many bytes in a second, over all that moves. 0 is without limit."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._turn = threading.Lock()
        self._free_at = 0.0

    def take(self, count: int, call: Call) -> None:
        """Wait until `count` more bytes may go. Raises Stopped."""
        left = float(count)
        while self.rate and left > 0:
            rate = self.rate
            some = min(left, max(1.0, rate * _SLICE)) if rate else left
            with self._turn:
                now = time.monotonic()
                start = max(now, self._free_at)
                self._free_at = start + some / rate
            if call.stopped.wait(max(0.0, start - now)):
                raise Stopped
            left -= some
