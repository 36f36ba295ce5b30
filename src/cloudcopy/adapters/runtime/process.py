"""Instances without containers: a directory, and a supervised group of processes.

What runs in one is confined by Landlock to its own directory and the host's programs, or runs
as the agent's user where the operator allowed that. It ends with the agent, however that ends
(`keeper`), and is started again by the next one.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from cloudcopy.adapters.runtime import files, keeper
from cloudcopy.adapters.runtime.home import Home, State, sweep
from cloudcopy.adapters.runtime.survivors import end_survivors
from cloudcopy.adapters.sandbox import launch
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.question import Command
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.runtime import Spec, Standing

log = structlog.get_logger()

GRACE_SECONDS: Final = 5.0
START_SECONDS: Final = 60.0  # an earlier one may have to end first
NOBODY: Final = (65534, 65534)  # whom root lets run what is in an instance
MARK: Final = "CLOUDCOPY_INSTANCE"  # in the environment of all that runs in one
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STAGED: Final = "instance"
_PROGRAMS: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/etc")
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty", "ptmx")
_SCRIPT: Final = 'cd "$HOME" && exec sh "$1"'


@dataclass
class _Run:
    """A boot that is under way. Without a script there is nothing to keep."""

    boot: int
    process: asyncio.subprocess.Process | None = None
    watching: asyncio.Task[None] | None = None
    ended: int | None = None  # the script's exit code, once it has ended
    stopping: bool = False


@dataclass
class ProcessRuntime:
    """See `ports.runtime.InstanceRuntime`. Used from one event loop, in the main thread: the
    kernel counts the thread that starts a keeper as its parent.

    Attributes:
        directory: Private to the agent; holds one `Home` for each instance.
        confined: Landlock keeps each instance in its own directory.
        owner: Whom the instances belong to and run as; None: whoever the agent is.
        grace_seconds: How long what runs may take to end by itself.
    """

    directory: Path
    now: Clock
    confined: bool
    owner: tuple[int, int] | None = None
    grace_seconds: float = GRACE_SECONDS
    _runs: dict[str, _Run] = field(default_factory=dict, init=False)
    _call: Callable[[str], None] = field(default=lambda name: None, init=False)

    @property
    def name(self) -> str:
        return "process"

    def on_change(self, call: Callable[[str], None]) -> None:
        self._call = call

    async def recover(self) -> None:
        await asyncio.to_thread(end_survivors, self._mark(""))
        await asyncio.to_thread(sweep, self.directory)

    def root(self, name: str) -> Path | None:
        home = self._home(name)
        return home.root if home.there() else None

    async def create(self, spec: Spec) -> None:
        home = self._home(spec.name)
        if not home.there():
            await asyncio.to_thread(home.make, self.owner)
            home.note(self.now(), "created")
        await asyncio.to_thread(home.place, spec.keys)

    async def start(self, spec: Spec) -> None:
        if spec.name in self._runs:
            return
        home = self._home(spec.name)
        await asyncio.to_thread(home.remember, State(boot=spec.boot))
        run = _Run(spec.boot)
        if spec.onstart:
            run.process = await self._keep(spec, home)
            run.watching = asyncio.create_task(self._watch(spec.name, run))
        self._runs[spec.name] = run
        home.note(self.now(), f"boot {spec.boot} started")

    async def stop(self, name: str) -> None:
        run = self._runs.get(name)
        if run is None:
            return
        run.stopping = True
        if run.process is not None and run.watching is not None:
            with contextlib.suppress(ProcessLookupError):
                run.process.terminate()
            await asyncio.shield(run.watching)
        self._runs.pop(name, None)
        self._home(name).note(self.now(), "stopped")

    async def reboot(self, spec: Spec) -> None:
        await self.stop(spec.name)
        await self.start(spec)

    async def destroy(self, name: str) -> None:
        await self.stop(name)
        await asyncio.to_thread(end_survivors, self._mark(name))
        await asyncio.to_thread(self._home(name).remove)

    async def status(self, name: str) -> Standing | None:
        home = self._home(name)
        if not home.there():
            return home.absent()
        state = await asyncio.to_thread(home.state)
        if state.exited is not None:
            return Standing(ActualStatus.EXITED, state.boot, state.exited)
        run = self._runs.get(name)
        if run is None:
            return Standing(ActualStatus.STOPPED, state.boot)
        done = "onstart has finished" if run.ended == 0 else "onstart is running"
        return Standing(ActualStatus.RUNNING, run.boot, done if run.process else "")

    async def logs(self, name: str, *, tail: int, filter: str, daemon: bool) -> str:
        home = self._home(name)
        path = home.notes if daemon else home.log
        return await asyncio.to_thread(home.tail, path, lines=tail, filter=filter)

    async def execute(self, name: str, command: Command) -> str:
        return await asyncio.to_thread(files.carry_out, self._home(name).root, command)

    async def close(self) -> None:
        await asyncio.gather(*(self.stop(name) for name in list(self._runs)))

    def _home(self, name: str) -> Home:
        return Home.of(self.directory, name)

    def _mark(self, name: str) -> str:
        """What the environment of an instance's processes holds; a prefix of it, of all."""
        return f"{MARK}={self.directory}/{name}"

    async def _keep(self, spec: Spec, home: Home) -> asyncio.subprocess.Process:
        """A keeper that has started the script. Raises Unavailable."""
        with ExitStack() as stack:
            text, passed = self._task(spec, home, stack)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                keeper.__file__,
                str(text),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                pass_fds=passed,
                start_new_session=True,
            )
        said = ""
        try:
            async with asyncio.timeout(START_SECONDS):
                said = await _line(process)
        except TimeoutError:
            said = "failed what ran before does not end"
        finally:
            if said != "up":
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
        if said != "up":
            await process.wait()
            raise Unavailable(f"It could not be started: {said.removeprefix('failed ')}.")
        return process

    def _task(self, spec: Spec, home: Home, stack: ExitStack) -> tuple[int, list[int]]:
        """The descriptor of the keeper's task, and all that it must inherit."""
        script = _held(stack, spec.onstart.encode())
        here = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, here)
        place = str(home.root) if self.owner is None else f"{launch.STAGE}/{_STAGED}"
        plan = {
            "keep": [script],
            "user": self.owner,
            "stage": [] if self.owner is None else [(here, _STAGED)],
            "cwd": here if self.owner is None else None,
            "rules": list(_rules(place, self.directory)) if self.confined else None,
            "listening": None,
            "program": "/bin/sh",
            "argv": ["sh", "-c", _SCRIPT, "sh", f"/proc/self/fd/{script}"],
            "env": self._environment(spec, place),
        }
        task = keeper.Task(
            parent=os.getpid(),
            lock=str(home.lock),
            log=str(home.log),
            grace_seconds=self.grace_seconds,
            launch=launch.__file__,
            plan=plan,
        )
        text = _held(stack, json.dumps(task).encode())
        return text, [text, script, here]

    def _environment(self, spec: Spec, place: str) -> dict[str, str]:
        ours = {
            "HOME": place,
            "PATH": _PATH,
            "TMPDIR": place,
            "CONTAINER_ID": str(spec.id),
            "CONTAINER_LABEL": f"C.{spec.id}",
        }
        return {**ours, **spec.env, MARK: self._mark(spec.name).partition("=")[2]}

    async def _watch(self, name: str, run: _Run) -> None:
        """Until its keeper has ended, and with it all that ran."""
        if run.process is None:
            return
        while line := await _line(run.process):
            if line.startswith("ended "):
                run.ended = int(line.removeprefix("ended "))
                if run.ended == 0:
                    self._call(name)
        await run.process.wait()
        if run.stopping:
            return
        # The keeper is gone unasked: the script failed, or somebody killed it.
        home = self._home(name)
        await asyncio.to_thread(end_survivors, self._mark(name))
        why = _why(run.ended)
        home.note(self.now(), f"exited: {why}")
        try:
            await asyncio.to_thread(home.remember, State(boot=run.boot, exited=why))
        except Unavailable as error:
            log.error("an end could not be written down", instance=name, reason=str(error))
        if self._runs.get(name) is run:
            del self._runs[name]
        self._call(name)


