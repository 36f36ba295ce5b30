"""The listing shows what a copy would move, under the names a copy uses, for few requests."""

import os
import unicodedata
from itertools import chain, pairwise

import pytest

from cloudcopy.adapters.rclone.listing import (
    Listed,
    Unlisted,
    by_arrival,
    in_utc,
    look_at,
    nanoseconds,
    shared_hash,
    side,
    written,
)
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.sides import Sides
from cloudcopy.adapters.rclone.walk import walk
from tests.adapters.rclone.rcd import BUCKET, Bench, bench, s3

__all__ = ["bench", "s3"]  # fixtures

NAMES = (
    "plain.txt",
    "a/deep/er/file",
    "a/ leading and trailing ",
    "100%25.txt",
    "%2e%2e",
    "new\nline",
    unicodedata.normalize("NFC", "é.txt"),
    unicodedata.normalize("NFD", "é.txt"),
    "q?*[x]{y}.txt",
    "..dots",
    "x:y",
    "tab\t",
)


async def names(sides: Sides, fs: str, **options) -> list[str]:
    return sorted(
        [each.path async for batch in walk(sides.rc.call, fs, **options) for each in batch]
    )


async def test_every_name_survives_and_is_the_same_on_both_sides(bench: Bench):
    for name in NAMES:
        bench.write(name, name)
    copied = await bench.copy()
    async with bench.rclone() as (sides, _):
        here, there = await names(sides, sides.data), await names(sides, sides.there)
        assert here == there == sorted(copied)
        assert len(here) == len(NAMES)
        # rclone writes a control character as its picture, in every answer.
        assert set(NAMES) - set(here) == {"new\nline", "tab\t"}
        assert {"new␊line", "tab␉"} < set(here)


@pytest.mark.parametrize(
    "flags",
    [
        ("--exclude=a/**",),
        ("--exclude=/a/",),
        ("--exclude=*.tmp",),
        ("--include=*.txt",),
        ("--include=/a/**",),
        ("--include=/a/b/*.txt",),
        ("--filter=- .hidden/**", "--filter=+ *.txt", "--filter=- *"),
        ("--include={a,c}/**", "--exclude=*.tmp"),
        ("--min-size=3B",),
        ("--max-size=2B",),
        ("--max-age=1d",),
        ("--min-age=1d",),
    ],
)
async def test_filters_choose_what_they_choose_in_a_copy(bench: Bench, flags: tuple[str, ...]):
    for name in ("1.txt", "2.tmp", "a/3.txt", "a/4.tmp", "a/b/5.txt", "c/a/6.txt", ".hidden/7.txt"):
        bench.write(name, "x" * int(name.rpartition("/")[2].strip(".tmpx")))
    os.utime(bench.data / "a/b/5.txt")  # now
    copied = await bench.copy(*flags)
    async with bench.rclone(*flags) as (sides, _):
        assert set(await names(sides, sides.source)) == copied
        assert set(await names(sides, sides.target)) == copied
        assert len(await names(sides, sides.source, everything=True)) == 7
    assert copied
    assert len(copied) < 7


async def test_sizes_and_hashes_cost_one_request_for_each_directory(bench: Bench):
    for name in ("a/1", "a/2", "b/3", "4"):
        bench.write(name, name)
    await bench.copy()
    async with bench.rclone() as (sides, _):
        bench.meter.take()
        found = [
            each
            async for batch in walk(sides.rc.call, sides.there, hashes=["md5"], server_times=True)
            for each in batch
        ]
        assert bench.meter.take() == {"GET": 3}
        one = next(each for each in found if each.path == "a/1")
        assert (one.size, one.hashes) == (3, {"md5": "32a390517fcc6e43df5fc5f2c94699e1"})
        assert nanoseconds(one.time) > nanoseconds("2024-01-01T00:00:00Z")
        # The files' own times are in their metadata: one request for each.
        await names(sides, sides.there, times=True)
        assert bench.meter.take() == {"GET": 3, "HEAD": 4}


async def test_the_times_of_arrival_do_not_get_into_other_listings(bench: Bench):
    bench.write("a")
    await bench.copy()
    async with bench.rclone() as (sides, _):
        call, own = sides.rc.call, "2023-11-14T22:13:20.000000000Z"
        for server_times in (False, True, False):
            walked = walk(call, sides.there, times=True, server_times=server_times)
            times = [each.time async for batch in walked for each in batch]
            assert (times == [own]) is not server_times


