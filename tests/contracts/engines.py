"""Every engine in every sandbox of this machine, over a real store, and what to do with it."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from cloudcopy.adapters.objects.spare import Spares
from cloudcopy.adapters.rclone.binary import find
from cloudcopy.adapters.rclone.engine import RcloneEngine
from cloudcopy.adapters.sandbox.choose import choose
from cloudcopy.domain.connection import backend
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow
from cloudcopy.domain.movers import Mover
from cloudcopy.domain.order import Direction
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Progress
from cloudcopy.ports.engine import Copy, End, TransferEngine
from cloudcopy.wire import ledger as wire
from demo.seaweed import S3, seaweed

UP, DOWN = Direction.TO_CLOUD, Direction.TO_INSTANCE
BUCKET = "engine"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with seaweed() as store:
        store.create_bucket(BUCKET)
        yield store


ONE = pytest.mark.parametrize("engine", [f"any-{each}" for each in Mover], indirect=True)
"""For what has nothing to do with the sandbox: the first that works here, with every mover. What
obstore does not do is rclone's (`domain.movers`)."""


@pytest.fixture(params=[f"{box}-{each}" for box in ("bubblewrap", "landlock") for each in Mover])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TransferEngine]:
    box, _, first = request.param.partition("-")
    async with opened(box, tmp_path, Mover(first)) as found:
        yield found


@pytest.fixture(name="engine", params=["bubblewrap", "landlock"])
async def rclone(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TransferEngine]:
    """For what no other mover does."""
    async with opened(request.param, tmp_path, Mover.RCLONE) as found:
        yield found


@asynccontextmanager
async def opened(box: str, tmp_path: Path, first: Mover) -> AsyncIterator[TransferEngine]:
    """`first` is the mover that does what it can."""
    bwrap = shutil.which("bwrap")
    try:
        sandbox = await choose(
            bwrap=Path(bwrap) if bwrap else None,
            allow_unconfined=False,
            prefer=None if box == "any" else box,
        )
    except Unavailable as error:
        pytest.skip(str(error))
    work = tmp_path / "work"
    work.mkdir(mode=0o700)
    spares = Spares(sandbox, work)
    engine = RcloneEngine(
        sandbox=sandbox,
        spares=spares,
        binary=await find(),
        work_dir=work,
        local_store=tmp_path / "stores",
        mover=None if first is Mover.OBJECTS else first,
        sleep=at_once,
        random=lambda: 0.0,
        monotonic=time.monotonic,
    )
    yield engine
    await spares.close()
    left = [each for name in ("run", "locks", "waiting") for each in (work / name).glob("*")]
    assert left == [], "a copy leaves nothing behind"


async def at_once(seconds: float) -> None:
    """Let no time pass, but let everybody else have a turn."""
    await asyncio.sleep(0)


@dataclass
class Bench:
    engine: TransferEngine
    root: Path
    s3: S3
    prefix: str

    async def copy(
        self,
        direction: Direction,
        local: str,
        remote: str,
        *flags: str,
        asked: Mapping[str, Any] = MappingProxyType({}),
        **options: str,
    ) -> End:
        """The end of a copy; `remote` is below this test's own prefix."""
        events = self.events(direction, local, remote, *flags, asked=asked, **options)
        told = [each async for each in events]
        assert isinstance(told[0], Progress)
        assert all(isinstance(each, Progress) for each in told[:-1])
        end = told[-1]
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
        asked: Mapping[str, Any] = MappingProxyType({}),
        **options: str,
    ):
        """`asked` goes to `Copy`, and `options` to the connection; with `path` it is a local
        directory in the place of a store."""
        place = f"{self.prefix}/{remote}" if "path" in options else self.place(remote, bucket)
        copy = Copy(
            transfer=f"t_{self.prefix}",
            root=self.root,
            direction=direction,
            local=InstancePath.parse(local, field="local"),
            remote=RemotePath.parse(place, field="remote"),
            flags=Flags.parse(flags),
            backend=backend("local", options)
            if "path" in options
            else backend("s3", {**self.s3.parameters, **options}),
            ledger=self.ledger,
            **asked,
        )
        return self.engine.run(copy, stop or asyncio.Event())

    def forget(self) -> None:
        """Whatever the agent remembers of earlier copies is gone."""
        shutil.rmtree(self.root.parent / "work/index", ignore_errors=True)

    def place(self, remote: str, bucket: str = BUCKET) -> str:
        return f"{bucket}/{self.prefix}/{remote}"

    @property
    def ledger(self) -> Path:
        return self.root.parent / "ledger"

    def rows(self) -> dict[str, FileRow]:
        """The ledger of the last copy, by path. It is sorted and has each path once."""
        data, found = self.ledger.read_bytes(), []
        while data:
            size = int.from_bytes(data[:4], "big")
            found += wire.rows(data[4 : 4 + size])
            data = data[4 + size :]
        paths = [each.path for each in found]
        assert paths == sorted(set(paths))
        return {each.path: each for each in found}

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
