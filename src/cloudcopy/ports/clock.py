"""Time and ids, injected so that tests never wait and never guess."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

Clock = Callable[[], datetime]
"""Now: aware, UTC. May jump; nothing orders events by it."""

NewId = Callable[[], str]
"""A ULID: 26 characters, unique, sortable by creation to the millisecond."""

NewFence = Callable[[], str]
"""128 random bits as text; never repeats."""


class Stop(Protocol):
    """A wish to stop that can be looked at and waited for. Once set it stays set."""

    def is_set(self) -> bool: ...

    async def wait(self) -> object: ...
