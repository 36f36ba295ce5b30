"""The bus of a single server process: everything in memory, gone with it."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.progress import Progress
from cloudcopy.domain.transfer import TransferId

MAX_REMEMBERED: Final = 10_000  # running copies whose numbers are kept; the oldest go first


class LocalDoorbell:
    """An event that rings are merged into."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class LocalBus:
    """See `ports.bus.Bus`. Used from one event loop."""

    def __init__(self) -> None:
        self._bells: defaultdict[MachineId, set[LocalDoorbell]] = defaultdict(set)
        self._latest: OrderedDict[TransferId, Progress] = OrderedDict()

    def ring(self, machine: MachineId) -> None:
        for bell in self._bells.get(machine, ()):
            bell.ring()

    @contextmanager
    def listen(self, machine: MachineId) -> Iterator[LocalDoorbell]:
        bell = LocalDoorbell()
        self._bells[machine].add(bell)
        try:
            yield bell
        finally:
            self._bells[machine].discard(bell)
            if not self._bells[machine]:
                del self._bells[machine]

    def publish(self, transfer: TransferId, progress: Progress) -> None:
        self._latest[transfer] = progress
        self._latest.move_to_end(transfer)
        while len(self._latest) > MAX_REMEMBERED:
            self._latest.popitem(last=False)

    def latest(self, transfer: TransferId) -> Progress | None:
        return self._latest.get(transfer)

    def forget(self, transfer: TransferId) -> None:
        self._latest.pop(transfer, None)
