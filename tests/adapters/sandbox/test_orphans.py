"""What was left of a sandbox is ended, and nothing that this process has started."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudcopy.adapters.sandbox.orphans import end_orphans

# Holds a lock on a file in a grandchild, whose number it prints, and ends.
LEAVE = """
import fcntl, os, sys
held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(held, fcntl.LOCK_EX)
if (child := os.fork()) == 0:
    os.close(1)
    os.read(int(sys.argv[2]), 1)
    os._exit(0)
print(child)
"""


def left(place: Path) -> tuple[int, int]:
    """An orphan that has `place` open: its number, and what ends it when it is closed."""
    place.parent.mkdir()
    reading, writing = os.pipe()
    told = subprocess.run(
        [sys.executable, "-c", LEAVE, place, str(reading)],
        stdout=subprocess.PIPE,
        pass_fds=[reading],
        check=True,
    ).stdout
    os.close(reading)
    return int(told), writing


def ends(pid: int, *, seconds: float) -> bool:
    """Whether it has ended after so long. It need not be our child."""
    try:
        held = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(held, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(held)


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[int]:
    pid, pipe = left(tmp_path / "locks" / "t_1")
    yield pid
    os.close(pipe)  # it ends, then
    assert ends(pid, seconds=10)


@pytest.mark.parametrize("place", ["locks/t_1", "locks", "."])
def test_what_has_something_there_open_ends(tmp_path: Path, orphan: int, place: str):
    end_orphans(tmp_path / place)
    assert ends(orphan, seconds=10)


def test_also_when_it_was_removed(tmp_path: Path, orphan: int):
    (tmp_path / "locks/t_1").unlink()
    end_orphans(tmp_path / "locks")
    assert ends(orphan, seconds=10)


@pytest.mark.parametrize("place", ["locks/t_2", "locks/t"])
def test_what_has_something_else_open_goes_on(tmp_path: Path, orphan: int, place: str):
    end_orphans(tmp_path / place)
    assert not ends(orphan, seconds=0)
    assert b"State:\tZ" not in Path(f"/proc/{orphan}/status").read_bytes()


def test_what_this_process_started_goes_on(tmp_path: Path):
    path = tmp_path / "mine"
    with (
        path.open("w") as mine,
        subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=mine) as cat,
    ):
        end_orphans(tmp_path)
        assert cat.poll() is None
        cat.communicate()
        assert cat.returncode == 0
