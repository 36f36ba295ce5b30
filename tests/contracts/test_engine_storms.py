"""How every engine stands stores that fail often, or slowly, and disks that are too small."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.progress import Verified
from cloudcopy.ports.engine import Broken, Done, Partial
from tests.contracts.engines import DOWN, ONE, UP, Bench, bench, engine, s3
from tests.faults import connection, faults
from tests.faults.faults import Break, Call, Fault
from tests.faults.proxy import FaultProxy, fault_proxy

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE

SEED = 7
PART = 0.15  # of the requests
IMPATIENT = ("--contimeout=2s", "--timeout=2s")
DISK = 6 << 20


@pytest.fixture
def proxy(bench: Bench) -> Iterator[FaultProxy]:
    with fault_proxy(bench.s3) as proxy:
        yield proxy


def fill(bench: Bench, count: int = 12) -> dict[str, bytes]:
    files = {f"f{number}.bin": os.urandom(5_000 + number) for number in range(count)}
    for name, content in files.items():
        bench.write(f"data/{name}", content)
    return files


def stored(bench: Bench, name: str) -> bytes:
    bucket, _, prefix = bench.place("run").partition("/")
    with bench.s3.client() as client:
        return client.get_object(Bucket=bucket, Key=f"{prefix}/{name}")["Body"].read()


@pytest.mark.parametrize(
    "fault",
    [
        faults.SLOW_DOWN,
        faults.TOO_MANY,
        faults.INTERNAL,
        Break.RESET,
        Break.RESET_IN_REQUEST,
        Break.RESET_IN_ANSWER,
        Break.LOST,
    ],
    ids=str,
)
async def test_a_storm_of_faults_loses_nothing_in_either_direction(
    bench: Bench, proxy: FaultProxy, fault: Fault
):
    files = fill(bench)
    # The names of a run are random, and a share of few requests may be none: one is certain.
    body = Call.GET if fault is Break.RESET_IN_ANSWER else Call.PUT
    proxy.faults = faults.either(faults.first(1, fault, {body}), faults.share(SEED, PART, [fault]))
    reached = {"endpoint": proxy.store.endpoint}
    end = await bench.copy(UP, "data", "run", **reached)
    assert isinstance(end, Done), end
    assert end.result.verified is Verified.HASH
    assert {name: stored(bench, name) for name in files} == files
    end = await bench.copy(DOWN, "back", "run", **reached)
    assert isinstance(end, Done), end
    assert {path.name: path.read_bytes() for path in (bench.root / "back").iterdir()} == files
    assert proxy.seen[fault] > 0, "no fault was injected, so nothing was proven"


@pytest.mark.parametrize("fault", [Break.STALL, Break.LORIS], ids=str)
async def test_a_store_that_hangs_or_drips_is_left_and_asked_again(
    bench: Bench, proxy: FaultProxy, fault: Break, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "DRIPS", 4)
    files = fill(bench, 2)
    bench.engine = replace(bench.engine, patience=IMPATIENT)
    await bench.copy(UP, "data", "run")
    proxy.faults = faults.first(1, fault, {Call.GET})
    end = await bench.copy(DOWN, "back", "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Done), end
    assert {path.name: path.read_bytes() for path in (bench.root / "back").iterdir()} == files
    assert proxy.seen[fault] > 0


@pytest.fixture
def small_disk(bench: Bench) -> Iterator[Path]:
    """A file system of its own, with room for a few MiB, in the instance."""
    place = bench.root / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system takes root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607


async def test_a_full_disk_ends_it_at_once_keeps_what_fits_and_leaves_no_part_of_a_file(
    bench: Bench, small_disk: Path
):
    bench.write("data/a-small.bin", os.urandom(1000))
    bench.write("data/big.bin", os.urandom(DISK + 1))
    await bench.copy(UP, "data", "run")
    end = await bench.copy(DOWN, "small/back", "run", "--transfers=1")
    assert isinstance(end, Partial | Broken), end
    assert "the instance's disk is full. Free some space" in end.reason
    rows = bench.rows()
    assert (rows["big.bin"].outcome, rows["big.bin"].code) == (Outcome.FAILED, "disk_full")
    left = {path.name for path in (small_disk / "back").iterdir()}
    assert left <= {"a-small.bin"}
    assert end.result.retried == 0
