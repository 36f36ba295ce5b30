"""A confined rclone between a directory and a real S3 store, and a count of its requests."""

import asyncio
import os
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone.binary import find
from cloudcopy.adapters.rclone.ledger import Ledger, Part
from cloudcopy.adapters.rclone.process import daemon
from cloudcopy.adapters.rclone.sides import Sides
from cloudcopy.adapters.rclone.spool import Spool, open_spool
from cloudcopy.adapters.sandbox.beneath import open_source, open_target
from cloudcopy.adapters.sandbox.choose import choose
from cloudcopy.domain.connection import backend
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow
from cloudcopy.domain.order import Direction
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.ports.engine import Copy
from cloudcopy.wire import ledger as wire
from demo.seaweed import S3, seaweed

UP, DOWN = Direction.TO_CLOUD, Direction.TO_INSTANCE
BUCKET = "listing"
BEFORE = 1_700_000_000


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with seaweed() as store:
        store.create_bucket(BUCKET)
        yield store


@dataclass
class Meter:
    """Passes connections on to `port` and counts the requests in them by method."""

    port: int
    requests: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    def take(self) -> dict[str, int]:
        """The requests since the last time."""
        taken, self.requests = dict(self.requests), Counter()
        return taken

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self._pass(reader, to, count=True), self._pass(there, writer))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, count: bool = False
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                if count:
                    found = re.findall(rb"(GET|HEAD|PUT|POST|DELETE) \S+ HTTP/1", data)
                    self.requests.update(each.decode() for each in found)
                writer.write(data)
        finally:
            writer.close()


@dataclass
class Bench:
    """A directory and a prefix of the store, with a meter between rclone and the store."""

    data: Path
    prefix: str
    s3: S3
    meter: Meter
    port: int
    scratch: Path

    def write(self, name: str, content: bytes | str = b"x", *, mtime: int = BEFORE) -> Path:
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (mtime, mtime))
        return path

    def put(self, name: str, content: bytes = b"x") -> None:
        """An object that rclone knows nothing of."""
        with self.s3.client() as client:
            client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{name}", Body=content)

    @asynccontextmanager
    async def rclone(
        self,
        *flags: str,
        direction: Direction = UP,
        local: str = "",
        remote: str = "",
        **order: object,
    ) -> AsyncIterator[tuple[Sides, Ledger]]:
        place = RemotePath.parse(f"{BUCKET}/{self.prefix}/{remote}", field="remote")
        copy = Copy(
            transfer="t_1",
            root=self.data,
            direction=direction,
            local=InstancePath(local),
            remote=place,
            flags=Flags.parse(flags),
            backend=backend(
                "s3", {**self.s3.parameters, "endpoint": f"http://127.0.0.1:{self.port}"}
            ),
            ledger=self.scratch / "ledger",
        )
        copy = replace(copy, **order)  # type: ignore[arg-type]
        log, run_dir = Ledger(), self.scratch / os.urandom(4).hex()
        run_dir.mkdir(mode=0o700)
        bwrap = shutil.which("bwrap")
        sandbox = await choose(
            bwrap=Path(bwrap) if bwrap else None, allow_unconfined=False, prefer="landlock"
        )
        opened = open_source if direction is UP else open_target
        with _nothing() as nothing, opened(self.data, copy.local) as shown:
            async with daemon(
                sandbox,
                binary=await find(),
                shown=shown,
                writable=direction is DOWN,
                store=None,
                run_dir=run_dir,
                backend=copy.backend,
                flags=copy.flags,
                lock_fd=nothing,
                feed=log.feed,
            ) as started:
                yield Sides(started, copy), log

    @asynccontextmanager
    async def spool(self) -> AsyncIterator[Spool]:
        async with open_spool(self.scratch / f"{os.urandom(4).hex()}.db") as spool:
            yield spool

    async def copy(self, *flags: str, **order: object) -> set[str]:
        """Have rclone copy; the names it says it has copied."""
        async with self.rclone(*flags, **order) as (sides, log):  # type: ignore[arg-type]
            log.begin(Part.COPY)
            await sides.rc.call("sync/copy", srcFs=sides.source, dstFs=sides.target)
            return {row.path for row in log.take()}

    def rows(self) -> list[FileRow]:
        """The ledger that was written last."""
        raw = (self.scratch / "ledger").read_bytes()
        rows: list[FileRow] = []
        while raw:
            size = int.from_bytes(raw[:4], "big")
            rows += wire.rows(raw[4 : 4 + size])
            raw = raw[4 + size :]
        return rows


@contextmanager
def _nothing() -> Iterator[int]:
    fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.fixture
async def bench(tmp_path: Path, s3: S3) -> AsyncIterator[Bench]:
    data, scratch = tmp_path / "data", tmp_path / "scratch"
    data.mkdir()
    scratch.mkdir()
    meter = Meter(s3.port)
    async with meter.open() as port:
        yield Bench(data, os.urandom(4).hex(), s3, meter, port, scratch)
