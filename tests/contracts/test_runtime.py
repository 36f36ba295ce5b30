"""What every runtime of created instances promises; see `ports.runtime`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.question import Command
from tests.contracts.runtimes import NAME, Host, docker_host, process_host, spec

RUNNING, STOPPED, EXITED = ActualStatus.RUNNING, ActualStatus.STOPPED, ActualStatus.EXITED


@pytest.fixture(params=["process", "docker"])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Host]:
    if request.param == "docker":
        async with docker_host(tmp_path) as (host, _):
            yield host
        return
    host = process_host(tmp_path)
    yield host
    await host.runtime.close()


async def test_what_was_not_created_is_not_there(host: Host):
    assert await host.runtime.status(NAME) is None
    assert host.runtime.root(NAME) is None


async def test_an_instance_is_created_stopped_and_creating_it_again_changes_nothing(host: Host):
    await host.runtime.create(spec())
    ((await host.root()) / "kept").write_text("x")
    await host.runtime.create(spec())
    assert await host.standing() == (STOPPED, 0)
    assert ((await host.root()) / "kept").read_text() == "x"


async def test_it_runs_the_boot_it_was_asked_for_and_stops_with_all_it_holds(host: Host):
    await host.runtime.create(spec())
    await host.runtime.start(spec())
    assert await host.standing() == (RUNNING, 1)
    await host.runtime.start(spec())
    ((await host.root()) / "kept").write_text("x")
    await host.runtime.stop(NAME)
    await host.runtime.stop(NAME)
    assert (await host.standing() or (None,))[0] is STOPPED
    await host.runtime.start(spec(boot=2))
    await host.runtime.reboot(spec(boot=3))
    assert await host.standing() == (RUNNING, 3)
    assert ((await host.root()) / "kept").read_text() == "x"


async def test_destroying_leaves_nothing_and_may_be_repeated(host: Host):
    await host.runtime.create(spec())
    await host.runtime.start(spec())
    await host.runtime.destroy(NAME)
    await host.runtime.destroy(NAME)
    assert await host.runtime.status(NAME) is None
    assert host.runtime.root(NAME) is None


async def test_keys_are_placed_replaced_and_taken_out(host: Host):
    for keys in (["k1", "k2"], ["k2"], []):
        await host.runtime.create(spec(keys=keys))
        placed = (await host.root()) / ".ssh" / "authorized_keys"
        assert placed.read_text().splitlines() == keys
        assert placed.stat().st_mode & 0o777 == 0o600


async def test_files_are_listed_measured_and_removed_while_it_is_stopped(host: Host):
    await host.runtime.create(spec())
    (await host.root()).joinpath("big.bin").write_bytes(b"x" * 5000)
    before = await host.runtime.execute(NAME, Command.parse("ls"))
    assert "big.bin" in before.splitlines()
    assert await host.runtime.execute(NAME, Command.parse("rm big.bin")) == ""
    after = await host.runtime.execute(NAME, Command.parse("ls"))
    assert after == before.replace("big.bin\n", "")
