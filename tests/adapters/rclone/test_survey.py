"""Plans say what a copy then does; checks say what differs; neither moves anything."""

import os

import pytest

from cloudcopy.adapters.rclone.ledger import Part
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.survey import check, plan
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.merkle import EMPTY
from cloudcopy.domain.order import Direction, Mode
from cloudcopy.domain.progress import Result, Verified
from cloudcopy.ports.engine import Broken, Done, End, Partial
from tests.adapters.rclone.rcd import BEFORE, BUCKET, DOWN, UP, Bench, bench, s3

__all__ = ["bench", "s3"]  # fixtures

NOBODY = 65534
WORK = {"plan": plan, "check": check}


async def survey(work: str, bench: Bench, *flags: str, name: str = "", **order) -> End:
    told: list[tuple[int, int]] = []
    async with bench.rclone(*flags, **order) as (sides, log), bench.spool() as spool:
        end = await WORK[work](sides, spool, log, lambda *each: told.append(each), name=name)
    if not isinstance(end, Broken):
        assert sum(files for files, _ in told) >= end.result.found
        assert [row.path for row in bench.rows()] == sorted(row.path for row in bench.rows())
    return end


def words(bench: Bench) -> dict[str, str]:
    return {row.path: row.outcome.value for row in bench.rows()}


async def result(work: str, bench: Bench, *flags: str, **order) -> Result:
    end = await survey(work, bench, *flags, **order)
    assert isinstance(end, Done), end
    return end.result


async def test_a_plan_lists_every_file_and_what_would_become_of_it(bench: Bench):
    for name in ("same", "a/larger", "touched", "changed"):
        bench.write(name, name)
    await bench.copy()
    bench.write("a/larger", "larger still")
    bench.write("touched", "touched", mtime=BEFORE + 5)
    bench.write("changed", "CHANGED", mtime=BEFORE + 5)
    bench.write("a/new", "12345")
    bench.put("only there")
    (bench.data / "link").symlink_to("same")
    found = await result("plan", bench)
    assert bench.rows() == [
        FileRow(
            "a/larger", Outcome.UPDATE, 12, why="the size differs: 8 bytes there, 12 at the source"
        ),
        FileRow("a/new", Outcome.NEW, 5),
        FileRow("changed", Outcome.UPDATE, 7, why="the content differs"),
        FileRow("link", Outcome.SKIPPED, -1, "symbolic_link", "symbolic link"),
        FileRow("same", Outcome.UNCHANGED, 4),
        FileRow("touched", Outcome.UNCHANGED, 7, why="only the time differs"),
    ]
    assert (found.found, found.bytes_found) == (5, 35)
    assert (found.copied, found.bytes_copied, found.unchanged, found.deleted) == (3, 24, 2, 0)
    assert (found.at_destination, found.skipped) == (5, (("symbolic link", 1),))
    assert found.dry_run
    assert len(found.digests.source) == len(found.digests.destination) == 64


async def let_both_sides_differ(bench: Bench) -> None:
    """Files in every relation to one another: other content, newer, older, larger, one-sided."""
    for name in ("same", "content", "newer here", "older here", "size newer", "size older", "gone"):
        bench.write(name, f"content of {name}")
    await bench.copy()
    bench.write("content", b"CONTENT of content")
    bench.write("newer here", "content of newer here", mtime=BEFORE + 9)
    bench.write("older here", "CONTENT of older here", mtime=BEFORE - 9)
    bench.write("size newer", "larger than it was before", mtime=BEFORE + 9)
    bench.write("size older", "larger than it was before", mtime=BEFORE - 9)
    bench.write("new", "new")
    os.utime(bench.write("recent", "recent"))  # now
    (bench.data / "gone").unlink()
    bench.put("new there")


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--checksum",),
        ("--size-only",),
        ("--ignore-existing",),
        ("--update",),
        ("--update", "--checksum"),
        ("--update", "--size-only"),
        ("--exclude=size*",),
        ("--no-traverse",),
        ("--max-size=20B",),
        ("--max-age=1d",),
        ("--min-age=1d",),
    ],
)
@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_a_copy_does_what_its_plan_says(
    bench: Bench, flags: tuple[str, ...], direction: Direction
):
    await let_both_sides_differ(bench)
    await survey("plan", bench, *flags, direction=direction)
    planned = {row.path for row in bench.rows() if row.outcome in (Outcome.NEW, Outcome.UPDATE)}
    assert await bench.copy(*flags, direction=direction) == planned
    assert planned


