"""What every engine promises, over a real store and in every sandbox of this machine."""

import os

import pytest

from cloudcopy.domain.order import Direction
from cloudcopy.domain.progress import Verified
from cloudcopy.ports.engine import Broken, Done, Partial
from tests.contracts.engines import DOWN, UP, Bench, bench, engine, s3

__all__ = ["bench", "engine", "s3"]  # fixtures


async def test_the_content_of_a_directory_lands_in_the_destination(bench: Bench):
    bench.write("data/a.txt", "one")
    bench.write("data/deep/b.txt", "two")
    end = await bench.copy(UP, "/data/", "run")
    assert isinstance(end, Done), end
    assert bench.keys() == {"run/a.txt", "run/deep/b.txt"}
    assert (end.result.found, end.result.copied, end.result.bytes_copied) == (2, 2, 6)
    assert (end.result.verified, end.result.hash) == (Verified.HASH, "md5")
    back = await bench.copy(DOWN, "back", "run")
    assert isinstance(back, Done), back
    assert (bench.root / "back/deep/b.txt").read_text() == "two"


async def test_a_file_lands_under_its_name_in_both_directions(bench: Bench):
    bench.write("data/a.bin", b"content")
    up = await bench.copy(UP, "/data/a.bin", "run")
    assert isinstance(up, Done), up
    assert (bench.keys(), up.result.verified) == ({"run/a.bin"}, Verified.HASH)
    down = await bench.copy(DOWN, "back", "run/a.bin")
    assert isinstance(down, Done), down
    assert (bench.root / "back/a.bin").read_bytes() == b"content"


async def test_a_second_run_copies_nothing_and_deletes_nothing(bench: Bench):
    bench.write("data/a.txt")
    await bench.copy(UP, "data", "run")
    (bench.root / "data/a.txt").rename(bench.root / "data/b.txt")
    again = await bench.copy(UP, "data", "run")
    assert isinstance(again, Done)
    assert bench.keys() == {"run/a.txt", "run/b.txt"}
    third = await bench.copy(UP, "data", "run")
    assert (third.result.copied, third.result.unchanged) == (0, 1)


@pytest.mark.parametrize(
    ("direction", "local", "remote", "words"),
    [
        (UP, "nothing", "run", "/nothing does not exist on the instance"),
        (DOWN, "back", "nothing", "nothing does not exist in the store"),
        (DOWN, "back", "nothing/file.bin", "does not exist in the store"),
    ],
)
async def test_a_source_that_does_not_exist_is_a_failure(
    bench: Bench, direction: Direction, local: str, remote: str, words: str
):
    end = await bench.copy(direction, local, remote)
    assert isinstance(end, Broken), end
    assert words in end.reason


async def test_filters_do_not_hide_that_a_source_does_not_exist(bench: Bench):
    end = await bench.copy(DOWN, "back", "nothing", "--exclude=*.tmp")
    assert isinstance(end, Broken), end
    bench.write("data/a.txt")
    await bench.copy(UP, "data", "run")
    none = await bench.copy(DOWN, "back", "run", "--include=*.zip")
    assert isinstance(none, Done), none
    assert none.result.found == 0


async def test_a_bucket_is_never_made_out_of_a_typo(bench: Bench):
    bench.write("data/a.txt")
    copy = bench.events(UP, "data", "run", bucket="no-such-bucket")
    end = [each async for each in copy][-1]
    assert isinstance(end, Broken)
    assert "bucket no-such-bucket does not exist" in end.reason
    with bench.s3.client() as client:
        assert "no-such-bucket" not in {each["Name"] for each in client.list_buckets()["Buckets"]}


async def test_a_wrong_key_is_told_in_words_without_the_key(bench: Bench):
    bench.write("data/a.txt")
    end = await bench.copy(UP, "data", "run", secret_access_key="WRONGSECRET")
    assert isinstance(end, Broken)
    assert "does not accept the connection's credentials" in end.reason
    assert "WRONGSECRET" not in repr(end)


