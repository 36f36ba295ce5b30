"""How a cell ends: asked, killed, or because its agent was."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from cloudcopy.adapters.sandbox.cell import Sandbox, hold
from tests.adapters.sandbox.cells import LONG_SECONDS, Ground, begun, running

REPOSITORY = Path(__file__).parents[3]


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def gone(held: int) -> None:
    """Until the process behind a pidfd has ended."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(held, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), LONG_SECONDS)
    finally:
        asyncio.get_running_loop().remove_reader(held)
        os.close(held)


async def test_sigterm_reaches_rclone_itself(any_sandbox: Sandbox, ground: Ground) -> None:
    ground.give()
    async with running(any_sandbox, ground, ground.source()) as cell:
        assert not ground.lock_is_free(), "rclone holds the lock that we have let go"
        assert command(cell.confined.pid) == "rclone"
        cell.confined.terminate()
        assert await asyncio.wait_for(cell.confined.wait(), LONG_SECONDS) == 128 + signal.SIGTERM
        assert ground.lock_is_free()
        cell.confined.terminate()
        cell.confined.kill()
        assert await cell.confined.wait() == 128 + signal.SIGTERM


async def test_sigterm_before_rclone_listens_for_it_ends_it_too(
    any_sandbox: Sandbox, ground: Ground
) -> None:
    ground.give()
    async with begun(any_sandbox, ground, ground.source()) as cell:
        cell.confined.terminate()
        code = await asyncio.wait_for(cell.confined.wait(), LONG_SECONDS)
    assert code != 0
    assert ground.lock_is_free()


async def test_sigkill_ends_everything_in_the_cell(any_sandbox: Sandbox, ground: Ground) -> None:
    ground.give()
    async with running(any_sandbox, ground, ground.source()) as cell:
        held = os.pidfd_open(cell.confined.pid)
        cell.confined.kill()
        assert await asyncio.wait_for(cell.confined.wait(), LONG_SECONDS) == 128 + signal.SIGKILL
        await gone(held)
    assert ground.lock_is_free()


async def test_rclone_dies_with_an_agent_that_was_killed(
    any_sandbox: Sandbox, ground: Ground
) -> None:
    ground.give()
    agent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.adapters.sandbox.parent",
        *(any_sandbox.name, str(ground.top), str(ground.owner)),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"},
    )
    assert agent.stdout is not None
    pid = int(await asyncio.wait_for(agent.stdout.readline(), LONG_SECONDS))
    held = os.pidfd_open(pid)
    assert not ground.lock_is_free()
    agent.kill()
    await agent.wait()
    await gone(held)
    assert ground.lock_is_free()


async def test_a_pid_that_is_not_our_child_is_never_held() -> None:
    with pytest.raises(ProcessLookupError):
        hold(os.getppid(), os.getpid())


async def test_a_cell_leaves_no_descriptor_behind(any_sandbox: Sandbox, ground: Ground) -> None:
    ground.give()
    async with running(any_sandbox, ground, ground.source()):
        pass
    before = descriptors()
    ground.run.joinpath("rc.sock").unlink(missing_ok=True)
    async with running(any_sandbox, ground, ground.source()):
        pass
    assert descriptors() == before
