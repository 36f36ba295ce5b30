"""What the control plane should hear from this agent.

Reports, chunks and questions are kept until answered and may be sent any number of times.
Of progress only the latest per transfer is kept; it and what is said once are gone once sent.
"""

import asyncio

from cloudcopy.wire.agent import (
    Ack,
    LedgerChunk,
    Message,
    NeedBackend,
    NeedNames,
    ProgressNow,
    Report,
)

Held = Report | NeedBackend | NeedNames | LedgerChunk

Key = tuple[str, int, str]  # transfer, attempt, kind of the message


class Outbox:
    """Used from one event loop; filled by many copies, emptied by one socket at a time."""

    def __init__(self) -> None:
        self._held: dict[Key, Held] = {}  # oldest first
        self._unsent: dict[Key, None] = {}
        self._progress: dict[str, ProgressNow] = {}
        self._latest: dict[str, Message] = {}
        self._once: list[Message] = []
        self._filled = asyncio.Event()

    def hold(self, message: Held) -> None:
        """Say it on this socket and every later one, until it is released."""
        key = _key(message)
        self._held[key] = message
        self._unsent[key] = None
        self._filled.set()

    def progress(self, now: ProgressNow) -> None:
        self._progress[now.transfer] = now
        self._filled.set()

    def latest(self, about: str, message: Message) -> None:
        """Say it once, in the place of what was to be said about the same."""
        self._latest[about] = message
        self._filled.set()

    def say(self, message: Message) -> None:
        """Say it once, on this socket; whoever asked for it asks again when it is lost."""
        self._once.append(message)
        self._filled.set()

    def acknowledged(self, ack: Ack) -> Report | None:
        """Release what `ack` answers and return it; None if it was released before."""
        key = (ack.transfer, ack.attempt, ack.kind)
        self._unsent.pop(key, None)
        held = self._held.pop(key, None)
        return held if isinstance(held, Report) else None

    def release(self, message: NeedBackend | NeedNames | LedgerChunk) -> None:
        """It was answered, or is no longer needed."""
        self._held.pop(_key(message), None)
        self._unsent.pop(_key(message), None)

    def holds(self, message: Held) -> bool:
        """Whether it, or one like it, is still to be answered."""
        return _key(message) in self._held

    def again(self) -> None:
        """Everything held must be said once more: the socket is new, or an answer may be lost."""
        self._unsent = dict.fromkeys(self._held)
        if self._unsent:
            self._filled.set()

    async def wait(self) -> None:
        """Until there is something to take."""
        await self._filled.wait()

    def take(self) -> list[Message]:
        """What to send now: held messages oldest first, answers, then what only the latest counts
        of."""
        self._filled.clear()
        messages: list[Message] = [self._held[key] for key in self._unsent]
        messages += [*self._once, *self._latest.values(), *self._progress.values()]
        self._unsent.clear()
        self._once.clear()
        self._latest.clear()
        self._progress.clear()
        return messages


def _key(message: Held) -> Key:
    match message:
        case Report(kind=kind):
            return message.transfer, message.attempt, kind
        case LedgerChunk():
            return message.transfer, message.attempt, f"ledger {message.number}"
        case _:
            return message.transfer, message.attempt, type(message).__name__
