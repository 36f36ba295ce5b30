"""A mover that waits, knows nothing, and is kept to what it is handed over."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloudcopy.adapters.objects import spare
from cloudcopy.adapters.objects.process import objects_daemon
from cloudcopy.adapters.objects.spare import Spares
from cloudcopy.adapters.rclone.process import Daemon
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.sandbox import launch
from cloudcopy.adapters.sandbox.beneath import open_source, open_target
from cloudcopy.adapters.sandbox.choose import choose
from cloudcopy.domain.connection import backend
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.paths import InstancePath

NOWHERE = backend(
    "s3",
    {
        "provider": "Other",
        "endpoint": "http://127.0.0.1:1",
        "access_key_id": "a",
        "secret_access_key": "very-secret",
    },
)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "ENDED_SECONDS", 0.0)


@pytest.fixture(params=["bubblewrap", "landlock"])
async def spares(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spares]:
    async with opened(request.param, tmp_path) as found:
        yield found


@asynccontextmanager
async def opened(box: str, tmp_path: Path) -> AsyncIterator[Spares]:
    bwrap = shutil.which("bwrap")
    try:
        sandbox = await choose(
            bwrap=Path(bwrap) if bwrap else None, allow_unconfined=False, prefer=box
        )
    except Unavailable as error:
        pytest.skip(str(error))
    found = Spares(sandbox, tmp_path)
    yield found
    await found.close()
    assert left(tmp_path) == [], "nothing is left behind"


def left(work_dir: Path) -> list[Path]:
    return list((work_dir / spare.DIRECTORY).glob("*"))


@asynccontextmanager
async def begun(
    spares: Spares, tmp_path: Path, path: str = "", *, writable: bool = False
) -> AsyncIterator[Daemon]:
    """A mover with a copy of that path of the instance `tmp_path / "box"`."""
    run_dir = tmp_path / "copy/rc"
    run_dir.mkdir(parents=True)
    root, part = tmp_path / "box", InstancePath(path)
    try:
        with open_target(root, part) if writable else open_source(root, part) as shown:
            async with objects_daemon(
                spares,
                shown=shown,
                writable=writable,
                run_dir=run_dir,
                backend=NOWHERE,
                flags=Flags(),
                lock_fd=shown.fd,
                feed=lambda line: None,
            ) as running:
                yield running
    finally:
        shutil.rmtree(run_dir)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    box = tmp_path / "box"
    for name in ("data/a.txt", "data/deep/b.txt", "private/c.txt"):
        path = box / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "outside.txt").write_text("of the host")
    return box


async def names(running: Daemon, below: str = "", *, fs: str = "") -> list[str]:
    found = await running.call("operations/list", fs=fs or running.inside.data, remote=below)
    return sorted(each["Path"] for each in found["list"])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def waiting(spares: Spares) -> int:
    """The pid of the one that waits."""
    await until(lambda: spares.waits is not None)
    assert spares.waits
    found = await spares.waits
    await found.link.ready()
    return found.confined.pid


async def test_the_next_copy_gets_the_one_that_waits(spares: Spares, tmp_path: Path, box: Path):
    async with begun(spares, tmp_path, "data") as running:
        assert await names(running) == ["a.txt", "deep"]
        first = running.confined.pid
    ready = await waiting(spares)
    assert ready != first
    async with begun(spares, tmp_path, "private") as running:
        assert running.confined.pid == ready
        assert await names(running) == ["c.txt"]


async def test_nothing_but_the_copy_can_be_reached(spares: Spares, tmp_path: Path, box: Path):
    for _ in ("a new one", "one that waited"):
        async with begun(spares, tmp_path, "data") as running:
            data = running.inside.data
            assert await names(running, "deep") == ["deep/b.txt"]
            for place in (f"{data}/..", f"{data}/../private", f"{data}/../../..", str(tmp_path)):
                seen: list[str] = []
                with contextlib.suppress(RcError):
                    seen = await names(running, fs=place)
                assert seen == [], place
            with pytest.raises(RcError, match="permission denied"):
                await running.call("operations/deletefile", fs=data, remote="a.txt")
        await waiting(spares)
    assert (box / "data/a.txt").exists()


async def test_a_destination_may_be_changed_and_nothing_beside_it(
    spares: Spares, tmp_path: Path, box: Path
):
    async with begun(spares, tmp_path, "data", writable=True) as running:
        data = running.inside.data
        await running.call("operations/deletefile", fs=data, remote="a.txt")
        with pytest.raises(RcError, match="permission denied"):
            await running.call("operations/deletefile", fs=f"{data}/..", remote="private/c.txt")
    assert not (box / "data/a.txt").exists()
    assert (box / "private/c.txt").exists()


async def test_of_a_single_file_its_neighbours_cannot_be_seen(
    spares: Spares, tmp_path: Path, box: Path
):
    (box / "data/b.txt").write_text("not for you")
    async with begun(spares, tmp_path, "data/a.txt") as running:
        fs, opt = running.inside.data, {"showHash": True}
        found = await running.call("operations/stat", fs=fs, remote="a.txt", opt=opt)
        assert found["item"]["Hashes"]
        beside = await running.call("operations/stat", fs=fs, remote="b.txt", opt=opt)
        assert "Hashes" not in (beside["item"] or {})
        assert "b.txt" not in await names(running)


async def test_one_that_died_while_it_waited_is_not_used(spares: Spares, tmp_path: Path, box: Path):
    async with begun(spares, tmp_path, "data"):
        pass
    os.kill(await waiting(spares), signal.SIGKILL)
    assert spares.waits
    dead = await spares.waits
    await until(lambda: not dead.link.alive)
    async with begun(spares, tmp_path, "data") as running:
        assert await names(running) == ["a.txt", "deep"]


async def test_one_that_waits_knows_no_secret(spares: Spares, tmp_path: Path, box: Path):
    async with begun(spares, tmp_path, "data") as running:
        await names(running)
    process = Path(f"/proc/{await waiting(spares)}")
    for name in ("cmdline", "environ"):
        assert b"very-secret" not in (process / name).read_bytes()
    opened = [str(each.readlink()) for each in (process / "fd").iterdir()]
    assert not [each for each in opened if "/box" in each]


def user(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def given_to(user: int, box: Path) -> None:
    box.parent.chmod(0o700)
    for each in (box, *box.rglob("*")):
        os.chown(each, user, user)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_an_instance_of_somebody_else_gets_a_mover_of_its_own(tmp_path: Path, box: Path):
    """Nobody but root may enter what is above the instance, or above the interpreter."""
    async with opened("bubblewrap", tmp_path) as spares:
        async with begun(spares, tmp_path, "data"):
            pass
        ours = await waiting(spares)
        given_to(4321, box)
        async with begun(spares, tmp_path, "data", writable=True) as running:
            assert running.confined.pid != ours
            assert user(running.confined.pid) == 4321
            assert await names(running) == ["a.txt", "deep"]


async def test_without_landlock_the_data_is_shown_from_the_start(
    tmp_path: Path, box: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(launch, "landlock_abi", lambda: 0)
    async with opened("bubblewrap", tmp_path) as spares, begun(spares, tmp_path, "data") as running:
        assert running.inside.data == "/data"
        assert await names(running) == ["a.txt", "deep"]
        assert spares.waits is None


async def test_a_link_to_a_file_is_shown_by_a_sandbox_that_can(tmp_path: Path, box: Path):
    (box / "link.txt").symlink_to("data/a.txt")
    async with opened("bubblewrap", tmp_path) as spares, begun(spares, tmp_path, "link.txt") as one:
        found = await one.call("operations/stat", fs=one.inside.data, remote="link.txt", opt={})
        assert found["item"]["Size"] == 1