async def test_directories_are_entered_only_where_wanted(bench: Bench):
    for name in ("a/1", "a/x/2", "b/3", "b/x/4"):
        bench.write(name)
    await bench.copy()
    async with bench.rclone() as (sides, _):
        bench.meter.take()
        chosen = await names(sides, sides.there, directories=lambda each: each.startswith("b"))
        assert chosen == ["b/3", "b/x/4"]
        assert bench.meter.take() == {"GET": 3}
        assert await names(sides, sides.there, below="a") == ["a/1", "a/x/2"]


async def test_more_directories_than_are_listed_at_once(bench: Bench):
    wanted = sorted(f"{a:02}/{b}/f" for a in range(20) for b in range(3))
    for name in wanted:
        bench.write(name)
    async with bench.rclone() as (sides, _):
        batches = [[each.path for each in batch] async for batch in walk(sides.rc.call, sides.data)]
        assert sorted(chain.from_iterable(batches)) == wanted
        assert all(len(batch) == 1 for batch in batches)


async def test_what_cannot_be_listed_is_named(bench: Bench):
    bench.write("a/1")
    async with bench.rclone() as (sides, _):

        def vanish(directory: str) -> bool:
            (bench.data / "a/1").unlink()
            (bench.data / directory).rmdir()
            return True

        with pytest.raises(Unlisted, match="directory not found") as caught:
            await names(sides, sides.data, directories=vanish)
        assert (caught.value.directory, caught.value.status) == ("a", 404)
        told: list[Unlisted] = []
        assert await names(sides, f"{sides.data}/none", unlisted=told.append) == []
        assert [each.directory for each in told] == [""]
        assert await names(sides, f"{sides.there}none/") == []  # a store has no empty directories


async def test_files_are_looked_at_by_name_whatever_the_filters_say(bench: Bench):
    bench.write("a/new\nline", "content")
    bench.write("b/1")
    await bench.copy()
    async with bench.rclone("--exclude=*") as (sides, _):
        found = await look_at(
            sides.rc.call, sides.there, ["a/new␊line", "b", "none"], hashes=["md5"], times=True
        )
        assert found == {
            "a/new␊line": Listed(
                "a/new␊line",
                7,
                "2023-11-14T22:13:20.000000000Z",
                {"md5": "9a0364b9e99bb480dd25e1f0284c8555"},
            ),
            "b": None,
            "none": None,
        }
        lost = await look_at(sides.rc.call, "R:no-such-bucket-at-all/", ["a"])
        assert lost["a"] is None or isinstance(lost["a"], RcError)


async def test_each_side_says_what_it_knows(bench: Bench):
    async with bench.rclone() as (sides, _):
        disk, store = await side(sides.rc.call, sides.data), await side(sides.rc.call, sides.there)
        assert (disk.precision, disk.slow_hash, disk.slow_time) == (1, True, False)
        assert (store.precision, store.slow_hash, store.slow_time) == (1, False, True)
        assert shared_hash(disk, store) == shared_hash(store, disk) == "md5"
        assert by_arrival(sides.data) == sides.data
    async with bench.rclone("--max-age=1d") as (sides, _):
        assert not (await side(sides.rc.call, sides.there)).slow_time
        assert by_arrival(sides.there).endswith(f":{BUCKET}/{bench.prefix}/")


def test_times_are_read_to_the_nanosecond():
    times = [
        "1969-12-31T23:59:59.999999999Z",
        "1970-01-01T00:00:00Z",
        "2023-11-14T23:13:20.000000001+01:00",
        "2023-11-14T22:13:20.1Z",
    ]
    assert [nanoseconds(each) for each in times] == [
        -1,
        0,
        1_700_000_000_000_000_001,
        1_700_000_000_100_000_000,
    ]
    assert all(one < other for one, other in pairwise(map(nanoseconds, times)))
    assert nanoseconds("") == 0


def test_a_time_is_written_as_rclone_writes_it_in_utc():
    for told in ("2031-05-06T07:08:09.000000000Z", "1960-01-02T01:00:00.250000000Z"):
        assert written(nanoseconds(told)) == told
    assert in_utc("2031-05-06T16:08:09.000000012+09:00") == "2031-05-06T07:08:09.000000012Z"
    assert in_utc("2031-05-06T07:08:09Z") == "2031-05-06T07:08:09Z"
    assert in_utc("") == ""
