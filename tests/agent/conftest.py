"""An agent without a socket: a real journal, and an engine whose copies end when told to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudcopy.adapters.journal import open_journal
from cloudcopy.agent.attempt import Bench
from cloudcopy.agent.grants import Grants
from cloudcopy.agent.outbox import Outbox
from cloudcopy.agent.worker import Worker
from cloudcopy.domain.progress import Phase, Progress, Result
from cloudcopy.ports.clock import Stop
from cloudcopy.ports.engine import Copy, Done, End, Halted
from cloudcopy.wire.agent import BackendGranted, Desired, Message, NeedBackend, Order, Report

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = Order(
    transfer="t_1",
    attempt=1,
    fence="f1",
    want="run",
    instance="box",
    direction="instance_to_cloud",
    local="data",
    remote="run",
    flags=["--dry-run"],
)


@dataclass
class ByHand:
    """An engine for tests: a copy runs until `finish` says how it ends, or it is stopped."""

    copies: list[Copy] = field(default_factory=list)
    running: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ends: dict[str, asyncio.Future[End]] = field(default_factory=dict)

    async def run(self, copy: Copy, stop: Stop) -> AsyncGenerator[Progress | End, None]:
        self.copies.append(copy)
        self.running += 1
        self.changed.set()
        try:
            yield Progress(phase=Phase.TRANSFERRING, bytes_done=1, bytes_total=2)
            end = self._end(copy.transfer)
            asked = asyncio.ensure_future(stop.wait())
            await asyncio.wait({end, asked}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            yield end.result() if end.done() else Halted(Result())
        finally:
            self.running -= 1
            self.changed.set()

    def finish(self, transfer: str, end: End | None = None) -> None:
        self._end(transfer).set_result(end or Done(Result(listed=1, copied=1)))

    def _end(self, transfer: str) -> asyncio.Future[End]:
        return self._ends.setdefault(transfer, asyncio.get_running_loop().create_future())


class Agent:
    """A worker and what it has said so far."""

    def __init__(self, worker: Worker, engine: ByHand) -> None:
        self.worker, self.engine = worker, engine
        self.said: list[Message] = []

    @property
    def journal(self):
        return self.worker.bench.journal

    @property
    def reports(self) -> list[tuple[str, int, str]]:
        return [
            (each.transfer, each.attempt, each.kind)
            for each in self.said
            if isinstance(each, Report)
        ]

    async def told(self, *orders: Order, full: bool = True) -> None:
        await self.worker.hear(Desired(full=full, orders=list(orders)))

    async def until(self, look) -> None:
        """Collect what is said, granting backends, until `look` is true."""
        async with asyncio.timeout(10):
            while not look():
                await asyncio.sleep(0)
                for message in self.worker.bench.outbox.take():
                    self.said.append(message)
                    if isinstance(message, NeedBackend):
                        await self.worker.hear(
                            BackendGranted(
                                transfer=message.transfer,
                                attempt=message.attempt,
                                backend="s3",
                                options={"secret_access_key": "SECRET"},
                                root="bucket",
                            )
                        )


def want(order: Order = ORDER, **changes) -> Order:
    import msgspec

    return msgspec.structs.replace(order, **changes)


@pytest.fixture
async def group() -> AsyncIterator[asyncio.TaskGroup]:
    async with asyncio.TaskGroup() as group:
        yield group


@pytest.fixture
async def start(tmp_path: Path, group: asyncio.TaskGroup):
    """Starts an agent over the same journal; the one before it has died."""
    agents: list[Agent] = []
    journals = []

    async def start(*, copies: int = 2) -> Agent:
        for agent in agents:
            agent.worker.abandon()
        opened = open_journal(tmp_path / "journal.db")
        journals.append(opened)
        outbox, engine = Outbox(), ByHand()
        bench = Bench(
            roots={"box": tmp_path},
            journal=await opened.__aenter__(),
            engine=engine,
            outbox=outbox,
            grants=Grants(outbox),
            now=lambda: T0,
        )
        worker = Worker(bench, asyncio.Semaphore(copies), group.create_task)
        agent = Agent(worker, engine)
        agents.append(agent)
        await worker.recover()
        return agent

    yield start
    for agent in agents:
        agent.worker.abandon()
    await asyncio.sleep(0)
    for journal in journals:
        await journal.__aexit__(None, None, None)
