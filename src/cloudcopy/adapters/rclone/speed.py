"""A rate over the last seconds, and the time that is left at it."""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 10.0  # over which the rate is taken


class Speed:
    """Tell it how far the copy is about once a second. Its memory is the window."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now: float, done: int) -> None:
        """`done` bytes were sent by `now`, in seconds of a clock that never goes back."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Bytes per second; 0 while unknown, and when bytes were taken back."""
        if len(self._seen) < 2:
            return 0.0
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return max(0.0, (after - before) / (last - first)) if last > first else 0.0

    def eta(self, left: int) -> int | None:
        """Whole seconds until `left` bytes are sent; None while nothing moves."""
        rate = self.rate
        return round(left / rate) if rate >= 1.0 else None
