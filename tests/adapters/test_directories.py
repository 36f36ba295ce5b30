"""A process's own directory goes with it, however it ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloudcopy.adapters.directories import own_directory

HOLDER = """
import sys
from pathlib import Path
from cloudcopy.adapters.directories import own_directory
with own_directory(Path(sys.argv[1])) as own:
    (own / "left").write_text("x")
    print(own, flush=True)
    sys.stdin.read()
"""


def holder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has a directory, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, parent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_it_is_private_and_gone_after_the_block(tmp_path: Path):
    parent = tmp_path / "looks"
    with own_directory(parent) as own:
        (own / "file").write_text("x")
        assert own.parent == parent
        assert [each.stat().st_mode & 0o777 for each in (parent, own)] == [0o700, 0o700]
    assert list(parent.iterdir()) == []


def test_it_is_gone_after_an_error(tmp_path: Path):
    with pytest.raises(RuntimeError), own_directory(tmp_path) as own:
        raise RuntimeError
    assert not own.exists()


def test_what_a_killed_process_left_is_removed_and_nothing_of_the_living(tmp_path: Path):
    dead, left = holder(tmp_path)
    alive, kept = holder(tmp_path)
    try:
        dead.send_signal(signal.SIGKILL)
        dead.communicate()
        assert (left / "left").exists()
        with own_directory(tmp_path) as own:
            assert set(tmp_path.iterdir()) == {own, kept}
            assert (kept / "left").exists()
    finally:
        alive.communicate()
    assert not kept.exists()
