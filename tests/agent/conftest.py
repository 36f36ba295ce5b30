"""An agent without a socket: a real journal, and an engine whose copies end when told to."""

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from cloudcopy.adapters.journal import open_journal
from cloudcopy.agent.attempt import Bench
from cloudcopy.agent.outbox import Outbox
from cloudcopy.agent.questions import Questions
from cloudcopy.agent.shipping import Shipping
from cloudcopy.agent.sources import Sources
from cloudcopy.agent.worker import Worker
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.progress import Phase, Progress, Result
from cloudcopy.ports.clock import Stop
from cloudcopy.ports.engine import Copy, Done, End, Halted
from cloudcopy.wire import ledger
from cloudcopy.wire.agent import (
    BackendGranted,
    Desired,
    LedgerAck,
    LedgerChunk,
    Message,
    Names,
    NeedBackend,
    NeedNames,
    Order,
    Report,
)

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


def chunk(*paths: str) -> bytes:
    """A chunk of a ledger, about these files."""
    rows = (FileRow(path, Outcome.COPIED, 1) for path in paths)
    return ledger.pack(ledger.line(row) for row in rows)


LEDGER = (chunk("a", "b"), chunk("c"), chunk("d"))


@dataclass
class ByHand:
    """An engine for tests: a copy runs until `finish` says how it ends, or it is stopped.

    Attributes:
        only: What each copy's list of names held, line by line.
    """

    copies: list[Copy] = field(default_factory=list)
    only: list[list[str]] = field(default_factory=list)
    running: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ends: dict[str, asyncio.Future[End]] = field(default_factory=dict)
    _ledgers: dict[str, Sequence[bytes]] = field(default_factory=dict)

    async def run(self, copy: Copy, stop: Stop) -> AsyncGenerator[Progress | End, None]:
        self.copies.append(copy)
        self.only.append(copy.only.read_text().splitlines() if copy.only else [])
        self.running += 1
        self.changed.set()
        try:
            yield Progress(phase=Phase.TRANSFERRING, bytes_copied=1, bytes_to_copy=2)
            end = self._end(copy.transfer)
            asked = asyncio.ensure_future(stop.wait())
            await asyncio.wait({end, asked}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            chunks = self._ledgers.get(copy.transfer, ())
            if chunks:
                framed = (struct.pack(">I", len(each)) + each for each in chunks)
                copy.ledger.write_bytes(b"".join(framed))
            yield end.result() if end.done() else Halted(Result())
        finally:
            self.running -= 1
            self.changed.set()

    def finish(
        self, transfer: str, end: End | None = None, *, ledger: Sequence[bytes] = ()
    ) -> None:
        self._ledgers[transfer] = ledger
        self._end(transfer).set_result(end or Done(Result(found=1, copied=1)))

    def _end(self, transfer: str) -> asyncio.Future[End]:
        return self._ends.setdefault(transfer, asyncio.get_running_loop().create_future())


class NoRelay:
    """Nothing here goes to another machine but what a test says itself."""

    def serve(self, relay, root, path):
        raise AssertionError("nobody asked for it")

    def listen(self, place, token, renew):
        return token, renew

    async def join(self, secret, place):
        raise AssertionError("nobody asked for it")


@dataclass
class Agent:
    """A worker and what it has said so far, with a control plane that answers its questions.

    Attributes:
        failed: The files that failed in the attempt before, told two at a time.
        silent: Messages of these kinds have no answer.
        instance: How another instance is reached that is granted in the place of a store.
    """

    worker: Worker
    engine: ByHand
    directory: Path
    said: list[Message] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    silent: tuple[type[Message], ...] = ()
    instance: dict[str, str] = field(default_factory=dict)

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

    @property
    def chunks(self) -> list[tuple[int, bytes]]:
        """Of ledgers, in the order they were sent."""
        return [(each.number, each.data) for each in self.said if isinstance(each, LedgerChunk)]

    @property
    def ledgers(self) -> list[str]:
        """The ledgers on disk."""
        return sorted(path.name for path in (self.directory / "ledgers").glob("*"))

    def end(self, kind: str) -> Report | None:
        """The latest report of that kind."""
        found = [each for each in self.said if isinstance(each, Report) and each.kind == kind]
        return found[-1] if found else None

    async def until(self, look: Callable[[], object]) -> None:
        """Collect what is said, and answer it, until `look` is true."""
        async with asyncio.timeout(10):
            while not look():
                await asyncio.sleep(0)
                for message in self.worker.bench.outbox.take():
                    self.said.append(message)
                    if not isinstance(message, self.silent):
                        await self._answer(message)

    async def _answer(self, message: Message) -> None:
        match message:
            case NeedBackend(transfer=transfer, attempt=attempt):
                await self.worker.hear(
                    BackendGranted(
                        transfer=transfer,
                        attempt=attempt,
                        backend="instance" if self.instance else "s3",
                        options=self.instance or {"secret_access_key": "SECRET"},
                        root="" if self.instance else "bucket",
                    )
                )
            case NeedNames(transfer=transfer, attempt=attempt, after=after):
                await self.worker.hear(
                    Names(
                        transfer=transfer,
                        attempt=attempt,
                        after=after,
                        names=self.failed[after : after + 2],
                        more=after + 2 < len(self.failed),
                    )
                )
            case LedgerChunk(transfer=transfer, attempt=attempt, number=number):
                await self.worker.hear(LedgerAck(transfer=transfer, attempt=attempt, number=number))


def want(order: Order = ORDER, **changes) -> Order:
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

    async def start(*, copies: int = 2, now: Callable[[], datetime] = lambda: T0) -> Agent:
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
            questions=Questions(outbox),
            shipping=Shipping(outbox, tmp_path / "ledgers"),
            sources=Sources(
                roots={"box": tmp_path}, origins=NoRelay(), tunnels=NoRelay(), outbox=outbox
            ),
            work_dir=tmp_path / "work",
            now=now,
        )
        worker = Worker(bench, asyncio.Semaphore(copies), group.create_task)
        agent = Agent(worker, engine, tmp_path)
        agents.append(agent)
        await worker.recover()
        return agent

    yield start
    for agent in agents:
        agent.worker.abandon()
    await asyncio.sleep(0)
    for journal in journals:
        await journal.__aexit__(None, None, None)
