"""The created instances of this machine, made to be as the control plane wants them.

Like copies: what is wanted is said again and again, and compared with what is. Each instance
has one task at most, so that a stop never overtakes the start before it. Nothing is written
down here: after a crash the runtime says how far it had come.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog

from cloudcopy.agent.outbox import Outbox
from cloudcopy.domain.errors import CloudCopyError, Unavailable
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.question import MAX_ANSWER, Command
from cloudcopy.ports.runtime import InstanceRuntime, Spec, Standing
from cloudcopy.wire.agent import DesiredInstances, InstanceAnswer, InstanceNow
from cloudcopy.wire.instances import Asked, WantedInstance

log = structlog.get_logger()

_UP: Final = (ActualStatus.RUNNING, ActualStatus.FROZEN)
REMEMBERED: Final = 256  # answers that may have to be said again


@dataclass(frozen=True)
class Roots(Mapping[str, Path]):
    """The directories that copies may use: those that are announced, and created instances.

    The latter are not listed: they come and go.
    """

    announced: Mapping[str, Path]
    runtime: InstanceRuntime | None

    def __getitem__(self, name: str) -> Path:
        found = self.announced.get(name)
        if found is None and self.runtime is not None:
            found = self.runtime.root(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.announced)

    def __len__(self) -> int:
        return len(self.announced)


@dataclass
class Instances:
    """Used from one event loop.

    Attributes:
        spawn: Runs a coroutine as a task of the agent.
    """

    runtime: InstanceRuntime
    outbox: Outbox
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    _wanted: dict[str, WantedInstance] = field(default_factory=dict, init=False)
    _dirty: set[str] = field(default_factory=set, init=False)
    _at_work: dict[str, asyncio.Task[None]] = field(default_factory=dict, init=False)
    _answers: dict[str, str | None] = field(default_factory=dict, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.runtime.on_change(self._again)

    def hear(self, told: DesiredInstances) -> None:
        """What is wanted, and what is asked. Returns at once."""
        for each in told.instances:
            if not each.name.startswith("~"):
                log.error("instance refused: its name is not one of ours", name=each.name[:80])
                continue
            self._wanted[each.name] = each
            self._again(each.name)
        for question in told.questions:
            self._answer(question)

    def abandon(self) -> None:
        """The agent shuts down; `InstanceRuntime.close` follows."""
        for task in self._tasks:
            task.cancel()

    def _again(self, name: str) -> None:
        """Look at the instance once more, now or after what is being done with it."""
        if name not in self._wanted:
            return
        self._dirty.add(name)
        if name not in self._at_work:
            self._at_work[name] = self._spawn(self._work(name))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, name: str) -> None:
        try:
            while name in self._dirty:
                self._dirty.discard(name)
                await self._settle(self._wanted[name])
        finally:
            del self._at_work[name]

    async def _settle(self, wanted: WantedInstance) -> None:
        try:
            standing = await self._converge(wanted)
        except CloudCopyError as error:  # tried again when it is said again
            log.warning("instance not as wanted", instance=wanted.name, reason=str(error))
            standing = Standing(ActualStatus.LOADING, wanted.boot, str(error))
        except Exception:
            log.exception("unexpected error", instance=wanted.name)
            words = "Something went wrong in the agent; it has been logged there."
            standing = Standing(ActualStatus.LOADING, wanted.boot, words)
        self._tell(wanted, standing)

    async def _converge(self, wanted: WantedInstance) -> Standing | None:
        """Make it so; returns how it is, None when it is gone. Raises Unavailable."""
        runtime, spec = self.runtime, _spec(wanted)
        standing = await runtime.status(wanted.name)
        if wanted.want == "destroyed":
            if standing is not None:
                await runtime.destroy(wanted.name)
            return None
        runs = standing is not None and standing.actual_status in _UP
        if wanted.want == "stopped" and runs:  # before all that what runs there could make fail
            await runtime.stop(wanted.name)
        trouble = await self._made(spec, there=standing is not None)
        if standing is not None and standing.actual_status is ActualStatus.EXITED:
            return _besides(standing, trouble)
        if wanted.want == "running":
            if not runs:
                await runtime.start(spec)
            elif standing is not None and standing.boot != wanted.boot:
                await runtime.reboot(spec)
        return _besides(await runtime.status(wanted.name), trouble)

    async def _made(self, spec: Spec, *, there: bool) -> str:
        """Make it, or give its keys to one that is there; why it did not get them, if so.

        Raises:
            Unavailable: it is not there and cannot be made.
        """
        try:
            await self.runtime.create(spec)
        except Unavailable as error:
            if not there:
                raise
            log.warning("instance without its keys", instance=spec.name, reason=str(error))
            return str(error)
        return ""

    def _tell(self, wanted: WantedInstance, standing: Standing | None) -> None:
        gone = standing is None and wanted.want == "destroyed"
        if gone:
            self._wanted.pop(wanted.name, None)
            self._dirty.discard(wanted.name)
        status = standing.actual_status if standing else ActualStatus.UNKNOWN
        told = InstanceNow(
            name=wanted.name,
            boot=wanted.boot,
            actual_status=status.value,
            text=standing.text if standing else "",
            gone=gone,
        )
        self.outbox.latest(f"instance {wanted.name}", told)

    def _answer(self, question: Asked) -> None:
        """Each question is looked into once; its answer is said as often as it is asked."""
        if question.id not in self._answers:
            self._answers[question.id] = None
            self._spawn(self._look_into(question))
            return
        known = self._answers[question.id]
        if known is not None:
            self._say(question.id, known)

    async def _look_into(self, question: Asked) -> None:
        try:
            answer = await self._outcome(question)
        except CloudCopyError as error:
            answer = f"{error}\n"
        except Exception:
            log.exception("unexpected error", instance=question.name)
            answer = "Something went wrong on the machine; it has been logged there.\n"
        self._answers[question.id] = answer
        while len(self._answers) > REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._say(question.id, answer)

    async def _outcome(self, question: Asked) -> str:
        if self.runtime.root(question.name) is None:
            raise Unavailable("The instance is not on its machine.")
        if question.kind == "execute":
            return await self.runtime.execute(question.name, Command.parse(question.command))
        return await self.runtime.logs(
            question.name,
            tail=question.tail,
            filter=question.filter,
            daemon=question.daemon,
        )

    def _say(self, id: str, answer: str) -> None:
        self.outbox.latest(f"answer {id}", InstanceAnswer(id=id, text=answer[-MAX_ANSWER:]))


def _besides(standing: Standing | None, trouble: str) -> Standing | None:
    """The same, with a word on what did not work."""
    if standing is None or not trouble:
        return standing
    return replace(standing, text=f"{standing.text}; {trouble}" if standing.text else trouble)


def _spec(wanted: WantedInstance) -> Spec:
    return Spec(
        name=wanted.name,
        id=wanted.id,
        boot=wanted.boot,
        image=wanted.image,
        onstart=wanted.onstart,
        args=tuple(wanted.args),
        env=dict(wanted.env),
        disk_gb=wanted.disk_gb,
        keys=tuple(wanted.keys),
    )
