"""Removing an instance in which somebody did what they liked."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from cloudcopy.adapters.runtime.home import Home
from cloudcopy.adapters.runtime.process import ProcessRuntime
from cloudcopy.adapters.runtime.removal import discard
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.machine import ActualStatus
from tests.contracts.runtimes import NAME, spec

DEEP = 1_500  # more than Python's stack, and with these names more than a path holds
SOMEBODY = 4321


def nest(place: Path, depth: int) -> None:
    here = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("directory", dir_fd=here)
        below = os.open("directory", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)


@contextmanager
def as_somebody() -> Iterator[Path]:
    """A directory of a user who is not root, as that user."""
    place = Path(tempfile.mkdtemp(prefix="cloudcopy-test-"))
    was = os.geteuid()
    try:
        if was == 0:
            os.chown(place, SOMEBODY, SOMEBODY)
            os.seteuid(SOMEBODY)
        yield place
    finally:
        os.seteuid(was)
        shutil.rmtree(place, ignore_errors=True)


def runtime(directory: Path) -> ProcessRuntime:
    return ProcessRuntime(directory, lambda: datetime(2026, 1, 1, tzinfo=UTC), confined=True)


async def test_however_deep_it_is_it_is_destroyed(tmp_path: Path):
    host = runtime(tmp_path)
    await host.create(spec())
    nest(Home.of(tmp_path, NAME).root, DEEP)
    await host.destroy(NAME)
    assert await host.status(NAME) is None
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_what_a_dead_agent_was_removing_does_not_keep_the_next_from_starting(tmp_path: Path):
    (tmp_path / "gone-a").mkdir()
    nest(tmp_path / "gone-a", DEEP)
    await runtime(tmp_path).recover()
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_what_its_owner_may_not_read_is_removed():
    with as_somebody() as place:
        for below in ("own/a/b", "own/c"):
            (place / below).mkdir(parents=True)
            (place / below / "file").touch()
        for closed in ("own/a/b", "own/a", "own/c"):
            (place / closed).chmod(0)
        discard(place / "own")
        assert list(place.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path: Path):
    kept = tmp_path / "kept" / "file"
    kept.parent.mkdir()
    kept.touch()
    (tmp_path / "own" / "below").mkdir(parents=True)
    for link in ("own/link", "own/below/link"):
        (tmp_path / link).symlink_to(kept.parent)
    discard(tmp_path / "own")
    assert kept.exists()
    assert not (tmp_path / "own").exists()
    discard(tmp_path / "own")


async def test_as_long_as_something_of_it_is_left_it_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fails(path: Path) -> None:
        if path.exists():
            raise OSError(5, "x")

    host = runtime(tmp_path)
    await host.create(spec())
    with monkeypatch.context() as patched:
        patched.setattr("cloudcopy.adapters.runtime.home.discard", fails)
        with pytest.raises(Unavailable, match="cannot be removed"):
            await host.destroy(NAME)
        standing = await host.status(NAME)
        assert standing is not None
        assert standing.actual_status is ActualStatus.STOPPED
        with structlog.testing.capture_logs() as logs:
            await host.recover()
        assert [line["log_level"] for line in logs] == ["error"]
    await host.destroy(NAME)
    assert await host.status(NAME) is None
