"""Instances as processes: what runs, what it may touch, and that it ends."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudcopy.adapters.runtime import keeper
from cloudcopy.adapters.runtime.hardware import hardware, parsed
from cloudcopy.adapters.runtime.home import Home
from cloudcopy.adapters.runtime.process import _rules
from cloudcopy.adapters.runtime.survivors import end_survivors
from cloudcopy.agent.instances import Instances
from cloudcopy.agent.outbox import Outbox
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.offer import Gpu
from cloudcopy.wire.agent import DesiredInstances, InstanceNow
from cloudcopy.wire.instances import WantedInstance
from tests.contracts.runtimes import NAME, Host, process_host, processes, spec
from tests.journeys.stack import eventually

__all__ = ["processes"]

DONE = "finished"


def arguments() -> list[str]:
    """Of every process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found.append((entry / "cmdline").read_text(errors="replace"))
    return found


def holding(directory: Path, text: str) -> list[Path]:
    """The files that hold it."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def marked(text: str) -> list[int]:
    """The processes with `text` in their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if text.encode() in words:
                found.append(int(entry.name))
    return found


def keepers(parent: int) -> list[int]:
    """Those that the process started."""
    return [
        pid
        for pid in marked(keeper.__file__)
        if f"\nPPid:\t{parent}\n" in Path(f"/proc/{pid}/status").read_text()
    ]


def nap() -> str:
    """A number of seconds that no other test sleeps for."""
    return str(100_000 + int.from_bytes(os.urandom(3)))


async def run(host: Host, script: str, **changes) -> str:
    """Its log, once the script has finished."""
    await host.runtime.create(spec())
    await host.runtime.start(spec(script, **changes))
    await host.until(ActualStatus.RUNNING, DONE)
    return await host.runtime.logs(NAME, tail=1000, filter="", daemon=False)


