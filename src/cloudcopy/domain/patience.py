"""How long to wait before a copy goes over its failed files again, and when to give up.

What cannot pass by itself (credentials, a missing bucket, a full disk) is not tried again at
all; that is the caller's to know. What can pass gets `ROUNDS` tries in all: the engine itself
has already tried each request several times within one.
"""

import re
from typing import Final

ROUNDS: Final = 5  # outages of some minutes; a longer one is for a person to look at
FIRST_SECONDS: Final = 1.0
THROTTLED_SECONDS: Final = 5.0  # "slow down" soon asked again brings the next refusal
MAX_SECONDS: Final = 60.0
MAX_ASKED_SECONDS: Final = 600.0  # a store may ask for more, and gets this

# rclone: "retry after 30 seconds", "Trying again in 300 seconds",
# "try again after 2031-05-06T07:08:09Z (1m30.5s)"; HTTP: "Retry-After: 30".
_ASKED: Final = re.compile(
    r"(?:retry|try(?:ing)?)(?: again)?[ -](?:after|in):? "
    r"(?:[0-9]{4}-[0-9:.TZ+-]+ \()?(?:([0-9]+)h)?(?:([0-9]+)m(?!s))?([0-9]+(?:\.[0-9]+)?)?",
    re.ASCII | re.IGNORECASE,
)


def pause(done: int, *, throttled: bool, asked: float | None, jitter: float) -> float | None:
    """Seconds until the next round, after `done` of them (from 1); None to give up.

    Args:
        throttled: The store said that it is asked too much.
        asked: How long the store said to wait, if it did.
        jitter: Random in [0, 1), so that many copies do not come back together.
    """
    if done >= ROUNDS:
        return None
    first = THROTTLED_SECONDS if throttled else FIRST_SECONDS
    own = min(MAX_SECONDS, first * 2.0 ** (done - 1)) * (0.5 + jitter / 2)
    if asked is None:
        return own
    return max(own, min(asked, MAX_ASKED_SECONDS) * (1 + jitter / 10))  # never earlier than asked


def asked_seconds(text: str) -> float | None:
    """How long an error text says to wait; None where it does not."""
    found = _ASKED.search(text)
    if not found or not any(found.groups()):
        return None
    hours, minutes, seconds = (float(each or 0) for each in found.groups())
    return hours * 3600 + minutes * 60 + seconds
