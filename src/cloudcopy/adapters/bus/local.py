"""The bus of a single server process: everything in memory, gone with it."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Progress

MAX_REMEMBERED: Final = 10_000  # running copies whose numbers are kept; the oldest go first

Id = TypeVar("Id", MachineId, TransferId)
Bell = TypeVar("Bell", bound="LocalDoorbell")


class LocalDoorbell:
    """A flag that rings are merged into, so that who does not listen costs no memory. One waits
    for it at a time.

    There is one for each agent: an `asyncio.Event` with a timeout would be 2 kB more.
    """

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        self._rung = True
        if self._waiter is not None:
            _wake(self._waiter)

    async def wait(self, seconds: float) -> bool:
        if not self._rung:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            patience = loop.call_later(seconds, _wake, self._waiter)
            try:
                await self._waiter
            finally:
                patience.cancel()
                self._waiter = None
        told, self._rung = self._rung, False
        return told


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class LocalWatch(LocalDoorbell):
    """A doorbell that remembers whether a change of state rang it."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = False

    def move(self) -> None:
        self._moved = True
        self.ring()

    def moved(self) -> bool:
        told, self._moved = self._moved, False
        return told


class _Bells(Generic[Id, Bell]):
    """Who listens to what. Nothing is kept of an id that nobody listens to."""

    def __init__(self) -> None:
        self._at: defaultdict[Id, set[Bell]] = defaultdict(set)

    def of(self, id: Id) -> set[Bell]:
        return self._at.get(id, set())

    def __len__(self) -> int:
        return sum(map(len, self._at.values()))

    @contextmanager
    def hung(self, id: Id, bell: Bell) -> Iterator[Bell]:
        self._at[id].add(bell)
        try:
            yield bell
        finally:
            self._at[id].discard(bell)
            if not self._at[id]:
                del self._at[id]


class LocalBus:
    """See `ports.bus.Bus`. Used from one event loop."""

    def __init__(self) -> None:
        self._machines: _Bells[MachineId, LocalDoorbell] = _Bells()
        self._transfers: _Bells[TransferId, LocalWatch] = _Bells()
        self._latest: OrderedDict[TransferId, Progress] = OrderedDict()

    @property
    def listeners(self) -> int:
        """How many listen or watch now."""
        return len(self._machines) + len(self._transfers)

    def ring(self, machine: MachineId) -> None:
        for bell in self._machines.of(machine):
            bell.ring()

    @contextmanager
    def listen(self, machine: MachineId) -> Iterator[LocalDoorbell]:
        with self._machines.hung(machine, LocalDoorbell()) as bell:
            yield bell

    def moved(self, transfer: TransferId) -> None:
        for watch in self._transfers.of(transfer):
            watch.move()

    @contextmanager
    def watch(self, transfer: TransferId) -> Iterator[LocalWatch]:
        with self._transfers.hung(transfer, LocalWatch()) as watch:
            yield watch

    def publish(self, transfer: TransferId, progress: Progress) -> None:
        self._latest[transfer] = progress
        self._latest.move_to_end(transfer)
        while len(self._latest) > MAX_REMEMBERED:
            self._latest.popitem(last=False)
        for watch in self._transfers.of(transfer):
            watch.ring()

    def latest(self, transfer: TransferId) -> Progress | None:
        return self._latest.get(transfer)

    def forget(self, transfer: TransferId) -> None:
        self._latest.pop(transfer, None)
