"""What the second mover alone does: large files in parts, and leaving much to rclone."""

import asyncio
import os
import signal
from functools import partial
from hashlib import md5 as insecure
from pathlib import Path

import pytest

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.movers import Mover
from cloudcopy.domain.progress import Progress, Verified
from cloudcopy.ports.engine import Broken, Done, End, Halted
from tests.contracts.engines import BUCKET, DOWN, UP, Bench, bench, engine, s3
from tests.faults import faults
from tests.faults.faults import Break, Call, Fault, Request
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.journeys.stack import holders

__all__ = ["bench", "engine", "s3"]  # fixtures

md5 = partial(insecure, usedforsecurity=False)
PART = 16 << 20
SIZE = 2 * PART + 12_345
ONE = pytest.mark.parametrize("engine", [f"any-{Mover.OBJECTS}"], indirect=True)
EVERY = pytest.mark.parametrize(
    "engine", [f"{box}-{Mover.OBJECTS}" for box in ("bubblewrap", "landlock")], indirect=True
)


def mover(end: End) -> str:
    return end.result.log[-1].removeprefix("moved by ")


def unfinished(bench: Bench) -> list[object]:
    with bench.s3.client() as client:
        found = client.list_multipart_uploads(Bucket=BUCKET, Prefix=bench.prefix)
    return found.get("Uploads", [])


def large(bench: Bench, name: str = "data/large.bin") -> bytes:
    content = os.urandom(1 << 20) * 33 + os.urandom(SIZE - (33 << 20) if SIZE > 33 << 20 else 0)
    content = content[:SIZE]
    bench.write(name, content)
    return content


@EVERY
async def test_a_large_file_goes_in_parts_and_is_proven_by_their_hashes(bench: Bench):
    content = large(bench)
    bench.write("data/medium.bin", content[: PART - 5])
    bench.write("data/small.txt", "small")
    bench.write("data/empty", b"")
    up = await bench.copy(UP, "data", "run")
    assert isinstance(up, Done), up
    parts = [md5(content[at : at + PART]).digest() for at in range(0, SIZE, PART)]
    tag = f"{md5(b''.join(parts)).hexdigest()}-3"
    rows = bench.rows()
    assert (rows["large.bin"].hash, rows["large.bin"].verified) == (tag, Verified.HASH)
    assert {each.verified for each in rows.values()} == {Verified.HASH}
    assert (mover(up), up.result.bytes_copied) == (Mover.OBJECTS, SIZE + PART)
    down = await bench.copy(DOWN, "back", "run")
    assert isinstance(down, Done), down
    assert (mover(down), bench.rows()["large.bin"].hash, down.result.by_hash) == ("obstore", tag, 4)
    for path in (bench.root / "data").iterdir():
        other = bench.root / "back" / path.name
        assert other.read_bytes() == path.read_bytes()
        assert other.stat().st_mtime_ns == path.stat().st_mtime_ns
    again = await bench.copy(DOWN, "back", "run")
    assert (again.result.copied, again.result.unchanged) == (0, 4)


@ONE
async def test_what_rclone_sent_in_parts_is_proven_by_the_hash_it_left(bench: Bench):
    content = large(bench)
    await bench.copy(UP, "data", "run", "--max-size=1G", chunk_size="5M", upload_cutoff="10M")
    end = await bench.copy(DOWN, "back", "run")
    assert isinstance(end, Done), end
    row = bench.rows()["large.bin"]
    assert (mover(end), (bench.root / "back/large.bin").read_bytes()) == ("obstore", content)
    assert row.verified in (Verified.HASH, Verified.SIZE)


# What is left to rclone


@ONE
async def test_a_name_that_is_not_the_same_to_both_is_moved_by_rclone(bench: Bench):
    bench.write("data/fine.txt")
    bench.write("data/with\nnewline", "x")
    end = await bench.copy(UP, "data", "run")
    assert isinstance(end, Done), end
    assert mover(end) == Mover.RCLONE
    assert bench.keys() == {"run/fine.txt", "run/with\nnewline"}


@ONE
async def test_a_key_that_is_no_path_is_moved_by_rclone(bench: Bench):
    bench.write("data/a.txt")
    await bench.copy(UP, "data", "run")
    with bench.s3.client() as client:
        client.put_object(Bucket=BUCKET, Key=f"{bench.prefix}/run/tab\there", Body=b"x")
    end = await bench.copy(DOWN, "back", "run")
    assert mover(end) == Mover.RCLONE
    assert (bench.root / "back/a.txt").exists()


# Faults


@pytest.fixture
def proxy(bench: Bench):
    with fault_proxy(bench.s3) as proxy:
        yield proxy


def each(planned: dict[Call, list[Fault]]):
    """Every fault once, in turn, at the next request of its kind."""
    left = {call: list(some) for call, some in planned.items()}

    def plan(request: Request) -> Fault | None:
        some = left.get(request.call)
        return some.pop(0) if some else None

    return plan


