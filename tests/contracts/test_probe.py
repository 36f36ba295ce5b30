"""The control plane's own look: an honest ledger passes, and what is not true is found out."""

import asyncio
import base64
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone import probe, recheck, standby
from cloudcopy.adapters.rclone.binary import find
from cloudcopy.adapters.rclone.probe import StoreProbe
from cloudcopy.adapters.rclone.standby import Eyes, Opening
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


# Which mover, and when it is started


@pytest.fixture
def started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[Opening]:
    """What movers were started with, in order."""
    openings: list[Opening] = []
    standby = bench.probe.standby
    real = standby.opened

    def opened(opening: Opening) -> AbstractAsyncContextManager[Eyes]:
        openings.append(opening)
        return real(opening)

    object.__setattr__(standby, "opened", opened)
    return openings


async def test_a_look_that_was_expected_is_done_by_the_mover_that_waits(
    bench: Bench, started: list[Opening]
):
    bench.put("a")
    for attempt in ("one", "other"):
        bench.probe.expect(bench.claim(up=True, attempt=attempt))
    bench.probe.expect(bench.claim(up=True, attempt="one"))
    found = await bench.look([row("a")], up=True, attempt="one")
    assert (found.recheck.files, len(started)) == (1, 2)
    bench.probe.dismiss("other")
    await bench.probe.close()  # would wait for ever for one that is not told to end
    again = await bench.look([row("a")], up=True, attempt="one")
    assert (again.recheck.files, len(started)) == (1, 3)


async def test_a_mover_that_waits_for_other_flags_is_not_used(bench: Bench, started: list[Opening]):
    bench.put("a.txt")
    bench.put("b.tmp")
    bench.probe.expect(bench.claim(up=False, attempt="one"))
    flags = ["--exclude=*.tmp"]
    found = await bench.look([row("a.txt")], up=False, flags=flags, attempt="one")
    assert (found.count, len(started)) == (0, 2)
    await bench.probe.close()


async def test_few_movers_wait_and_not_for_long(
    bench: Bench, started: list[Opening], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(standby, "KEPT_SECONDS", 0.0)
    for number in range(standby.AHEAD + 2):
        bench.probe.expect(bench.claim(up=True, attempt=str(number)))
    gone = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, gone.set)  # after those of the movers
    await gone.wait()
    assert bench.probe.standby.waiting == 0
    await bench.probe.close()
    assert len(started) == standby.AHEAD


@pytest.mark.parametrize("after", [False, True])
async def test_a_mover_that_dies_is_replaced_by_rclone(
    bench: Bench, started: list[Opening], monkeypatch: pytest.MonkeyPatch, after: bool
):
    bench.put("a")
    real = recheck.look_at

    async def dying(call, *rest, **more):
        if len(started) == 1:
            (task,) = [each for each in held if each]
            task.daemon.confined.kill()
            await task.daemon.confined.wait()
        return await real(call, *rest, **more)

    held: list[Eyes] = []
    opened = bench.probe.standby.opened

    @asynccontextmanager
    async def watched(opening: Opening) -> AsyncIterator[Eyes]:
        async with opened(opening) as eyes:
            held.append(eyes)
            if not after and len(held) == 1:
                eyes.daemon.confined.kill()
            yield eyes

    object.__setattr__(bench.probe.standby, "opened", watched)
    if after:
        monkeypatch.setattr(recheck, "look_at", dying)
    found = await bench.look([row("a"), row("b")], up=True)
    assert dict(found.wrong) == {"b": "it is not in the store"}
    assert [each.mover for each in started][1:] == [Mover.RCLONE]


async def test_names_that_only_rclone_writes_are_looked_at_by_rclone(
    bench: Bench, started: list[Opening]
):
    for name in ("a", "tab\tin it", "z"):
        bench.put(name)
    found = await bench.look([row("a"), row("z", b"12")], up=False)
    assert found.count == 2
    assert dict(found.wrong)["z"] == "it has 1 bytes in the store, 2 in the report"
    assert started[-1].mover is Mover.RCLONE


async def test_a_lie_is_found_in_a_directory_of_many_pages(bench: Bench, s3: S3):
    names = [f"{number:05}" for number in range(2_500)]
    with s3.client() as client, ThreadPoolExecutor(16) as pool:

        def put(name: str) -> None:
            client.put_object(Bucket=BUCKET, Key=f"{bench.prefix}/d/{name}", Body=b"x")

        list(pool.map(put, (each for each in names if each not in ("01234", "02499"))))
        put("stray")
    rows = [row(f"d/{name}") for name in names]
    rows[700] = row("d/00700", b"y")
    up = await bench.look(rows, up=True)
    assert dict(up.wrong) == {
        "d/00700": "its content in the store is not what was reported",
        "d/01234": "it is not in the store",
        "d/02499": "it is not in the store",
    }
    assert up.recheck == Recheck(files=2_498, hashed=2_497)
    down = await bench.look(rows, up=False)
    assert dict(down.wrong) == {
        "d/00700": "its content in the store is not what was reported",
        "d/stray": "the report leaves it out",
    }


async def test_the_md5_of_an_object_in_parts_is_looked_at(bench: Bench):
    """rclone keeps it in the metadata, which no listing has."""
    content = os.urandom(5 << 20) + b"x"
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    with bench.s3.client() as client:
        about = {"Bucket": BUCKET, "Key": f"{bench.prefix}/large"}
        told = {"md5chksum": base64.b64encode(digest).decode()}
        upload = client.create_multipart_upload(**about, Metadata=told)["UploadId"]
        parts = []
        for number, part in ((1, content[: 5 << 20]), (2, content[5 << 20 :])):
            sent = client.upload_part(**about, UploadId=upload, PartNumber=number, Body=part)
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        whole = client.complete_multipart_upload(
            **about, UploadId=upload, MultipartUpload={"Parts": parts}
        )
    tags = bench.mover is Mover.OBJECTS  # which rclone does not tell
    few = [row("large", content)]
    for up in (True, False):
        found = await bench.look(few, up=up)
        assert (found.count, found.recheck) == (0, Recheck(files=1, hashed=1))
        lie = await bench.look([replace(few[0], hash="0" * 32)], up=up)
        assert lie.count == 1
        tag = whole["ETag"].strip('"')
        found = await bench.look([replace(few[0], hash=tag)], up=up)
        assert (found.count, found.recheck) == (0, Recheck(files=1, hashed=int(tags)))
        lie = await bench.look([replace(few[0], hash=f"{'0' * 32}-2")], up=up)
        assert lie.count == int(tags)
