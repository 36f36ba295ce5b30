"""How every engine ends: asked to stop, hanging, cut off, and with surprises on the way."""

import asyncio
import os
import signal
from contextlib import aclosing
from pathlib import Path

import pytest

from cloudcopy.domain.progress import Progress
from cloudcopy.ports.engine import Done, End, Halted, Partial
from tests.contracts.engines import BUCKET, DOWN, UP, Bench, bench, engine, s3

__all__ = ["bench", "engine", "s3"]  # fixtures


async def test_a_stop_halts_an_upload_and_leaves_no_unfinished_upload(bench: Bench):
    bench.write("data/big.bin", os.urandom(16 << 20))
    stop = asyncio.Event()
    events = bench.events(UP, "data", "run", "--bwlimit=4M", stop=stop)
    end = await _stopped_in_the_middle(events, stop)
    assert isinstance(end, Halted), end
    assert not end.result.interrupted
    with bench.s3.client() as client:
        found = client.list_multipart_uploads(Bucket=BUCKET, Prefix=bench.prefix)
    assert not found.get("Uploads")
    assert bench.keys() == set()


async def test_a_stop_kills_an_rclone_that_hangs(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cloudcopy.adapters.rclone.process.GRACE_SECONDS", 1.0)
    bench.write("data/big.bin", os.urandom(16 << 20))
    stop = asyncio.Event()
    last = None
    async for event in bench.events(UP, "data", "run", "--bwlimit=4M", stop=stop):
        last = event
        if isinstance(event, Progress) and event.bytes_copied and not stop.is_set():
            for pid in _rclones(bench.root.parent / "work"):
                os.kill(pid, signal.SIGSTOP)
            stop.set()
    assert isinstance(last, Halted), last
    assert last.result.interrupted


async def test_a_file_that_appears_during_an_upload_is_brought_too(bench: Bench):
    bench.write("data/big.bin", os.urandom(8 << 20))
    last = None
    async for event in bench.events(UP, "data", "run", "--bwlimit=4M"):
        last = event
        if isinstance(event, Progress) and event.bytes_copied:
            bench.write("data/late.txt", "late")
    assert isinstance(last, Done), last
    assert bench.keys() == {"run/big.bin", "run/late.txt"}


async def test_a_rehearsal_makes_no_directory_on_the_instance(bench: Bench):
    bench.write("data/a.txt")
    await bench.copy(UP, "data", "run")
    end = await bench.copy(DOWN, "made/by/dry", "run", "--dry-run")
    assert isinstance(end, Done), end
    assert end.result.copied == 1
    assert not (bench.root / "made").exists()


async def test_a_directory_in_the_place_of_a_file_is_told_in_words(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/b.txt")
    await bench.copy(UP, "data", "run")
    (bench.root / "back/a.txt").mkdir(parents=True)
    bench.write("back/a.txt/inside")
    end = await bench.copy(DOWN, "back", "run")
    assert isinstance(end, Partial), end
    assert "1 of 2 files failed: a directory stands where a file should go" in end.reason
    assert (bench.root / "back/b.txt").exists()


async def test_closing_the_iterator_early_ends_the_process(bench: Bench):
    bench.write("data/big.bin", os.urandom(16 << 20))
    async with aclosing(bench.events(UP, "data", "run", "--bwlimit=4M")) as events:
        async for event in events:
            if isinstance(event, Progress) and event.bytes_copied:
                break
    again = await bench.copy(UP, "data", "run")  # takes the lock: nothing of the first lives
    assert isinstance(again, Done)


def _rclones(work: Path) -> list[int]:
    """The processes that hold a lock below `work`, this one left out."""
    from tests.journeys.stack import holders

    return [pid for pid in holders(work) if pid != os.getpid()]


async def _stopped_in_the_middle(events, stop: asyncio.Event) -> End:
    last: Progress | End | None = None
    async for event in events:
        last = event
        if isinstance(event, Progress) and event.bytes_copied:
            stop.set()
    assert last is not None
    assert not isinstance(last, Progress)
    return last
