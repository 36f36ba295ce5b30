import ctypes
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudcopy.adapters.sandbox.beneath import Shown, open_source, open_target
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.paths import InstancePath
from tests.adapters.sandbox.cells import Ground

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


def refused(opening: Callable[[str], Shown], text: str) -> str:
    """The code; the words name the path as the caller knows it, and nothing of the host."""
    with pytest.raises(Invalid) as error:
        opening(text).close()
    assert f"/{text}" in str(error.value)
    assert "instance/" not in str(error.value)
    return error.value.code


def test_a_directory_and_a_file_are_shown_by_descriptor(ground: Ground) -> None:
    (ground.root / "a").mkdir()
    (ground.root / "a" / "f").write_text("hello")
    ground.give()
    with ground.source("a") as directory, ground.source("a/f") as file:
        assert (directory.name, directory.host_path) == ("", ground.root / "a")
        assert (file.name, file.host_path) == ("f", ground.root / "a" / "f")
        assert (file.uid, file.gid) == (ground.owner, ground.owner)
        (ground.root / "a").rename(ground.root / "b")
        assert Path(f"/proc/self/fd/{file.fd}").read_text() == "hello"
        assert [each.name for each in Path(f"/proc/self/fd/{directory.fd}").iterdir()] == ["f"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file.fd)


def test_the_root_itself_can_be_both(ground: Ground) -> None:
    ground.give()
    with ground.source() as source, ground.target() as target:
        assert source.host_path == target.host_path == ground.root


def test_a_missing_source_is_said_to_be_missing(ground: Ground) -> None:
    ground.give()
    with pytest.raises(Invalid) as error:
        ground.source("nowhere/f")
    assert str(error.value) == "src: /nowhere/f does not exist on the instance"
    assert (error.value.field, error.value.code) == ("src", "no_such_source")


def test_a_missing_root_is_said_to_be_missing(tmp_path: Path) -> None:
    path = InstancePath("a")
    for opening in (open_source, open_target):
        with pytest.raises(Invalid) as error:
            opening(tmp_path / "gone", path)
        assert error.value.code == "no_such_root"
        assert "gone" not in str(error.value)


@pytest.mark.parametrize("climbing", [True, False], ids=["relative", "absolute"])
def test_a_link_that_leaves_is_refused_both_ways(ground: Ground, climbing: bool) -> None:
    (ground.outside / "secret").write_text("s")
    to = Path("../outside") if climbing else ground.outside
    (ground.root / "link").symlink_to(to)
    (ground.root / "file").symlink_to(to / "secret")
    ground.give()
    for text in ("link", "link/secret", "file"):
        assert refused(ground.source, text) == "path_escapes"
    for text in ("link", "link/new", "link/new/deep"):
        assert refused(ground.target, text) == "path_escapes"
    assert [each.name for each in ground.outside.iterdir()] == ["secret"]


def test_a_magic_link_is_refused(ground: Ground) -> None:
    (ground.root / "link").symlink_to("/proc/self/root/etc")
    ground.give()
    assert refused(ground.source, "link") == "path_escapes"


def test_a_link_that_stays_beneath_is_followed(ground: Ground) -> None:
    (ground.root / "a" / "b").mkdir(parents=True)
    (ground.root / "real").mkdir()
    (ground.root / "a" / "b" / "link").symlink_to("../../real")
    (ground.root / "real" / "f").touch()
    (ground.root / "latest").symlink_to("real/f")
    ground.give()
    with ground.target("a/b/link/new") as target:
        assert target.host_path == ground.root / "real" / "new"
    with ground.source("latest") as source:
        assert (source.name, source.host_path) == ("latest", ground.root / "real" / "f")


def test_a_target_is_made_for_the_roots_owner(ground: Ground) -> None:
    (ground.root / "a").mkdir()
    ground.give()
    with ground.target("a/b/c") as target:
        assert target.host_path == ground.root / "a" / "b" / "c"
    for made in ("a/b", "a/b/c"):
        status = (ground.root / made).stat()
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (
            0o755,
            ground.owner,
            ground.owner if os.geteuid() == 0 else os.getegid(),
        )


def test_a_file_is_no_target(ground: Ground) -> None:
    (ground.root / "f").touch()
    ground.give()
    assert refused(ground.target, "f") == "not_a_directory"
    assert refused(ground.target, "f/below") == "not_a_directory"
    assert refused(ground.source, "f/below") == "not_a_directory"


def test_a_link_to_nothing_is_no_target(ground: Ground) -> None:
    (ground.root / "link").symlink_to("nothing")
    ground.give()
    assert refused(ground.target, "link/a") == "bad_path"
    assert not (ground.root / "nothing").exists()


def test_pipes_and_sockets_are_refused_without_waiting_for_a_writer(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(ground.root / "pipe")
    monkeypatch.chdir(ground.root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    ground.give()
    assert refused(ground.source, "pipe") == "special_file"
    assert refused(ground.source, "socket") == "special_file"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights that it must not use")
def test_root_opens_and_makes_only_what_the_instances_user_could(tmp_path: Path) -> None:
    ground = Ground(tmp_path, 4321).lay()
    (ground.root / "private").mkdir(mode=0o700)
    (ground.root / "key").touch(mode=0o600)
    os.chown(ground.root, 4321, 4321)
    assert refused(ground.source, "key") == "permission_denied"
    assert refused(ground.source, "private/x") == "permission_denied"
    assert refused(ground.target, "private/x") == "permission_denied"
    with open_target(tmp_path, InstancePath("after")) as after:
        assert os.fstat(after.fd).st_uid == 0, "this thread is itself again"


def test_nothing_is_ever_made_outside_while_a_directory_turns_into_a_link(ground: Ground) -> None:
    """The check-then-open that this replaces lost one in five."""
    swap, spare = ground.root / "swap", ground.root / "spare"
    swap.mkdir()
    spare.symlink_to(ground.outside)
    ground.give()
    exchange = ctypes.CDLL(None).renameat2
    names = os.fsencode(swap), os.fsencode(spare)
    done = threading.Event()

    def turn() -> None:
        while not done.is_set():
            exchange(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)

    turning = threading.Thread(target=turn)
    turning.start()
    made = 0
    codes: set[str] = set()
    try:
        for count in range(20_000):
            if count >= 2_000 and made and codes:
                break
            try:
                with ground.target(f"swap/{count}/x"):
                    made += 1
            except Invalid as error:
                codes.add(error.code)
    finally:
        done.set()
        turning.join()
    assert made > 0
    assert "path_escapes" in codes
    assert list(ground.outside.iterdir()) == []
