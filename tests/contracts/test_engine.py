"""What every engine promises, over a real store and in every sandbox of this machine."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone.binary import find
from cloudcopy.adapters.rclone.engine import RcloneEngine
from cloudcopy.adapters.sandbox.choose import choose
from cloudcopy.domain.connection import backend
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Progress, Verified
from cloudcopy.domain.transfer import Direction
from cloudcopy.ports.engine import Broken, Copy, Done, End, Halted, TransferEngine
from demo.seaweed import S3, seaweed

UP, DOWN = Direction.TO_CLOUD, Direction.TO_INSTANCE
BUCKET = "engine"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with seaweed() as store:
        store.create_bucket(BUCKET)
        yield store


@pytest.fixture(params=["bubblewrap", "landlock"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TransferEngine]:
    bwrap = shutil.which("bwrap")
    try:
        sandbox = await choose(
            bwrap=Path(bwrap) if bwrap else None, allow_unconfined=False, prefer=request.param
        )
    except Unavailable as error:
        pytest.skip(str(error))
    work = tmp_path / "work"
    work.mkdir(mode=0o700)
    yield RcloneEngine(sandbox=sandbox, binary=await find(), work_dir=work)
    assert [*work.glob("run/*"), *work.glob("locks/*")] == [], "a copy leaves nothing behind"


@dataclass
class Bench:
    engine: TransferEngine
    root: Path
    s3: S3
    prefix: str

    async def copy(
        self, direction: Direction, local: str, remote: str, *flags: str, **options: str
    ) -> End:
        """The end of a copy; `remote` is below this test's own prefix."""
        events = [each async for each in self.events(direction, local, remote, *flags, **options)]
        assert isinstance(events[0], Progress)
        assert all(isinstance(each, Progress) for each in events[:-1])
        end = events[-1]
        assert not isinstance(end, Progress)
        return end

    def events(
        self,
        direction: Direction,
        local: str,
        remote: str,
        *flags: str,
        stop: asyncio.Event | None = None,
        bucket: str = BUCKET,
        **options: str,
    ):
        place = RemotePath.parse(f"{bucket}/{self.prefix}/{remote}", field="remote")
        copy = Copy(
            transfer=f"t_{self.prefix}",
            root=self.root,
            direction=direction,
            local=InstancePath.parse(local, field="local"),
            remote=place,
            flags=Flags.parse(flags),
            backend=backend("s3", {**self.s3.parameters, **options}),
        )
        return self.engine.run(copy, stop or asyncio.Event())

    def write(self, name: str, content: bytes | str = b"x") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def keys(self, below: str = "") -> set[str]:
        with self.s3.client() as client:
            found = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.prefix}/{below}")
        return {each["Key"].removeprefix(f"{self.prefix}/") for each in found.get("Contents", [])}


@pytest.fixture
def bench(engine: TransferEngine, tmp_path: Path, s3: S3) -> Bench:
    root = tmp_path / "box"
    root.mkdir()
    return Bench(engine, root, s3, os.urandom(6).hex())


async def test_the_content_of_a_directory_lands_in_the_destination(bench: Bench):
    bench.write("data/a.txt", "one")
    bench.write("data/deep/b.txt", "two")
    end = await bench.copy(UP, "/data/", "run")
    assert isinstance(end, Done), end
    assert bench.keys() == {"run/a.txt", "run/deep/b.txt"}
    assert (end.result.listed, end.result.copied, end.result.bytes_copied) == (2, 2, 6)
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
    assert none.result.listed == 0


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
    assert isinstance(end, Broken), end
    assert "may not be read" in end.reason
    assert bench.keys() == {"run/a.txt"}


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
        if isinstance(event, Progress) and event.bytes_done and not stop.is_set():
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
        if isinstance(event, Progress) and event.bytes_done:
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
    assert isinstance(end, Broken), end
    assert "1 of 2 files failed: a directory stands where a file should go" in end.reason
    assert (bench.root / "back/b.txt").exists()


async def test_closing_the_iterator_early_ends_the_process(bench: Bench):
    bench.write("data/big.bin", os.urandom(16 << 20))
    async with aclosing(bench.events(UP, "data", "run", "--bwlimit=4M")) as events:
        async for event in events:
            if isinstance(event, Progress) and event.bytes_done:
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
        if isinstance(event, Progress) and event.bytes_done:
            stop.set()
    assert last is not None
    assert not isinstance(last, Progress)
    return last
