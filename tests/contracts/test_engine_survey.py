"""What a copy that was done before costs, counted in requests, and what it notices all the same."""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.movers import Mover
from cloudcopy.domain.progress import Verified
from cloudcopy.ports.engine import Broken, Done, End
from tests.contracts.engines import BUCKET, DOWN, ONE, UP, Bench, bench, engine, s3
from tests.faults import faults
from tests.faults.faults import Call, Fault, Request
from tests.faults.proxy import FaultProxy, fault_proxy

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE
FILES = 200


@dataclass
class Counted:
    """Copies through a proxy that counts."""

    bench: Bench
    proxy: FaultProxy

    async def copy(self, *flags: str, direction=UP, local="data") -> tuple[End, Counter[Call]]:
        """The end, and the requests of each kind that it took."""
        seen: Counter[Call] = Counter()

        def count(request: Request) -> Fault | None:
            seen[request.call] += 1
            return None

        self.proxy.faults = count
        endpoint = self.proxy.store.endpoint
        end = await self.bench.copy(direction, local, "run", *flags, endpoint=endpoint)
        return end, seen


@pytest.fixture
def counted(bench: Bench) -> Iterator[Counted]:
    with fault_proxy(bench.s3) as proxy:
        yield Counted(bench, proxy)


@pytest.fixture
async def sent(counted: Counted) -> Counted:
    """Files that were sent, and their requests counted."""
    for number in range(FILES):
        counted.bench.write(f"data/d{number % 3}/f{number:03}", f"content {number:03}")
    end, seen = await counted.copy()
    assert isinstance(end, Done), end
    assert end.result.by_hash == FILES
    assert (seen[Call.PUT], seen[Call.HEAD]) == (FILES, 0)
    return counted


def file(bench: Bench, number: int, below: str = "data") -> Path:
    return bench.root / f"{below}/d{number % 3}/f{number:03}"


def indexes(bench: Bench) -> list[Path]:
    return [*(bench.root.parent / "work/index").iterdir()]


