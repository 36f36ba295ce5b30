"""The control plane's own look: an honest ledger passes, and what is not true is found out."""

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone import probe, recheck
from cloudcopy.adapters.rclone.binary import find
from cloudcopy.adapters.rclone.probe import StoreProbe
from cloudcopy.adapters.sandbox.choose import choose
from cloudcopy.domain.connection import Backend, backend
from cloudcopy.domain.errors import StoreUnreachable
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.movers import Mover
from cloudcopy.domain.order import Direction
from cloudcopy.domain.paths import RemotePath
from cloudcopy.domain.progress import Recheck
from cloudcopy.ports.engine import Claim, Finding
from demo.seaweed import S3, seaweed

BUCKET = "probe"
COPIED, UNCHANGED = Outcome.COPIED, Outcome.UNCHANGED
LATER = datetime(2100, 1, 1, tzinfo=UTC)  # everything that is in the store came before it
EARLIER = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with seaweed() as store:
        store.create_bucket(BUCKET)
        yield store


def row(path: str, content: bytes = b"x", outcome: Outcome = COPIED, **values) -> FileRow:
    hash = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return FileRow(path, outcome, **{"size": len(content), "hash": hash, **values})


@dataclass
class Bench:
    """A probe, and objects below a prefix of this test's own."""

    probe: StoreProbe
    s3: S3
    mover: Mover
    prefix: str = field(default_factory=lambda: os.urandom(5).hex())

    def put(self, name: str, content: bytes = b"x") -> None:
        with self.s3.client() as client:
            client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{name}", Body=content)

    def claim(self, *, up: bool, below: str = "", flags: Iterable[str] = (), **values) -> Claim:
        place = RemotePath.parse(f"{BUCKET}/{self.prefix}/{below}", field="place")
        claim = Claim(
            backend=backend("s3", self.s3.parameters),
            place=place,
            direction=Direction.TO_CLOUD if up else Direction.TO_INSTANCE,
            flags=Flags.parse(flags),
            since=LATER,
            hash="md5",
        )
        return replace(claim, **values)

    async def look(self, rows: Iterable[FileRow], *, up: bool, **values) -> Finding:
        async def told() -> AsyncIterator[FileRow]:
            for each in sorted(rows, key=lambda row: row.path):
                yield each

        return await self.probe.recheck(self.claim(up=up, **values), told())


