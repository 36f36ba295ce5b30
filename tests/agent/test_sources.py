"""What a machine shows of its instances to copies elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudcopy.agent.outbox import Outbox
from cloudcopy.agent.sources import Sources
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.paths import InstancePath
from cloudcopy.ports.tunnels import Origin
from cloudcopy.wire.agent import (
    EndSource,
    Message,
    OpenHalf,
    ServeSource,
    SourceRefused,
    SourceServed,
)

ASKED = ServeSource(relay="t_1-1", instance="box", path="data")


def half(secret: str, **changes: str) -> OpenHalf:
    told = {"relay": "t_1-1", "instance": "box", "path": "data"} | changes
    return OpenHalf(secret=secret, **told)


@dataclass
class Hands:
    """Servers and connections that are noted and stay until they are ended.

    Attributes:
        served: Relays whose server runs now; `begun` are all that ever did.
    """

    refusal: str = ""
    begun: list[tuple[str, Path, str]] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    joined: list[tuple[str, Path]] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    crash: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serve(self, relay: str, root: Path, path: InstancePath) -> AsyncIterator[Origin]:
        if self.refusal:
            raise Invalid("src", self.refusal)
        self.begun.append((relay, root, path.value))
        self.served.add(relay)
        self.crash = asyncio.Event()
        try:
            yield Origin("", Path(f"/run/{relay}"), self.crash.wait)
        finally:
            self.served.discard(relay)

    def listen(self, place, token, renew):
        raise AssertionError("a source listens to nobody")

    async def join(self, secret: str, place: Path) -> None:
        self.joined.append((secret, place))
        self.open.add(secret)
        try:
            await asyncio.Event().wait()
        finally:
            self.open.discard(secret)


@dataclass
class Machine:
    sources: Sources
    hands: Hands
    outbox: Outbox
    group: asyncio.TaskGroup

    def hear(self, *messages) -> None:
        for each in messages:
            self.sources.hear(each, self.group.create_task)

    async def said(self) -> Message:
        async with asyncio.timeout(10):
            await self.outbox.wait()
        (message,) = self.outbox.take()
        return message

    async def until(self, look) -> None:
        async with asyncio.timeout(10):
            while not look():  # noqa: ASYNC110 - there is nothing to be told by
                await asyncio.sleep(0)


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    hands, outbox = Hands(), Outbox()
    async with asyncio.TaskGroup() as group:
        sources = Sources(roots={"box": Path("/box")}, origins=hands, tunnels=hands, outbox=outbox)
        yield Machine(sources, hands, outbox, group)
        sources.part()


async def test_what_is_asked_for_twice_is_served_once_and_answered_twice(machine: Machine):
    for _ in range(2):
        machine.hear(ASKED)
        assert await machine.said() == SourceServed(relay="t_1-1", name="")
    assert machine.hands.begun == [("t_1-1", Path("/box"), "data")]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (ServeSource(relay="t_1-1", instance="gone", path="data"), "no longer on its machine"),
        (ServeSource(relay="t_1-1", instance="box", path="../etc"), "climbs with '..'"),
    ],
)
async def test_what_is_not_to_be_shown_is_refused_in_words(
    machine: Machine, asked: ServeSource, words: str
):
    machine.hear(asked)
    told = await machine.said()
    assert isinstance(told, SourceRefused)
    assert words in told.reason
    assert machine.hands.begun == []


async def test_a_server_that_does_not_start_is_tried_again_when_it_is_asked_for(machine: Machine):
    machine.hands.refusal = "data does not exist"
    machine.hear(half("one"))
    assert await machine.said() == SourceRefused(relay="t_1-1", reason="src: data does not exist")
    machine.hands.refusal = ""
    machine.hear(ASKED)
    assert await machine.said() == SourceServed(relay="t_1-1", name="")
    assert machine.hands.joined == []


async def test_connections_are_joined_and_end_with_their_relay_only(machine: Machine):
    machine.hear(half("one"), half("two"), half("else", relay="t_2-1"))
    await machine.until(lambda: len(machine.hands.open) == 3)
    assert ("one", Path("/run/t_1-1")) in machine.hands.joined
    machine.hear(EndSource(relay="t_1-1"), EndSource(relay="t_9-1"))
    await machine.until(lambda: machine.hands.open == {"else"})
    assert machine.hands.served == {"t_2-1"}


async def test_all_ends_when_the_control_plane_is_lost(machine: Machine):
    machine.hear(half("one"), half("else", relay="t_2-1"))
    await machine.until(lambda: len(machine.hands.open) == 2)
    machine.sources.part()
    await machine.until(lambda: not machine.hands.open and not machine.hands.served)


async def test_a_server_that_died_is_started_again_with_the_next_connection(machine: Machine):
    machine.hear(half("one"))
    await machine.until(lambda: machine.hands.open == {"one"})
    machine.hands.crash.set()
    await machine.until(lambda: not machine.hands.open)
    machine.hear(half("two"))
    await machine.until(lambda: machine.hands.open == {"two"})
    assert len(machine.hands.begun) == 2


async def test_an_id_that_could_name_another_directory_is_not_served(machine: Machine):
    machine.hear(ServeSource(relay="../x", instance="box", path=""))
    machine.hear(ASKED)
    assert await machine.said() == SourceServed(relay="t_1-1", name="")
    assert [each[0] for each in machine.hands.begun] == ["t_1-1"]


async def test_no_secret_is_in_a_repr():
    assert "one" not in repr(half("one"))