async def test_the_script_runs_at_home_with_its_environment_and_nothing_of_the_agents(
    processes: Host, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OF_THE_AGENT", "x")
    script = 'echo "$GREETING"; cd / && cd && pwd -P > home && cat home; env; echo oops >&2'
    told = (await run(processes, script, env={"GREETING": "hello"})).splitlines()
    assert told[0] == "hello"
    assert "oops" in told
    assert "CONTAINER_ID=101" in told
    assert not any("OF_THE_AGENT" in line for line in told)
    assert ((await processes.root()) / "home").read_text().strip() == told[1]


async def test_neither_script_nor_environment_is_in_an_argument_or_on_disk(
    processes: Host, tmp_path: Path
):
    secret = f"s{nap()}"
    sleeps = nap()
    await run(processes, f"echo {secret} >/dev/null; sleep {sleeps} &", env={"TOKEN": secret})
    eventually(lambda: marked(sleeps), "it runs")
    assert not any(secret in line for line in arguments())
    assert holding(tmp_path, secret) == []


@pytest.mark.parametrize("as_root", [False, True])
async def test_it_writes_its_own_directory_and_sees_nothing_of_the_agents(
    tmp_path: Path, as_root: bool
):
    (tmp_path / "instances").mkdir()
    secret = tmp_path / "machine.key"
    secret.write_text("TOP")
    outside = tmp_path / "outside"
    host = process_host(tmp_path / "instances", as_root=as_root)
    try:
        told = await run(
            host,
            f"echo x > mine; cat mine; cat {secret}; echo x > {outside}; ls {tmp_path};"
            f" cat /proc/{os.getpid()}/environ | head -c 1; kill -9 {os.getpid()}; echo end",
        )
    finally:
        await host.runtime.close()
    assert told.startswith("x\n")
    assert told.endswith("end\n")
    assert "TOP" not in told
    assert "machine.key\n" not in told
    assert not outside.exists()


async def test_a_stop_ends_everything_sessions_of_its_own_included(processes: Host):
    seconds = nap()
    script = f"(setsid sleep {seconds} &); (trap '' TERM; exec sleep {seconds}) & echo on"
    await run(processes, script)
    eventually(lambda: len(marked(seconds)) == 2, "both run")
    await processes.runtime.stop(NAME)
    assert marked(seconds) == []
    assert await processes.standing() == (ActualStatus.STOPPED, 1)


async def test_a_script_that_fails_is_an_end_for_good_and_takes_the_rest_along(processes: Host):
    seconds = nap()
    await processes.runtime.create(spec())
    await processes.runtime.start(spec(f"sleep {seconds} & exit 3"))
    ended = await processes.until(ActualStatus.EXITED)
    assert (ended.boot, ended.text) == (1, "onstart ended with exit code 3")
    assert marked(seconds) == []
    after = processes.again()
    await after.recover()
    assert await after.status(NAME) == ended
    assert "exited" in await after.logs(NAME, tail=10, filter="", daemon=True)


async def test_a_keeper_that_is_killed_is_an_end_and_nothing_survives_it(processes: Host):
    seconds = nap()
    await run(processes, f"(setsid sleep {seconds} &); echo")
    [pid] = keepers(os.getpid())
    os.kill(pid, signal.SIGKILL)
    ended = await processes.until(ActualStatus.EXITED)
    assert ended.text == "its supervisor was killed"
    eventually(lambda: not marked(seconds), "none runs")  # what was killed may not be reaped yet


AGENT = """
import asyncio, sys
from pathlib import Path
from datetime import UTC, datetime
from tests.contracts.runtimes import process_host, spec

async def main():
    host = process_host(Path(sys.argv[1]))
    await host.runtime.create(spec())
    await host.runtime.start(spec(sys.argv[2]))
    print("up", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@contextmanager
def agent(directory: Path, script: str) -> Iterator["subprocess.Popen[bytes]"]:
    """One that runs an instance, in a process of its own; it has died after this."""
    with subprocess.Popen(
        [sys.executable, "-c", AGENT, str(directory), script],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        yield process
        process.kill()


async def test_nothing_outlives_an_agent_that_is_killed(tmp_path: Path):
    seconds = nap()
    with agent(tmp_path, f"(setsid sleep {seconds} &); sleep {seconds}"):
        eventually(lambda: len(marked(seconds)) == 2, "both run")
    eventually(lambda: not marked(seconds), "none runs")


async def test_what_survives_agent_and_keeper_is_ended_at_the_next_start(tmp_path: Path):
    seconds = nap()
    with agent(tmp_path, f"(setsid sleep {seconds} &); sleep {seconds}") as process:
        eventually(lambda: len(marked(seconds)) == 2, "both run")
        os.kill(process.pid, signal.SIGSTOP)
        for pid in keepers(process.pid):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(marked(seconds)) == 2, "both run")
    await process_host(tmp_path).runtime.recover()
    eventually(lambda: not marked(seconds), "none runs")


async def test_the_next_boot_waits_for_the_end_of_the_one_before(tmp_path: Path):
    seconds, next_one = nap(), nap()
    with agent(tmp_path, f"trap '' TERM; sleep {seconds}"):
        eventually(lambda: marked(seconds), "it runs")
    host = process_host(tmp_path)
    try:
        script = f"[ -e /proc/{marked(seconds)[0]} ] && echo both; sleep {next_one} & echo on"
        assert await run(host, script, boot=2) == "on\n"
    finally:
        await host.runtime.close()


async def test_the_log_is_bounded_and_its_end_is_kept(processes: Host):
    told = await run(processes, "seq 1 600000; echo last needle")
    assert told.endswith("600000\nlast needle\n")
    home = (await processes.root()).parent
    size = sum(path.stat().st_size for path in home.glob("log*"))
    assert size <= 2 * (keeper.LOG_BYTES + 64 * 1024)
    found = await processes.runtime.logs(NAME, tail=5, filter="needle", daemon=False)
    assert found == "last needle\n"
    assert (await processes.runtime.logs(NAME, tail=2, filter="", daemon=False)).count("\n") == 2


async def test_a_link_in_the_place_of_the_keys_leads_nowhere(processes: Host, tmp_path: Path):
    aim = tmp_path / "aim"
    aim.mkdir()
    await processes.runtime.create(spec())
    (await processes.root()).joinpath(".ssh").symlink_to(aim)
    with pytest.raises(Unavailable, match="SSH keys cannot be placed"):
        await processes.runtime.create(spec(keys=["k"]))
    assert list(aim.iterdir()) == []


async def test_a_name_that_is_none_of_ours_opens_nothing(processes: Host):
    for name in ("box", "~../x", "~", "~a/b"):
        with pytest.raises(Unavailable):
            processes.runtime.root(name)


def test_the_gpus_are_those_of_nvidia_smi():
    told = "NVIDIA GeForce RTX 4090, 24564, 550.90.07\nNVIDIA A100-SXM4-80GB, 81920, 550.90.07\n"
    assert parsed(told) == (
        (Gpu("RTX 4090", 24564), Gpu("A100-SXM4-80GB", 81920)),
        "550.90.07",
    )
    assert parsed("No devices were found\n") == ((), "")


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("echo 'NVIDIA H100, 81559, 1.2'", 1),
        ("exit 9", 0),
    ],
)
async def test_a_machine_is_counted_with_and_without_gpus(tmp_path: Path, script: str, count: int):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    found = await hardware("process", tmp_path, nvidia_smi=str(program))
    assert len(found.gpus) == count
    assert found.cpu_cores == len(os.sched_getaffinity(0))
    assert found.cpu_ram_mb > 100
    assert found.disk_gb > 0


def test_a_home_that_was_being_removed_is_removed_at_the_next_start(tmp_path: Path):
    home = Home(tmp_path / "x")
    home.make(None)
    home.path.rename(tmp_path / "gone-x")
    asyncio.run(process_host(tmp_path).runtime.recover())
    assert list(tmp_path.iterdir()) == []


def test_ending_survivors_ends_nobody_else():
    assert end_survivors(f"CLOUDCOPY_INSTANCE=/{nap()}/") == 0


def test_a_directory_of_programs_that_holds_the_agents_own_is_not_shown():
    shown = dict(_rules("/home", Path("/opt/cloudcopy/instances")))
    assert shown["/home"] == "live"
    assert "/opt" not in shown
    assert shown["/usr"] == shown["/etc"] == "programs"
    assert "/opt" in dict(_rules("/home", Path("/var/lib/cloudcopy")))


async def test_a_pipe_in_the_place_of_the_keys_holds_up_nothing(
    processes: Host, monkeypatch: pytest.MonkeyPatch
):
    """Also one that is swapped in after it was looked at."""
    await processes.runtime.create(spec(keys=["ssh-ed25519 A"]))
    keys = (await processes.root()) / ".ssh" / "authorized_keys"
    looked = os.stat

    def swapped(path, **how):
        found = looked(path, **how)
        if path == "authorized_keys":
            keys.unlink()
            os.mkfifo(keys)
        return found

    monkeypatch.setattr(os, "stat", swapped)
    keys.unlink()
    os.mkfifo(keys)
    try:
        async with asyncio.timeout(5):
            for key in ("ssh-ed25519 A", "ssh-ed25519 B"):
                await processes.runtime.create(spec(keys=[key]))
                assert keys.read_text() == f"{key}\n"
    finally:
        with contextlib.suppress(OSError):  # lets go of whoever waits for a writer
            os.close(os.open(keys, os.O_WRONLY | os.O_NONBLOCK))


async def test_a_link_in_the_place_of_the_keys_keeps_nobody_from_stopping_it(processes: Host):
    sleeps = nap()
    await run(processes, f"ln -s / .ssh; sleep {sleeps} &")
    eventually(lambda: marked(sleeps), "it runs")
    outbox = Outbox()
    async with asyncio.TaskGroup() as group:
        agent = Instances(processes.runtime, outbox, group.create_task)
        wanted = WantedInstance(name=NAME, id=101, want="stopped", boot=1, keys=["ssh-ed25519 A"])
        agent.hear(DesiredInstances(instances=[wanted]))
    (told,) = outbox.take()
    assert isinstance(told, InstanceNow)
    assert told.actual_status == "stopped"
    assert "symbolic link" in told.text
    assert marked(sleeps) == []
