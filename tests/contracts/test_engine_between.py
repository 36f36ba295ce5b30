"""What every engine promises of a copy from another instance, in every sandbox here."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone.engine import RcloneEngine
from cloudcopy.adapters.rclone.origin import RcloneOrigins
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.order import Mode, Work
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Verified
from cloudcopy.ports.engine import Broken, Copy, Done, Elsewhere, End, Neighbour, Partial
from cloudcopy.ports.tunnels import Origin
from tests.contracts.engines import DOWN, rclone

__all__ = ["rclone"]  # a fixture


@dataclass
class Through:
    """A tunnel without a control plane: a connection goes straight to the source's server."""

    origin: Origin
    trouble: str = ""

    @asynccontextmanager
    async def listen(self, place: Path) -> AsyncIterator["Through"]:
        server = await asyncio.start_unix_server(self._pass_on, _short(place))
        async with server:
            yield self

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far, to = await asyncio.open_unix_connection(_short(self.origin.place))
        ways = [asyncio.create_task(_pump(*each)) for each in ((reader, to), (far, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ways:
                each.cancel()
            to.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()


def _short(place: Path) -> str:
    return f"/proc/self/fd/{os.open(place.parent, os.O_PATH)}/{place.name}"


@dataclass
class Ground:
    """A source's root and a destination's, and copies between them either way."""

    engine: RcloneEngine
    top: Path
    relayed: bool

    @property
    def source(self) -> Path:
        return self.top / "source"

    @property
    def target(self) -> Path:
        return self.top / "target"

    @property
    def origins(self) -> RcloneOrigins:
        return RcloneOrigins(
            sandbox=self.engine.sandbox, binary=self.engine.binary, work_dir=self.engine.work_dir
        )

    def write(self, name: str, content: bytes = b"x") -> Path:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    async def copy(self, path: str, *flags: str, **asked) -> End:
        wanted = InstancePath.parse(path, field="src")
        if not self.relayed:
            return await self._copy(Neighbour(root=self.source, path=wanted), flags, asked)
        async with self.origins.serve("t_1-1", self.source, wanted) as origin:
            far = Elsewhere(name=origin.name, tunnel=Through(origin).listen)
            return await self._copy(far, flags, asked)

    async def _copy(self, source: Neighbour | Elsewhere, flags, asked) -> End:
        copy = Copy(
            transfer="t_1",
            root=self.target,
            direction=DOWN,
            local=InstancePath.parse("in", field="dst"),
            remote=RemotePath("what/the/order/says"),
            flags=Flags.parse(flags),
            backend=Backend("instance", {}),
            ledger=self.top / "ledger",
            source=source,
            **asked,
        )
        *_, end = [each async for each in self.engine.run(copy, asyncio.Event())]
        return end

    def arrived(self) -> dict[str, bytes]:
        place = self.target / "in"
        files = [path for path in place.rglob("*") if path.is_file() or path.is_symlink()]
        return {str(path.relative_to(place)): path.read_bytes() for path in files}


@pytest.fixture(params=["directly", "relayed"])
def ground(engine: RcloneEngine, tmp_path: Path, request: pytest.FixtureRequest) -> Ground:
    made = Ground(engine, tmp_path, relayed=request.param == "relayed")
    made.source.mkdir()
    made.target.mkdir()
    return made


async def test_a_directory_comes_verified_by_hash_and_its_links_do_not(ground: Ground):
    ground.write("data/a", b"one")
    ground.write("data/deep/ü #%?", b"two")
    ground.write("data/empty", b"")
    ground.write("beside", b"not asked for")
    (ground.source / "data/out").symlink_to("/etc/passwd")
    (ground.source / "data/in").symlink_to("a")
    end = await ground.copy("data")
    assert isinstance(end, Done), end
    assert ground.arrived() == {"a": b"one", "deep/ü #%?": b"two", "empty": b""}
    assert (end.result.verified, end.result.hash) == (Verified.HASH, "md5")
    assert (end.result.copied, end.result.by_hash) == (3, 3)
    way = "through the control plane's relay" if ground.relayed else "directly on one machine"
    assert way in end.result.notes[-1]
    again = await ground.copy("data")
    assert (again.result.copied, again.result.unchanged) == (0, 3)


async def test_a_single_file_comes_alone(ground: Ground):
    ground.write("data/it", b"it")
    ground.write("data/not it")
    end = await ground.copy("data/it")
    assert isinstance(end, Done), end
    assert ground.arrived() == {"it": b"it"}
    assert end.result.verified is Verified.HASH


async def test_what_is_not_there_or_leaves_the_source_does_not_begin(ground: Ground):
    (ground.source / "out").symlink_to(ground.top)
    for path, code in (("nowhere", "no_such_source"), ("out", "path_escapes")):
        if ground.relayed:
            with pytest.raises(Invalid) as refused:
                await ground.copy(path)
            assert refused.value.code == code
        else:
            end = await ground.copy(path)
            assert isinstance(end, Broken)
            assert end.result.errors[0].code == code
    assert list(ground.target.iterdir()) in ([], [ground.target / "in"])


async def test_a_check_by_checksum_sees_what_size_and_time_do_not(ground: Ground):
    path = ground.write("data/a", b"one")
    ground.write("data/b", b"two")
    assert isinstance(await ground.copy("data"), Done)
    there = ground.target / "in/a"
    there.write_bytes(b"ONE")
    os.utime(there, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    end = await ground.copy("data", "--checksum", work=Work.CHECK)
    assert isinstance(end, Partial), end
    assert (end.result.failed, end.result.unchanged) == (1, 1)
    mended = await ground.copy("data", "--checksum")
    assert isinstance(mended, Done), mended
    assert ground.arrived() == {"a": b"one", "b": b"two"}
    assert (mended.result.copied, mended.result.unchanged) == (1, 1)


async def test_a_mirror_deletes_here_and_nothing_at_the_source(ground: Ground):
    ground.write("data/a", b"one")
    (ground.target / "in").mkdir()
    (ground.target / "in/extra").write_bytes(b"extra")
    planned = await ground.copy("data", work=Work.PLAN, mode=Mode.MIRROR)
    assert planned.result.deleted == 1
    digests = (planned.result.digests.source, planned.result.digests.destination)
    end = await ground.copy("data", mode=Mode.MIRROR, agreed=digests)
    assert isinstance(end, Done), end
    assert ground.arrived() == {"a": b"one"}
    assert (ground.source / "data/a").read_bytes() == b"one"


@pytest.mark.parametrize("engine", ["any"], indirect=True)
@pytest.mark.parametrize("ground", ["directly"], indirect=True)
async def test_two_places_that_hold_one_another_by_a_link_are_refused(ground: Ground):
    ground.write("a")
    (ground.source / "box").symlink_to(".")
    nested = ground.source / "nested"
    nested.mkdir()
    inner = Copy(
        transfer="t_1",
        root=nested,
        direction=DOWN,
        local=InstancePath("in"),
        remote=RemotePath(""),
        flags=Flags.parse([]),
        backend=Backend("instance", {}),
        ledger=ground.top / "ledger",
        source=Neighbour(root=ground.source, path=InstancePath("box")),
    )
    *_, end = [each async for each in ground.engine.run(inner, asyncio.Event())]
    assert isinstance(end, Broken)
    assert "hold one another" in end.reason


async def test_the_server_of_a_source_shows_its_path_only_and_changes_nothing(
    engine: RcloneEngine, tmp_path: Path
):
    for name in ("root/data/a", "root/beside", "secret"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "root/data/out").symlink_to(tmp_path / "secret")
    origins = RcloneOrigins(sandbox=engine.sandbox, binary=engine.binary, work_dir=engine.work_dir)
    async with origins.serve("t_1-1", tmp_path / "root", InstancePath("data")) as origin:
        assert (await _http(origin.place, "GET", "/a"))[1] == b"root/data/a"
        for path in ("/../beside", "/%2e%2e/beside", "/out", "/beside"):
            status, body = await _http(origin.place, "GET", path)
            assert (status >= 400, b"beside" in body and b"root" in body) == (True, False)
        for method in ("PUT", "DELETE", "MKCOL", "PROPPATCH"):
            assert (await _http(origin.place, method, "/a"))[0] >= 400, method
        assert origin.place.parent.stat().st_mode & 0o077 == 0
        async with origins.serve("t_1-1", tmp_path / "root", InstancePath("data")) as second:
            assert second.place != origin.place, "an earlier one may still be dying"
    assert (tmp_path / "root/data/a").read_bytes() == b"root/data/a"
    assert list((engine.work_dir / "relays").iterdir()) == []


async def _http(place: Path, method: str, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_unix_connection(_short(place))
    head = f"{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
    writer.write(head.encode())
    answer = await reader.read()
    writer.close()
    first, _, body = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), body