def restored(path: Path, content: str) -> None:
    """Other content, and the modification time that it had."""
    before = path.stat()
    path.write_text(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


async def test_what_is_unchanged_costs_nothing_but_listing(sent: Counted):
    end, seen = await sent.copy()
    assert isinstance(end, Done), end
    assert (end.result.copied, end.result.unchanged, end.result.by_hash) == (0, FILES, FILES)
    assert set(seen) == {Call.LIST}
    assert seen[Call.LIST] <= 6  # a bucket's own, and three directories


async def test_what_changed_costs_what_it_is(sent: Counted):
    for number in range(5):
        file(sent.bench, number).write_text(f"longer than it was {number}")
    end, seen = await sent.copy()
    assert isinstance(end, Done), end
    assert (end.result.copied, end.result.unchanged, end.result.by_hash) == (5, FILES - 5, FILES)
    assert (seen[Call.PUT], seen[Call.HEAD]) == (5, 5)
    assert set(seen) == {Call.LIST, Call.PUT, Call.HEAD}
    assert seen[Call.LIST] <= 6


async def test_a_download_that_was_done_before_costs_nothing_but_listing(sent: Counted):
    first, seen = await sent.copy(direction=DOWN, local="back")
    assert isinstance(first, Done), first
    assert (first.result.copied, seen[Call.GET]) == (FILES, FILES)
    again, seen = await sent.copy(direction=DOWN, local="back")
    assert (again.result.copied, again.result.unchanged) == (0, FILES)
    assert seen.total() - seen[Call.LIST] <= 1  # whether the source is a single file
    file(sent.bench, 7, "back").unlink()
    restored(file(sent.bench, 8, "back"), "other x 008")
    third, seen = await sent.copy(direction=DOWN, local="back")
    assert (third.result.copied, seen[Call.GET]) == (2, 2)
    assert file(sent.bench, 8, "back").read_text() == "content 008"


@pytest.mark.parametrize("harm", ["deleted", "corrupted", "truncated", "foreign"])
async def test_an_index_that_is_lost_costs_time_and_nothing_else(sent: Counted, harm: str):
    for path in indexes(sent.bench):
        if harm == "deleted":
            path.unlink()
        elif harm == "foreign":
            path.write_bytes(b"no database at all" * 1000)
        else:
            data = path.read_bytes()
            half = len(data) // 2
            path.write_bytes(data[:half] + (b"\xff" * half if harm == "corrupted" else b""))
    for number in range(3):
        file(sent.bench, number).write_text(f"longer than it was {number}")
    end, _ = await sent.copy()
    assert isinstance(end, Done), end
    assert (end.result.copied, end.result.unchanged) == (3, FILES - 3)
    again, seen = await sent.copy()
    assert (again.result.unchanged, set(seen)) == (FILES, {Call.LIST})


async def test_an_object_that_another_program_replaced_is_noticed(sent: Counted):
    bucket, _, key = sent.bench.place("run/d0/f000").partition("/")
    with sent.bench.s3.client() as client:
        client.put_object(Bucket=bucket, Key=key, Body=b"other x 000")
    end, seen = await sent.copy()
    assert isinstance(end, Done), end
    assert (end.result.copied, seen[Call.PUT]) == (1, 1)
    with sent.bench.s3.client() as client:
        found = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert found == b"content 000"


async def test_other_content_of_the_same_size_and_time_is_noticed(sent: Counted):
    restored(file(sent.bench, 4), "other x 004")
    end, seen = await sent.copy()
    assert isinstance(end, Done), end
    assert (end.result.copied, end.result.unchanged) == (1, FILES - 1)
    assert (seen[Call.PUT], seen[Call.HEAD]) == (1, 1)
    refused = file(sent.bench, 5)
    restored(refused, "other x 005")
    forbidden, seen = await sent.copy("--immutable")
    assert not isinstance(forbidden, Done)
    assert sent.bench.rows()["d2/f005"].code == "immutable"
    assert seen[Call.PUT] == 0


async def test_a_file_that_was_written_just_before_it_was_looked_at_is_read(
    sent: Counted,
):
    """The index has the times of a file that changes again within them."""
    path = file(sent.bench, 6)
    restored(path, "other x 006")
    now = path.stat()
    (index,) = indexes(sent.bench)
    with sqlite3.connect(index) as database:  # as if it had been looked at in that very tick
        changed = database.execute(
            "UPDATE files SET ctime = ?, inode = ?, looked = ? WHERE path = 'd0/f006'",
            (now.st_ctime_ns, now.st_ino, now.st_ctime_ns + 1000),
        ).rowcount
    assert changed == 1
    end, _ = await sent.copy()
    assert (end.result.copied, end.result.unchanged) == (1, FILES - 1)


async def test_a_file_whose_time_alone_changed_is_compared_by_its_content(sent: Counted):
    later = time.time() - 1000
    os.utime(file(sent.bench, 9), (later, later))
    end, seen = await sent.copy()
    assert isinstance(end, Done), end
    assert (end.result.copied, end.result.unchanged) == (0, FILES)
    onto_itself = 1 if sent.bench.engine.mover is Mover.RCLONE else 0  # rclone sets the time
    assert (seen[Call.PUT], seen[Call.GET]) == (onto_itself, 0)
    again, seen = await sent.copy()
    assert (again.result.unchanged, set(seen)) == (FILES, {Call.LIST})


@pytest.mark.parametrize(
    ("flag", "copied"),
    [("--checksum", 1), ("--size-only", 0), ("--ignore-existing", 0), ("--update", 0)],
)
async def test_flags_keep_their_meaning(sent: Counted, flag: str, copied: int):
    path = file(sent.bench, 1)
    path.write_text("other x 001")
    os.utime(path, (1, 1))
    end, seen = await sent.copy(flag)
    assert isinstance(end, Done), end
    assert (end.result.copied, seen[Call.PUT]) == (copied, copied)
    assert end.result.unchanged + end.result.kept == FILES - copied


async def test_a_failure_is_not_remembered_as_proven(counted: Counted):
    bench = counted.bench
    bench.write("data/a.txt", "a")
    bench.write("data/b.txt", "b")
    with fault_proxy(bench.s3) as proxy:
        counted.proxy = proxy
        proxy.faults = faults.always(faults.DENIED, {Call.PUT})
        end = await bench.copy(UP, "data", "run", endpoint=proxy.store.endpoint)
        assert isinstance(end, Broken), end
        mended, seen = await counted.copy()
    assert isinstance(mended, Done), mended
    assert (mended.result.copied, seen[Call.PUT]) == (2, 2)
    assert {row.outcome for row in bench.rows().values()} == {Outcome.COPIED}
    assert {row.verified for row in bench.rows().values()} == {Verified.HASH}
