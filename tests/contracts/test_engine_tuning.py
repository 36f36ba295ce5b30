"""How much every engine has in flight by itself, under caps, and on a store that refuses."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudcopy.adapters.experience import FileExperience
from cloudcopy.adapters.machine import LinuxMachine
from cloudcopy.adapters.rclone.tuner import Tuners
from cloudcopy.domain.connection import backend
from cloudcopy.domain.experience import Learnt, place_of
from cloudcopy.domain.progress import Progress, Verified
from cloudcopy.ports.engine import Done
from tests.contracts.engines import DOWN, ONE, UP, Bench, bench, engine, s3
from tests.faults import faults
from tests.faults.connection import Flying
from tests.faults.faults import Call
from tests.faults.proxy import FaultProxy, fault_proxy

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE

FILES = 200
ONCE = ("--contimeout=5s", "--timeout=5s", "--low-level-retries=1")
MIB = 1024**2


@pytest.fixture
def proxy(bench: Bench) -> Iterator[FaultProxy]:
    with fault_proxy(bench.s3) as proxy:
        yield proxy


@pytest.fixture
def experience(bench: Bench, tmp_path: Path) -> FileExperience:
    """What the engine of this test remembers, on this real machine."""
    made = FileExperience(tmp_path / "experience.json")
    bench.engine = replace(bench.engine, tuners=Tuners(experience=made, machine=LinuxMachine()))
    return made


async def learnt(bench: Bench, proxy: FaultProxy, experience: FileExperience) -> Learnt:
    reached = {**bench.s3.parameters, "endpoint": proxy.store.endpoint}
    return await experience.recall(place_of(backend("s3", reached)))


def fill(bench: Bench, count: int = FILES) -> None:
    for number in range(count):
        bench.write(f"data/f{number}.bin", os.urandom(1_000))


def refusals(request: faults.Request) -> faults.Fault | None:
    """Of four files, once each: rclone itself waits twice as long after each."""
    few = tuple(f"/f{number}.bin" for number in range(4))
    sent = request.call is Call.PUT and request.same.split()[1].endswith(few)
    return faults.SLOW_DOWN if sent and request.nth == 1 else None


async def test_small_files_are_many_at_once_and_none_is_asked_for_after_it_was_sent(
    bench: Bench, proxy: FaultProxy
):
    fill(bench)
    reached = {"endpoint": proxy.store.endpoint}
    end = await bench.copy(UP, "data", "run", **reached)
    assert isinstance(end, Done), end
    assert end.result.verified is Verified.HASH
    assert end.result.by_hash == FILES
    assert proxy.flying.most[Call.PUT] > 4
    assert proxy.seen[Call.HEAD] < 5
    end = await bench.copy(DOWN, "back", "run", **reached)
    assert isinstance(end, Done), end
    assert proxy.flying.most[Call.GET] > 4


async def test_a_callers_cap_is_never_exceeded(bench: Bench, proxy: FaultProxy):
    fill(bench, 40)
    reached = {"endpoint": proxy.store.endpoint}
    end = await bench.copy(UP, "data", "run", "--transfers=2", **reached)
    assert isinstance(end, Done), end
    end = await bench.copy(DOWN, "back", "run", "--transfers=2", **reached)
    assert isinstance(end, Done), end
    assert proxy.flying.most[Call.PUT] == 2
    assert proxy.flying.most[Call.GET] == 2


async def test_an_operators_cap_is_never_exceeded(bench: Bench, proxy: FaultProxy):
    bench.engine = replace(bench.engine, tuners=Tuners(cap=3))
    fill(bench, 40)
    end = await bench.copy(UP, "data", "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Done), end
    assert proxy.flying.most[Call.PUT] == 3


async def test_a_large_file_goes_in_the_parts_that_were_chosen(bench: Bench, proxy: FaultProxy):
    # By this clock the store is far away, and everything is worth it.
    bench.engine = replace(bench.engine, monotonic=lambda: time.monotonic() * 100)
    bench.write("data/large.bin", os.urandom(MIB) * 64)
    reached = {"endpoint": proxy.store.endpoint, "upload_cutoff": "10M"}
    end = await bench.copy(UP, "data", "run", **reached)
    assert isinstance(end, Done), end
    assert end.result.verified is Verified.HASH
    assert proxy.seen[Call.PART] == 4  # of 16 MiB; rclone's own would be 13


async def test_a_store_that_refuses_gets_half_and_that_is_remembered(
    bench: Bench, proxy: FaultProxy, experience: FileExperience
):
    bench.engine = replace(bench.engine, patience=ONCE)
    fill(bench)
    proxy.faults = refusals
    end = await bench.copy(UP, "data", "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Done), end
    assert proxy.seen[faults.SLOW_DOWN] > 0
    pacing = (await learnt(bench, proxy, experience)).paces["small up"]
    assert pacing.ceiling is not None
    assert pacing.files <= 32
    proxy.faults, proxy.flying = faults.nothing, Flying()
    end = await bench.copy(UP, "data", "again", endpoint=proxy.store.endpoint)
    assert isinstance(end, Done), end
    assert 4 < proxy.flying.most[Call.PUT] <= pacing.files


async def test_the_way_to_the_store_is_measured_without_a_request_more(
    bench: Bench, proxy: FaultProxy, experience: FileExperience
):
    fill(bench, 1)
    await bench.copy(UP, "data", "run", endpoint=proxy.store.endpoint)
    assert 0 < ((await learnt(bench, proxy, experience)).round_trip or 0) < 5


async def test_what_limits_it_is_told_while_it_runs_and_at_the_end(bench: Bench):
    bench.engine = replace(bench.engine, tuners=Tuners(machine=LinuxMachine()))
    bench.write("data/large.bin", os.urandom(4 * MIB))
    seen = [each async for each in bench.events(UP, "data", "run", "--bwlimit=1M")]
    end = seen[-1]
    assert isinstance(end, Done), end
    assert end.result.limited_by == "your cap (--bwlimit 1M)"
    assert end.result.limited_by in {each.limited_by for each in seen if isinstance(each, Progress)}
