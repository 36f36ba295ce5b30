"""How much of what may be in flight is: half after a store's refusal, and slowly more again."""

import threading
import time
from typing import Final

from cloudcopy.adapters.objects.child.call import Call

_MARGIN: Final = 1e-9  # of a share, which is a sum of many small ones


class Width:
    """For any thread. Several kinds of workers may share one: each has a share of its own number.

    Attributes:
        refusals: How often the store has said "slow down".
    """

    def __init__(self) -> None:
        self.refusals = 0
        self._share = 1.0
        self._narrowed = 0.0
        self._open = False
        self._turn = threading.Condition()

    def refused(self, began: float) -> None:
        """The store refused a request that began then, by the monotonic clock. Of a wave of
        refusals only the first narrows: the others were under way already."""
        with self._turn:
            self.refusals += 1
            if began >= self._narrowed:
                self._share /= 2
                self._narrowed = time.monotonic()

    def done(self, most: int) -> None:
        """One of `most` workers was successful: after as many as are in flight, one more is."""
        if self._share >= 1:
            return
        with self._turn:
            self._share = min(1.0, self._share + 1 / (most * max(1.0, most * self._share)))
            self._turn.notify_all()

    def wait(self, worker: int, most: int, call: Call) -> None:
        """Until the worker of that number, from 0, of `most` may go on. The first always may."""
        if self.may(worker, most):
            return
        with self._turn:
            while not self.may(worker, most) and not call.stopped.is_set():
                self._turn.wait(1.0)  # hanging up rings no bell here

    def may(self, worker: int, most: int) -> bool:
        return self._open or worker == 0 or worker + 1 <= most * self._share + _MARGIN

    def open(self) -> None:
        """Nothing is left to do: all may go on, to their ends."""
        with self._turn:
            self._open = True
            self._turn.notify_all()