@pytest.mark.parametrize("flags", [("--immutable",), ("--immutable", "--size-only")])
async def test_what_a_flag_forbids_to_change_is_kept_and_named(
    bench: Bench, flags: tuple[str, ...]
):
    await let_both_sides_differ(bench)
    await survey("plan", bench, *flags)
    kept = {row.path for row in bench.rows() if row.code == "immutable"}
    assert {row.outcome for row in bench.rows() if row.path in kept} == {Outcome.KEPT}
    async with bench.rclone(*flags) as (sides, log):
        log.begin(Part.COPY)
        with pytest.raises(RcError, match="immutable"):
            await sides.rc.call("sync/copy", srcFs=sides.source, dstFs=sides.target)
        assert {row.path for row in log.take() if row.outcome is Outcome.FAILED} == kept


async def test_a_plan_moves_nothing_and_repeats_itself(bench: Bench):
    bench.write("a", "1")
    bench.put("b")
    first = await result("plan", bench, mode=Mode.MIRROR)
    again = await result("plan", bench, mode=Mode.MIRROR)
    assert first.digests == again.digests
    assert words(bench) == {"a": "new", "b": "delete"}
    bench.write("a", "2", mtime=BEFORE + 1)
    source_changed = await result("plan", bench, mode=Mode.MIRROR)
    assert source_changed.digests.source != first.digests.source
    assert source_changed.digests.destination == first.digests.destination
    bench.put("c")
    there_changed = await result("plan", bench, mode=Mode.MIRROR)
    assert there_changed.digests.destination != first.digests.destination


async def test_times_on_the_store_are_asked_for_only_where_the_sizes_are_equal(bench: Bench):
    for name in ("same", "b/same", "larger", "new"):
        bench.write(name)
    await bench.copy("--exclude=new")
    bench.write("larger", "larger")
    bench.meter.take()
    await result("plan", bench)
    requests = bench.meter.take()
    assert requests["HEAD"] == 2, requests


async def test_a_mirror_deletes_what_only_the_destination_has_and_no_filter_hides(bench: Bench):
    bench.write("a")
    for name in ("extra", "d/extra", "kept.tmp", "a"):
        bench.put(name)
    found = await result("plan", bench, "--exclude=*.tmp", mode=Mode.MIRROR)
    assert words(bench) == {"a": "unchanged", "d/extra": "delete", "extra": "delete"}
    assert (found.deleted, found.at_destination) == (2, 3)
    only = [row for row in bench.rows() if row.outcome is Outcome.DELETE]
    assert [(row.size, row.why) for row in only] == [(1, "only the destination has it")] * 2


@pytest.mark.parametrize("work", ["plan", "check"])
async def test_a_source_that_does_not_exist_is_refused(bench: Bench, work: str):
    bench.write("a")
    end = await survey(work, bench, direction=DOWN, remote="nothing")
    assert isinstance(end, Broken)
    assert "nothing does not exist in the store" in end.reason
    assert [each.code for each in end.result.errors] == ["no_such_source"]


async def test_an_empty_source_is_never_mirrored(bench: Bench):
    bench.put("precious")
    refused = await survey("plan", bench, mode=Mode.MIRROR)
    assert isinstance(refused, Broken)
    assert "would delete everything" in refused.reason
    bench.write("a.tmp")
    filtered = await survey("plan", bench, "--exclude=*.tmp", mode=Mode.MIRROR)
    assert isinstance(filtered, Broken)
    nothing = await result("plan", bench, "--exclude=*.tmp")
    assert (nothing.found, nothing.digests.source) == (0, EMPTY)


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_equal_sides_are_verified_by_hash(bench: Bench, direction: Direction):
    for name in ("a", "d/b", "empty"):
        bench.write(name, "" if name == "empty" else name)
    await bench.copy()
    found = await result("check", bench, "--checksum", direction=direction)
    assert words(bench) == {"a": "same", "d/b": "same", "empty": "same"}
    assert (found.verified, found.hash, found.by_size_only) == (Verified.HASH, "md5", 0)
    assert (found.found, found.unchanged, found.failed, found.bytes_verified) == (3, 3, 0, 4)
    assert bench.rows()[0] == FileRow(
        "a",
        Outcome.SAME,
        1,
        hash="0cc175b9c0f1b6a831c399e269772661",
        verified=Verified.HASH,
    )