def _why(code: int | None) -> str:
    if not code:
        return "its supervisor was killed"
    if code < 0:
        return f"onstart was ended by signal {-code}"
    return f"onstart ended with exit code {code}"


def _rules(place: str, ours: Path) -> Iterator[tuple[str, str]]:
    """Landlock's; what is not there is left out by `launch`. No rule shows the agent's own
    directory: one that lies below a directory of programs takes that away."""
    yield place, "live"
    for path in _PROGRAMS:
        if not ours.resolve().is_relative_to(Path(path).resolve()):
            yield path, "programs"
    yield from ((f"/dev/{name}", "device") for name in _DEVICES)
    yield from ((path, "read") for path in ("/proc", "/sys", "/run/systemd/resolve"))
    yield from (("/dev/shm", "live"), ("/dev/pts", "gpu"))  # noqa: S108 - what frameworks use
    for pattern in ("nvidia*", "dri/*", "kfd"):
        yield from ((str(path), "gpu") for path in sorted(Path("/dev").glob(pattern)))


def _held(stack: ExitStack, content: bytes) -> int:
    """A descriptor of memory that holds `content`. Nothing touches a disk."""
    fd = os.memfd_create("cloudcopy", os.MFD_CLOEXEC)
    stack.callback(os.close, fd)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


async def _line(process: asyncio.subprocess.Process) -> str:
    if process.stdout is None:
        return ""
    return (await process.stdout.readline()).decode(errors="replace").strip()


def usable(*, allow_unconfined: bool) -> bool:
    """Whether instances can run here: confined, or by the operator's word."""
    return launch.landlock_abi() > 0 or allow_unconfined


def apart() -> bool:
    """Whether what runs in an instance gets another user than the agent's."""
    return os.geteuid() == 0


def made(directory: Path, *, now: Clock) -> ProcessRuntime:
    """The runtime for this host and user."""
    return ProcessRuntime(
        directory,
        now,
        confined=launch.landlock_abi() > 0,
        owner=NOBODY if apart() else None,
    )
