"""What rclone calls done though it is not: each case has an honest outcome of every engine's."""

import os
import socket

import pytest

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.order import Verify
from cloudcopy.domain.progress import Progress, Verified
from cloudcopy.ports.engine import Broken, Done, Partial
from tests.contracts.engines import BUCKET, DOWN, ONE, UP, Bench, bench, engine, s3

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE


@pytest.fixture(params=["s3", "local"])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """Options of the connection: the real store, or a directory in the place of one."""
    return {"path": "shelf"} if request.param == "local" else {}


async def test_every_file_is_in_the_ledger_with_what_became_of_it(
    bench: Bench, store: dict[str, str]
):
    bench.write("data/same.txt", "same")
    bench.write("data/old.txt", "old")
    await bench.copy(UP, "data", "run", **store)
    bench.forget()
    bench.write("data/old.txt", "newer")
    bench.write("data/deep/new.txt", "new")
    (bench.root / "data/link").symlink_to("/etc/passwd")
    os.mkfifo(bench.root / "data/deep/pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(bench.root / "data/socket"))
    end = await bench.copy(UP, "data", "run", **store)
    assert isinstance(end, Done), end
    rows = bench.rows()
    assert {path: row.outcome for path, row in rows.items()} == {
        "same.txt": Outcome.UNCHANGED,
        "old.txt": Outcome.COPIED,
        "deep/new.txt": Outcome.COPIED,
        "link": Outcome.SKIPPED,
        "deep/pipe": Outcome.SKIPPED,
        "socket": Outcome.SKIPPED,
    }
    assert (rows["link"].code, rows["deep/pipe"].code) == ("symbolic_link", "not_regular")
    assert rows["deep/new.txt"].hash == "22af645d1859cb5ca6da0c484f1f37ea"
    assert rows["deep/new.txt"].verified is Verified.HASH
    assert (rows["same.txt"].size, rows["same.txt"].verified) == (4, Verified.SIZE)
    result = end.result
    assert (result.found, result.bytes_found, result.unchanged) == (3, 12, 1)
    assert dict(result.skipped) == {"symbolic link": 1, "not a regular file": 2}
    assert (result.digests.leaves, result.bytes_verified) == (3, 12)


async def test_a_prefix_that_does_not_exist_is_no_empty_success(bench: Bench):
    end = await bench.copy(DOWN, "back", "nothing")
    assert isinstance(end, Broken)
    assert end.result.errors[0].code == "no_such_source"
    assert not bench.ledger.exists()


async def test_a_directory_in_the_place_of_a_store_that_does_not_exist_is_one_neither(
    bench: Bench,
):
    bench.write("data/a.txt")
    await bench.copy(UP, "data", "run", path="shelf")
    end = await bench.copy(DOWN, "back", "nothing", path="shelf")
    assert isinstance(end, Broken), end
    assert end.result.errors[0].code == "no_such_source"


async def test_an_empty_source_deletes_nothing(bench: Bench, store: dict[str, str]):
    bench.write("data/a.txt")
    await bench.copy(UP, "data", "run", **store)
    (bench.root / "none").mkdir()
    end = await bench.copy(UP, "none", "run", **store)
    assert isinstance(end, Done)
    assert (end.result.found, end.result.copied) == (0, 0)
    assert bench.rows() == {}
    back = await bench.copy(DOWN, "back", "run", **store)
    assert back.result.copied == 1


async def test_twins_in_unicode_form_both_arrive(bench: Bench, store: dict[str, str]):
    bench.write("data/\u00e9", "composed")
    bench.write("data/e\u0301", "decomposed")
    end = await bench.copy(UP, "data", "run", **store)
    assert isinstance(end, Done), end
    assert set(bench.rows()) == {"\u00e9", "e\u0301"}


async def test_other_content_with_the_same_size_and_time_is_called_verified_by_size_only(
    bench: Bench, store: dict[str, str]
):
    path = bench.write("data/a.txt", "one")
    await bench.copy(UP, "data", "run", **store)
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    bench.forget()
    end = await bench.copy(UP, "data", "run", **store)
    assert (end.result.unchanged, end.result.verified) == (1, Verified.SIZE)
    assert bench.rows()["a.txt"].verified is Verified.SIZE
    asked = await bench.copy(UP, "data", "run", "--checksum", **store)
    assert (asked.result.copied, asked.result.verified) == (1, Verified.HASH)


async def test_a_name_that_the_store_changes_is_a_file_that_did_not_arrive(bench: Bench):
    bench.write("data/a\\b", "x")
    bench.write("data/fine.txt", "x")
    end = await bench.copy(UP, "data", "run")
    rows = bench.rows()
    if bench.keys() >= {"run/a/b"}:  # SeaweedFS does
        assert isinstance(end, Partial), end
        assert (rows["a\\b"].outcome, rows["a\\b"].code) == (Outcome.FAILED, "did_not_arrive")
    assert rows["fine.txt"].outcome is Outcome.COPIED


async def test_an_object_of_another_tool_without_a_hash_is_verified_by_size_and_listed_so(
    bench: Bench,
):
    with bench.s3.client() as client:
        key = f"{bench.prefix}/run/parts.bin"
        begun = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        parts = [
            client.upload_part(
                Bucket=BUCKET, Key=key, UploadId=begun, PartNumber=number, Body=b"x" * (5 << 20)
            )["ETag"]
            for number in (1, 2)
        ]
        client.complete_multipart_upload(
            Bucket=BUCKET,
            Key=key,
            UploadId=begun,
            MultipartUpload={
                "Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(parts, 1)]
            },
        )
        client.put_object(Bucket=BUCKET, Key=f"{bench.prefix}/run/one.bin", Body=b"y")
    end = await bench.copy(DOWN, "back", "run")
    assert isinstance(end, Done), end
    assert (end.result.verified, end.result.by_size_only) == (Verified.HASH, 1)
    rows = bench.rows()
    assert (rows["parts.bin"].verified, rows["one.bin"].verified) == (Verified.SIZE, Verified.HASH)
    assert "1 files could only be compared by size" in end.result.notes


@pytest.mark.parametrize("verify", [Verify.NONE, Verify.SIZE])
async def test_less_verification_is_told_as_less(bench: Bench, verify: Verify):
    bench.write("data/a.txt", "x")
    end = await bench.copy(UP, "data", "run", asked={"verify": verify})
    assert isinstance(end, Done)
    told = Verified.NOTHING if verify is Verify.NONE else Verified.SIZE
    assert (end.result.verified, bench.rows()["a.txt"].verified) == (told, told)
    assert end.result.by_size_only == (0 if verify is Verify.NONE else 1)


async def test_a_file_that_changes_during_the_copy_is_told_as_changed(bench: Bench):
    bench.write("data/a.txt", "x")
    bench.write("data/big.bin", os.urandom(8 << 20))
    last, changed = None, False
    async for event in bench.events(UP, "data", "run", "--bwlimit=4M"):
        last = event
        if isinstance(event, Progress) and event.bytes_copied and event.copied and not changed:
            (bench.root / "data/a.txt").write_text("longer")
            changed = True
    assert isinstance(last, Partial), last
    row = bench.rows()["a.txt"]
    assert (row.outcome, row.code) == (Outcome.FAILED, "source_changed")
    assert (last.result.changed, last.result.failed) == (1, 1)
    assert bench.rows()["big.bin"].outcome is Outcome.COPIED


async def test_a_file_that_vanishes_after_it_arrived_counts_as_arrived(bench: Bench):
    bench.write("data/a.txt", "x")
    bench.write("data/big.bin", os.urandom(8 << 20))
    last = None
    async for event in bench.events(UP, "data", "run", "--bwlimit=4M"):
        last = event
        if isinstance(event, Progress) and event.bytes_copied and event.copied:
            (bench.root / "data/a.txt").unlink(missing_ok=True)
    assert isinstance(last, Done), last
    assert bench.rows()["a.txt"].verified is Verified.SIZE


async def test_the_same_copy_has_the_same_digest_in_both_directions(bench: Bench):
    bench.write("data/a.txt", "one")
    bench.write("data/deep/b.txt", "two")
    up = await bench.copy(UP, "data", "run")
    down = await bench.copy(DOWN, "back", "run")
    assert up.result.digests.leaves == 2
    assert up.result.digests == down.result.digests