async def test_a_check_names_everything_that_differs(bench: Bench):
    for name in ("same", "content", "missing"):
        bench.write(name, name)
    await bench.copy("--exclude=missing")
    bench.write("content", "CONTENT")
    bench.put("extra", b"123")
    end = await survey("check", bench, "--checksum")
    assert isinstance(end, Partial)
    assert end.reason == (
        "3 of 4 files differ: 1 not the same, 1 only at the source, 1 only at the destination"
    )
    rows = {row.path: (row.outcome, row.size, row.why) for row in bench.rows()}
    assert rows == {
        "content": (Outcome.DIFFERS, 7, "the content differs"),
        "extra": (Outcome.EXTRA, 3, ""),
        "missing": (Outcome.MISSING, 7, ""),
        "same": (Outcome.SAME, 4, ""),
    }
    found = end.result
    assert (found.found, found.unchanged, found.failed) == (3, 1, 3)
    groups = {each.code: (each.count, each.samples) for each in found.errors}
    assert groups == {
        "differs": (1, ("content",)),
        "extra": (1, ("extra",)),
        "missing": (1, ("missing",)),
    }
    assert (bench.data / "content").read_text() == "CONTENT"


@pytest.mark.parametrize(
    ("flags", "content", "size", "verified"),
    [
        (("--checksum",), "differs", "differs", Verified.NOTHING),
        (("--size-only",), "same", "differs", Verified.SIZE),
        ((), "differs", "differs", Verified.NOTHING),
        (("--ignore-existing",), "same", "same", Verified.NOTHING),
    ],
)
async def test_the_level_says_what_counts_as_a_difference(
    bench: Bench, flags: tuple[str, ...], content: str, size: str, verified: Verified
):
    bench.write("content", "one")
    bench.write("size", "one")
    await bench.copy()
    bench.write("content", "two", mtime=BEFORE + 1)
    bench.write("size", "three", mtime=BEFORE + 1)
    end = await survey("check", bench, *flags)
    assert words(bench) == {"content": content, "size": size}
    assert end.result.verified is verified


async def test_files_without_a_hash_in_common_are_counted(bench: Bench):
    bench.write("a", "1")
    large = os.urandom(6 << 20)
    bench.write("large", large)
    await bench.copy("--exclude=large")
    with bench.s3.client() as client:  # in parts, as other tools do: the store has no md5 of it
        key = {"Bucket": BUCKET, "Key": f"{bench.prefix}/large"}
        upload = client.create_multipart_upload(**key)["UploadId"]
        parts = []
        for number, part in enumerate((large[: 5 << 20], large[5 << 20 :]), 1):
            done = client.upload_part(**key, UploadId=upload, PartNumber=number, Body=part)
            parts.append({"ETag": done["ETag"], "PartNumber": number})
        client.complete_multipart_upload(**key, UploadId=upload, MultipartUpload={"Parts": parts})
    found = await result("check", bench, "--checksum")
    assert (found.verified, found.hash, found.by_size_only) == (Verified.HASH, "md5", 1)
    assert {row.path: row.verified for row in bench.rows()} == {
        "a": Verified.HASH,
        "large": Verified.SIZE,
    }


async def test_a_file_that_cannot_be_read_is_not_called_equal(bench: Bench):
    bench.write("a", "1")
    bench.write("closed", "2")
    await bench.copy()
    (bench.data / "closed").chmod(0)
    if os.geteuid() == 0:  # root reads everything; rclone becomes the instance's owner
        for path in (bench.data, *bench.data.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    end = await survey("check", bench, "--checksum")
    assert isinstance(end, Partial)
    row = next(each for each in bench.rows() if each.path == "closed")
    assert (row.outcome, row.code) == (Outcome.UNREAD, "permission_denied")
    assert end.reason == "1 of 2 files differ: 1 could not be compared"


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_a_single_file_is_planned_and_checked(bench: Bench, direction: Direction):
    bench.write("d/a.bin", "content")
    place = (
        {"local": "d/a.bin", "remote": "to"}
        if direction is UP
        else {"local": "back", "remote": "d/a.bin", "direction": DOWN}
    )
    if direction is DOWN:
        await bench.copy()
    single = {**place, "name": "a.bin"}
    planned = await result("plan", bench, **single)
    assert words(bench) == {"a.bin": "new"}
    assert (planned.found, planned.copied, planned.bytes_copied) == (1, 1, 7)
    missing = await survey("check", bench, "--checksum", **single)
    assert isinstance(missing, Partial)
    assert words(bench) == {"a.bin": "missing"}
    if direction is UP:
        bench.put("to/a.bin", b"content")
    else:
        bench.write("back/a.bin", "content")
    same = await result("check", bench, "--checksum", **single)
    assert (same.verified, same.unchanged) == (Verified.HASH, 1)
    again = await result("plan", bench, "--checksum", **single)
    assert (again.copied, again.unchanged) == (0, 1)


async def test_a_destination_that_is_not_there_yet_has_no_files(bench: Bench):
    bench.write("a")
    up = await result("plan", bench, remote="not/yet")
    assert (up.copied, up.at_destination) == (1, 0)