@pytest.fixture(params=list(Mover))
async def bench(
    request: pytest.FixtureRequest, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    if request.param is Mover.RCLONE:
        monkeypatch.setattr(probe, "chosen", lambda backend, flags: Mover.RCLONE)
    bwrap = shutil.which("bwrap")
    sandbox = await choose(
        bwrap=Path(bwrap) if bwrap else None, allow_unconfined=False, prefer=None
    )
    found = StoreProbe(sandbox, await find(), tmp_path)
    yield Bench(found, s3, request.param)
    await found.close()


@pytest.fixture(params=["by name", "by directory"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are looked at one by one, many in a listing."""
    if request.param == "by directory":
        monkeypatch.setattr(recheck, "_FEW", 0)


# Uploads


@pytest.mark.usefixtures("both_ways")
async def test_an_honest_upload_is_seen_as_it_was_told(bench: Bench):
    for name in ("a", "d/b", "d/e/c", "someone else's"):
        bench.put(name, name.encode())
    rows = [
        row("a", b"a"),
        row("d/b", b"d/b", UNCHANGED),
        row("d/e/c", b"d/e/c", hash=""),
        row("failed", b"1234", Outcome.FAILED),
        row("link", b"", Outcome.SKIPPED, size=-1),
        row("closed/", b"", Outcome.FAILED, size=-1),  # a directory that it could not list
    ]
    found = await bench.look(rows, up=True)
    assert (found.count, found.wrong) == (0, ())
    assert found.recheck == Recheck(files=3, hashed=2)


@pytest.mark.usefixtures("both_ways")
async def test_an_upload_that_is_not_as_told_is_found_out(bench: Bench):
    for name in ("right", "d/size", "d/hash"):
        bench.put(name, b"123")
    rows = [
        row("right", b"123"),
        row("d/size", b"1234"),
        row("d/hash", b"321"),
        row("d/nowhere"),
        row("e/nowhere", outcome=UNCHANGED),
    ]
    found = await bench.look(rows, up=True)
    assert found.count == 4
    assert dict(found.wrong) == {
        "d/hash": "its content in the store is not what was reported",
        "d/nowhere": "it is not in the store",
        "d/size": "it has 3 bytes in the store, 4 in the report",
        "e/nowhere": "it is not in the store",
    }
    assert found.recheck == Recheck(files=2, hashed=1)


async def test_only_the_first_few_wrong_ones_are_named_and_all_are_counted(bench: Bench):
    found = await bench.look([row(f"{number:05}") for number in range(10_000)], up=True)
    assert found.count == 10_000
    assert [path for path, _ in found.wrong] == [f"{number:05}" for number in range(20)]


async def test_an_upload_of_one_file_is_seen_among_others(bench: Bench):
    bench.put("to/a.bin", b"content")
    found = await bench.look([row("a.bin", b"content")], up=True, below="to")
    assert (found.count, found.recheck) == (0, Recheck(files=1, hashed=1))


async def test_filters_do_not_hide_what_was_uploaded(bench: Bench):
    bench.put("a.tmp")
    found = await bench.look([row("a.tmp")], up=True, flags=["--exclude=*.tmp"])
    assert (found.count, found.recheck.files) == (0, 1)


async def test_odd_names_are_seen_as_they_were_told(bench: Bench):
    names = ["\u00e9", "e\u0301", " a ", "100%25", "q?*[x]", "\U0001f600"]
    for name in names:
        bench.put(name)
    found = await bench.look([row(name) for name in names], up=True)
    assert (found.count, found.recheck.files) == (0, 6)


# Downloads


async def test_an_honest_download_names_everything_the_store_has(bench: Bench):
    for name in ("a", "d/b", "d/failed", "closed/c", "closed/d/e"):
        bench.put(name, name.encode())
    rows = [
        row("a", b"a"),
        row("d/b", b"d/b", UNCHANGED),
        row("d/failed", b"", Outcome.FAILED, size=-1),
        row("closed/", b"", Outcome.FAILED, size=-1),  # a directory that it could not list
    ]
    found = await bench.look(rows, up=False)
    assert (found.count, found.recheck) == (0, Recheck(files=2, hashed=2))


async def test_a_download_that_leaves_files_out_is_found_out(bench: Bench):
    for name in ("a", "b", "d/c", "e"):
        bench.put(name, b"123")
    found = await bench.look([row("a", b"123"), row("b", b"1"), row("e", b"321")], up=False)
    assert dict(found.wrong) == {
        "b": "it has 3 bytes in the store, 1 in the report",
        "d/c": "the report leaves it out",
        "e": "its content in the store is not what was reported",
    }
    assert (found.count, found.recheck) == (3, Recheck(files=2, hashed=1))


async def test_what_came_or_changed_after_the_attempt_began_is_not_held_against_it(bench: Bench):
    bench.put("a", b"changed since")
    bench.put("new")
    found = await bench.look([row("a", b"before")], up=False, since=EARLIER)
    assert (found.count, found.recheck.files) == (0, 0)


async def test_a_host_cannot_be_blamed_for_the_second_it_began_in(bench: Bench):
    bench.put("new")
    with bench.s3.client() as client:
        listed = client.head_object(Bucket=BUCKET, Key=f"{bench.prefix}/new")["LastModified"]
    within = await bench.look([], up=False, since=listed + timedelta(milliseconds=900))
    after = await bench.look([], up=False, since=listed + timedelta(seconds=1))
    assert (within.count, after.count) == (0, 1)


async def test_a_download_is_looked_at_under_its_own_filters(bench: Bench):
    for name in ("a.txt", "b.tmp", "c/large"):
        bench.put(name, name.encode())
    flags = ["--exclude=*.tmp", "--max-size=6B", "--bwlimit=1B"]
    found = await bench.look([row("a.txt", b"a.txt")], up=False, flags=flags)
    assert (found.count, found.recheck.files) == (0, 1)


@pytest.mark.parametrize("values", [{"whole": False}, {"flags": ["--max-age=1d"]}])
async def test_a_download_of_some_files_is_only_about_those(bench: Bench, values: dict):
    for name in ("a", "d/b", "d/c"):
        bench.put(name)
    found = await bench.look([row("a"), row("d/b", b"12")], up=False, **values)
    assert dict(found.wrong) == {"d/b": "it has 1 bytes in the store, 2 in the report"}


async def test_a_download_of_one_object(bench: Bench):
    bench.put("from/a.bin", b"content")
    bench.put("from/b.bin", b"other")
    found = await bench.look([row("a.bin", b"content")], up=False, below="from/a.bin")
    assert (found.count, found.recheck) == (0, Recheck(files=1, hashed=1))
    lie = await bench.look([row("a.bin", b"12")], up=False, below="from/a.bin")
    assert lie.count == 1
    nothing = await bench.look([], up=False, below="from/a.bin")
    assert dict(nothing.wrong) == {"a.bin": "the report leaves it out"}


# Where it cannot look


async def test_an_empty_ledger_of_an_empty_place_is_true(bench: Bench):
    for up in (True, False):
        found = await bench.look([], up=up, below="nothing")
        assert found.count == 0


async def test_a_store_on_the_host_is_not_looked_at(bench: Bench):
    claim_backend = Backend("local", {"path": "/srv/store"})
    found = await bench.look([row("a")], up=True, backend=claim_backend)
    assert found.count == 0
    assert found.recheck == Recheck(why_not="the store lies on the host; only its agent can see it")


@pytest.mark.parametrize("up", [True, False])
async def test_a_store_that_refuses_is_unreachable_and_not_a_lie(bench: Bench, up: bool):
    wrong = backend("s3", {**bench.s3.parameters, "secret_access_key": "not the one"})
    with pytest.raises(StoreUnreachable, match="credentials"):
        await bench.look([row("a")], up=up, backend=wrong)


async def test_a_bucket_that_is_gone_has_nothing_that_was_uploaded(bench: Bench):
    place = RemotePath("no-such-bucket-here/x")
    found = await bench.look([row("a")], up=True, place=place)
    assert dict(found.wrong) == {"a": "it is not in the store"}