@ONE
@pytest.mark.parametrize(
    "planned",
    [
        {
            Call.BEGIN: [faults.INTERNAL],
            Call.PART: [Break.CORRUPT_REQUEST, Break.RESET_IN_REQUEST, faults.SLOW_DOWN],
            Call.COMPLETE: [faults.INTERNAL],
        },
        {Call.COMPLETE: [Break.LOST]},
    ],
    ids=["on-the-way", "lost-end"],
)
async def test_a_large_upload_stands_faults_and_is_whole(
    bench: Bench, proxy: FaultProxy, planned: dict[Call, list[Fault]]
):
    content = large(bench)
    proxy.faults = each(planned)
    end = await bench.copy(UP, "data", "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Done), end
    assert mover(end) == Mover.OBJECTS
    for fault in {fault for some in planned.values() for fault in some}:
        assert proxy.seen[fault] > 0, "no fault was injected, so nothing was proven"
    with bench.s3.client() as client:
        key = f"{bench.prefix}/run/large.bin"
        assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == content
    assert unfinished(bench) == []


@ONE
async def test_a_large_download_stands_faults_and_is_whole(bench: Bench, proxy: FaultProxy):
    content = large(bench)
    await bench.copy(UP, "data", "run")
    wrong = [Break.TRUNCATE, Break.CORRUPT_ANSWER, Break.RESET_IN_ANSWER, faults.TOO_MANY]
    proxy.faults = each({Call.GET: [*wrong]})
    end = await bench.copy(DOWN, "back", "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Done), end
    assert mover(end) == Mover.OBJECTS
    for fault in wrong:
        assert proxy.seen[fault] > 0, "no fault was injected, so nothing was proven"
    assert [path.name for path in (bench.root / "back").iterdir()] == ["large.bin"]
    assert (bench.root / "back/large.bin").read_bytes() == content


@ONE
async def test_an_object_that_is_replaced_while_it_is_fetched_is_no_mixture(
    bench: Bench, proxy: FaultProxy
):
    large(bench)
    await bench.copy(UP, "data", "run")
    other = os.urandom(1 << 20) * 18

    def replace(request: Request) -> Fault | None:
        if request.call is Call.GET and not proxy.seen[Call.PUT]:
            with bench.s3.client() as client:
                key = f"{bench.prefix}/run/large.bin"
                client.put_object(Bucket=BUCKET, Key=key, Body=other)
        return None

    proxy.faults = replace
    end = await bench.copy(DOWN, "back", "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Done), end
    assert (mover(end), end.result.retried) == (Mover.OBJECTS, 1), "nothing was noticed"
    assert (bench.root / "back/large.bin").read_bytes() == other
    row = bench.rows()["large.bin"]
    assert (row.hash, row.verified) == (md5(other).hexdigest(), Verified.HASH)


# Ends


@ONE
async def test_a_stop_in_a_large_upload_leaves_no_parts(bench: Bench):
    large(bench)
    stop = asyncio.Event()
    last: Progress | End | None = None
    async for event in bench.events(UP, "data", "run", "--bwlimit=8M", stop=stop):
        last = event
        if isinstance(event, Progress) and event.bytes_copied:
            stop.set()
    assert isinstance(last, Halted), last
    assert mover(last) == Mover.OBJECTS
    assert (unfinished(bench), bench.keys()) == ([], set())


@ONE
async def test_a_stop_in_a_large_download_leaves_no_part_of_a_file(bench: Bench):
    large(bench)
    await bench.copy(UP, "data", "run")
    stop = asyncio.Event()
    last: Progress | End | None = None
    async for event in bench.events(DOWN, "back", "run", "--bwlimit=8M", stop=stop):
        last = event
        if isinstance(event, Progress) and event.bytes_copied:
            stop.set()
    assert isinstance(last, Halted), last
    assert list((bench.root / "back").rglob("*")) == []


@EVERY
async def test_a_mover_that_is_killed_is_told_and_nothing_is_claimed(bench: Bench):
    large(bench)
    last: Progress | End | None = None
    async for event in bench.events(UP, "data", "run", "--bwlimit=8M"):
        last = event
        if isinstance(event, Progress) and event.bytes_copied:
            for pid in holders(bench.root.parent / "work"):
                os.kill(pid, signal.SIGKILL)
    assert isinstance(last, Broken), last
    assert last.result.interrupted
    assert bench.rows()["large.bin"].outcome is Outcome.FAILED
    assert bench.keys() == set()


@EVERY
async def test_the_mover_has_no_secret_in_its_arguments_and_sees_only_the_copy(bench: Bench):
    bench.write("elsewhere/secret.txt")
    large(bench)
    seen: list[tuple[bytes, bytes, int]] = []
    async for event in bench.events(UP, "data", "run", "--bwlimit=16M"):
        if isinstance(event, Progress) and event.bytes_copied and not seen:
            for pid in holders(bench.root.parent / "work"):
                process = Path(f"/proc/{pid}")
                core = next(
                    line
                    for line in (process / "limits").read_text().splitlines()
                    if line.startswith("Max core")
                )
                seen.append(
                    (
                        (process / "cmdline").read_bytes(),
                        (process / "environ").read_bytes(),
                        int(core.split()[4]),
                    )
                )
    secret = bench.s3.secret_key.encode()
    assert seen
    for arguments, environment, core in seen:
        assert b"objects.child" in arguments
        assert secret not in arguments
        assert secret not in environment
        assert core == 0


@ONE
async def test_a_source_that_changes_while_it_is_sent_is_told(bench: Bench):
    large(bench)
    path = bench.root / "data/large.bin"
    last: Progress | End | None = None
    changed = False
    async for event in bench.events(UP, "data", "run", "--bwlimit=16M"):
        last = event
        if isinstance(event, Progress) and event.bytes_copied and not changed:
            changed = True
            path.write_bytes(b"shorter")
    assert changed
    assert isinstance(last, Done), last
    assert (mover(last), last.result.retried) == (Mover.OBJECTS, 1), "nothing was noticed"
    row = bench.rows()["large.bin"]
    assert (row.size, row.hash) == (7, md5(b"shorter").hexdigest())
    assert (row.verified, "changed during the copy" in row.why) == (Verified.HASH, True)
    with bench.s3.client() as client:
        key = f"{bench.prefix}/run/large.bin"
        assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"shorter"
    assert unfinished(bench) == []
