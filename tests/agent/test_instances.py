"""The agent's side of created instances: what is wanted, against what is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from cloudcopy.agent.instances import Instances, Roots
from cloudcopy.agent.outbox import Outbox
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.question import Command
from cloudcopy.ports.runtime import Spec, Standing
from cloudcopy.wire.agent import DesiredInstances, InstanceAnswer, InstanceNow
from cloudcopy.wire.instances import Asked, WantedInstance

NAME = "~a"
WANT = WantedInstance(name=NAME, id=101, want="running", boot=1, keys=["k"])


@dataclass
class ByHand:
    """A runtime for tests: remembers what it was asked, and fails where it is told to.

    Attributes:
        gate: What is asked of it waits for this.
    """

    name: str = "process"
    did: list[str] = field(default_factory=list)
    standing: dict[str, Standing] = field(default_factory=dict)
    failing: Mapping[str, str] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    changed: Callable[[str], None] = field(default=lambda name: None)

    def __post_init__(self) -> None:
        self.gate.set()

    def on_change(self, call: Callable[[str], None]) -> None:
        self.changed = call

    async def recover(self) -> None: ...

    def root(self, name: str) -> Path | None:
        return Path("/srv/a") if name in self.standing else None

    async def _do(self, what: str) -> None:
        await self.gate.wait()
        self.did.append(what)
        if what in self.failing:
            raise Unavailable(self.failing[what])

    async def create(self, spec: Spec) -> None:
        if spec.name not in self.standing:
            await self._do("create")
            self.standing[spec.name] = Standing(ActualStatus.STOPPED, 0)
        if "keys" in self.failing:
            raise Unavailable(self.failing["keys"])

    async def start(self, spec: Spec) -> None:
        await self._do("start")
        self.standing[spec.name] = Standing(ActualStatus.RUNNING, spec.boot, "up")

    async def stop(self, name: str) -> None:
        await self._do("stop")
        self.standing[name] = Standing(ActualStatus.STOPPED, self.standing[name].boot)

    async def reboot(self, spec: Spec) -> None:
        await self._do("reboot")
        self.standing[spec.name] = Standing(ActualStatus.RUNNING, spec.boot)

    async def destroy(self, name: str) -> None:
        await self._do("destroy")
        del self.standing[name]

    async def status(self, name: str) -> Standing | None:
        return self.standing.get(name)

    async def logs(self, name: str, *, tail: int, filter: str, daemon: bool) -> str:
        await self._do("logs")
        return f"{tail} {filter} {daemon}"

    async def execute(self, name: str, command: Command) -> str:
        await self._do("execute")
        return f"{command.program} done"

    async def close(self) -> None: ...


@dataclass
class Host:
    runtime: ByHand
    instances: Instances
    outbox: Outbox
    said: list[InstanceNow] = field(default_factory=list)
    answers: list[InstanceAnswer] = field(default_factory=list)

    def told(self, *wanted: WantedInstance, asked: list[Asked] | None = None) -> None:
        self.instances.hear(DesiredInstances(instances=list(wanted), questions=asked or []))

    async def until(self, look: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not look():
                await asyncio.sleep(0)
                for message in self.outbox.take():
                    if isinstance(message, InstanceNow):
                        self.said.append(message)
                    if isinstance(message, InstanceAnswer):
                        self.answers.append(message)

    async def settled(self, *wanted: WantedInstance) -> InstanceNow:
        """What is said after it was told."""
        count = len(self.said)
        self.told(*wanted)
        await self.until(lambda: len(self.said) > count)
        return self.said[-1]


def want(**changes) -> WantedInstance:
    return msgspec.structs.replace(WANT, **changes)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    runtime, outbox = ByHand(), Outbox()
    async with asyncio.TaskGroup() as group:
        made = Host(runtime, Instances(runtime, outbox, group.create_task), outbox)
        yield made
        made.instances.abandon()


async def test_what_is_wanted_is_made_once_and_said_each_time(host: Host):
    for _ in range(3):
        said = await host.settled(WANT)
        assert (said.name, said.boot, said.actual_status, said.text) == (NAME, 1, "running", "up")
    assert host.runtime.did == ["create", "start"]


async def test_it_follows_what_is_wanted(host: Host):
    assert (await host.settled(want(want="stopped"))).actual_status == "stopped"
    assert (await host.settled(WANT)).actual_status == "running"
    assert (await host.settled(want(boot=2))).boot == 2
    assert (await host.settled(want(want="stopped", boot=2))).actual_status == "stopped"
    gone = await host.settled(want(want="destroyed", boot=2))
    assert (gone.gone, host.runtime.standing) == (True, {})
    assert host.runtime.did == ["create", "start", "reboot", "stop", "destroy"]
    assert (await host.settled(want(want="destroyed", boot=2))).gone
    assert host.runtime.did.count("destroy") == 1


async def test_what_has_exited_is_not_started_again(host: Host):
    await host.settled(WANT)
    host.runtime.standing[NAME] = Standing(ActualStatus.EXITED, 1, "why")
    for boot in (1, 2):
        said = await host.settled(want(boot=boot))
        assert (said.actual_status, said.boot, said.text) == ("exited", boot, "why")
    assert host.runtime.did == ["create", "start"]


async def test_a_change_of_its_own_is_said_unasked(host: Host):
    await host.settled(WANT)
    host.runtime.standing[NAME] = Standing(ActualStatus.EXITED, 1, "why")
    count = len(host.said)
    host.runtime.changed(NAME)
    host.runtime.changed("~other")
    await host.until(lambda: len(host.said) > count)
    assert host.said[-1].actual_status == "exited"


async def test_only_the_last_of_what_was_wanted_meanwhile_is_done_and_in_order(host: Host):
    host.runtime.gate.clear()
    host.told(WANT)
    await asyncio.sleep(0)
    for wanted in (want(want="stopped"), want(boot=2), want(want="destroyed", boot=2)):
        host.told(wanted)
    host.runtime.gate.set()
    await host.until(lambda: host.said and host.said[-1].gone)
    assert host.runtime.did == ["create", "start", "destroy"]


async def test_what_fails_is_said_in_words_and_tried_again_when_it_is_said_again(host: Host):
    host.runtime.failing = {"start": "no room"}
    said = await host.settled(WANT)
    assert (said.actual_status, said.text) == ("loading", "no room")
    host.runtime.failing = {}
    assert (await host.settled(WANT)).actual_status == "running"


async def test_keys_that_cannot_be_placed_hold_up_nothing_and_are_said(host: Host):
    await host.settled(WANT)
    host.runtime.failing = {"keys": "a link is in the way"}
    for wanted, status, text in (
        (want(boot=2), "running", "a link is in the way"),
        (want(want="stopped", boot=2), "stopped", "a link is in the way"),
        (want(boot=3), "running", "up; a link is in the way"),
    ):
        said = await host.settled(wanted)
        assert (said.actual_status, said.text) == (status, text)
    assert host.runtime.did == ["create", "start", "reboot", "stop", "start"]
    host.runtime.standing[NAME] = Standing(ActualStatus.EXITED, 3, "why")
    said = await host.settled(want(boot=3))
    assert (said.actual_status, said.text) == ("exited", "why; a link is in the way")


async def test_one_that_cannot_be_made_is_not_started(host: Host):
    host.runtime.failing = {"create": "no room"}
    said = await host.settled(WANT)
    assert (said.actual_status, said.text) == ("loading", "no room")
    assert host.runtime.did == ["create"]


async def test_one_that_is_not_named_is_left_as_it_is(host: Host):
    await host.settled(WANT)
    await host.settled(want(name="~b"))
    assert set(host.runtime.standing) == {NAME, "~b"}


async def test_a_name_that_a_directory_could_have_is_refused(host: Host):
    host.told(want(name="box"), WANT)
    await host.until(lambda: host.said)
    assert set(host.runtime.standing) == {NAME}


async def test_a_question_is_looked_into_once_and_answered_as_often_as_it_is_asked(host: Host):
    await host.settled(WANT)
    logs = Asked(id="q_1", name=NAME, kind="logs", tail=7, filter="x", daemon=True)
    for count in (1, 2):
        host.told(asked=[logs])
        await host.until(lambda: len(host.answers) == count)  # noqa: B023 - awaited in the loop
    assert {each.text for each in host.answers} == {"7 x True"}
    assert host.runtime.did.count("logs") == 1


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("rm -r x", "rm done"),
        ("cat x", "command: must be ls, rm or du, with options and paths\n"),
        ("ls ../..", "command: '../..' climbs with '..'; a copy stays below its root\n"),
    ],
)
async def test_a_command_is_checked_here_again(host: Host, command: str, answer: str):
    await host.settled(WANT)
    host.told(asked=[Asked(id="q_1", name=NAME, kind="execute", command=command)])
    await host.until(lambda: host.answers)
    assert [each.text for each in host.answers] == [answer]


async def test_a_question_about_what_is_not_there_or_that_fails_is_answered_in_words(host: Host):
    host.told(asked=[Asked(id="q_1", name="~x", kind="logs")])
    await host.until(lambda: host.answers)
    assert host.answers[-1].text == "The instance is not on its machine.\n"
    await host.settled(WANT)
    host.runtime.failing = {"logs": "the disk is gone"}
    host.told(asked=[Asked(id="q_2", name=NAME, kind="logs")])
    await host.until(lambda: len(host.answers) == 2)
    assert host.answers[-1].text == "the disk is gone\n"


def test_copies_find_announced_directories_and_created_instances():
    runtime = ByHand(standing={NAME: Standing(ActualStatus.STOPPED, 0)})
    roots = Roots({"box": Path("/srv/box")}, runtime)
    assert (roots.get("box"), roots.get(NAME), roots.get("~b")) == (
        Path("/srv/box"),
        Path("/srv/a"),
        None,
    )
    assert Roots({}, None).get(NAME) is None
    assert (list(roots), len(roots)) == (["box"], 1)