async def test_links_and_pipes_are_counted_as_skipped(bench: Bench):
    bench.write("data/a.txt")
    (bench.root / "data/link").symlink_to("/etc/passwd")
    os.mkfifo(bench.root / "data/pipe")
    end = await bench.copy(UP, "data", "run")
    assert dict(end.result.skipped) == {"symbolic link": 1, "not a regular file": 1}
    assert bench.keys() == {"run/a.txt"}


async def test_names_that_differ_only_in_unicode_form_are_two_files(bench: Bench):
    bench.write("data/\u00e9", "composed")
    bench.write("data/e\u0301", "decomposed")
    end = await bench.copy(UP, "data", "run")
    assert (end.result.copied, len(bench.keys())) == (2, 2)


async def test_a_dry_run_moves_nothing_and_says_what_it_would(bench: Bench):
    bench.write("data/a.txt", "abc")
    end = await bench.copy(UP, "data", "run", "--dry-run")
    assert isinstance(end, Done)
    assert bench.keys() == set()
    assert (end.result.dry_run, end.result.copied, end.result.bytes_copied) == (True, 1, 3)
    assert end.result.verified is Verified.NOTHING


async def test_ignore_existing_keeps_what_is_there_and_says_so(bench: Bench):
    bench.write("data/a.txt", "old")
    await bench.copy(UP, "data", "run")
    bench.write("data/a.txt", "newer")
    bench.write("data/b.txt", "added")
    end = await bench.copy(UP, "data", "run", "--ignore-existing")
    assert isinstance(end, Done), end
    assert (end.result.copied, end.result.kept) == (1, 1)


async def test_filters_have_rclones_meaning(bench: Bench):
    for name in ("a.txt", "b.tmp", "keep.tmp", "sub/c.tmp"):
        bench.write(f"data/{name}")
    end = await bench.copy(UP, "data", "run", "--filter", "+ keep.tmp", "--filter", "- *.tmp")
    assert isinstance(end, Done), end
    assert bench.keys() == {"run/a.txt", "run/keep.tmp"}


async def test_filters_on_a_single_file_are_refused_in_words(bench: Bench):
    bench.write("data/a.txt")
    end = await bench.copy(UP, "data/a.txt", "run", "--exclude=*.tmp")
    assert isinstance(end, Broken)
    assert "single file" in end.reason


async def test_immutable_refuses_a_changed_file(bench: Bench):
    bench.write("data/a.txt", "old")
    await bench.copy(UP, "data", "run")
    bench.write("data/a.txt", "newer")
    end = await bench.copy(UP, "data", "run", "--immutable")
    assert isinstance(end, Broken)
    assert "--immutable" in end.reason


@pytest.mark.parametrize("link", ["{outside}", "../../outside"])
async def test_a_download_cannot_write_through_a_link_that_leaves(bench: Bench, link: str):
    outside = bench.root.parent / "outside"
    outside.mkdir()
    bench.write("data/link/owned.txt", "x")
    await bench.copy(UP, "data", "run")
    (bench.root / "back").mkdir()
    (bench.root / "back/link").symlink_to(link.format(outside=outside))
    end = await bench.copy(DOWN, "back", "run")
    assert isinstance(end, Broken), end
    assert list(outside.iterdir()) == []
    through = await bench.copy(DOWN, "back/link", "run")
    assert isinstance(through, Broken)
    assert "leaves the instance by a symbolic link" in through.reason


async def test_a_directory_that_cannot_be_read_is_a_failure(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/closed/b.txt")
    (bench.root / "data/closed").chmod(0o000)
    if os.geteuid() == 0:  # a copy is done as the instance's user, whom the mode binds
        for each in (bench.root, bench.root / "data", bench.root / "data/closed"):
            os.chown(each, 4321, 4321)
    end = await bench.copy(UP, "data", "run")
    assert isinstance(end, Partial), end
    assert "1 of 1 files failed: a file or directory of the instance may not be read" in end.reason
    assert bench.rows()["closed/"].code == "permission_denied"
    assert bench.keys() == {"run/a.txt"}
