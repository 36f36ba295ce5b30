"""Every engine in every sandbox of this machine, over a real store, and what to do with it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
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
from cloudcopy.domain.progress import Progress
from cloudcopy.domain.transfer import Direction
from cloudcopy.ports.engine import Copy, End, TransferEngine
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
