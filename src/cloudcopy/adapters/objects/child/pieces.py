"""A few threads for the pieces of large files, each with a buffer: so memory has a bound."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.width import Width

PIECE: Final = 16 << 20  # bytes
MOST: Final = 10_000  # that a store takes for one object

Work = Callable[[memoryview], Any]


class Pieces:
    """Carries out pieces of work, each with a buffer of `PIECE` bytes, in their order."""

    def __init__(self, count: int, call: Call, width: Width) -> None:
        self._call, self._width, self._count = call, width, count
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Work] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(count)
        ]
        for each in self._threads:
            each.start()

    def add(self, work: Work) -> "Future[Any]":
        future: Future[Any] = Future()
        self._waiting.put((future, work))
        return future

    def close(self) -> None:
        for _ in self._threads:
            self._waiting.put(None)

    def _run(self, number: int) -> None:
        buffer = memoryview(bytearray(PIECE))
        while True:
            self._width.wait(number, self._count, self._call)
            item = self._waiting.get()
            if item is None:
                self._width.open()
                return
            future, work = item
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(buffer))
                    self._width.done(self._count)
                except BaseException as error:  # noqa: BLE001 - it is the waiting one's
                    future.set_exception(error)


def piece_bytes(size: int) -> int:
    """Of a file of `size` bytes: so that it has no more pieces than a store takes."""
    wanted = PIECE
    while wanted * MOST < size:
        wanted *= 2
    return wanted


def ranges(size: int, step: int) -> list[tuple[int, int]]:
    """Where each piece begins, and how long it is; one of no bytes for an empty file."""
    return [(start, min(step, size - start)) for start in range(0, size, step)] or [(0, 0)]


def results(futures: "Sequence[Future[Any]]") -> list[Any]:
    """All of them; after the first that failed, the rest is not begun, but waited for."""
    try:
        return [each.result() for each in futures]
    except BaseException:
        for each in futures:
            each.cancel()
        for each in futures:
            if not each.cancelled():
                each.exception()
        raise
