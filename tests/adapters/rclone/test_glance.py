"""Our own look at an instance's files sees what a listing does, and says where it does not."""

import os
from collections.abc import Callable
from pathlib import Path

from cloudcopy.adapters.rclone.glance import IRREGULAR, LINK, Glance, glances
from cloudcopy.adapters.sandbox.beneath import open_source
from cloudcopy.domain.paths import InstancePath


def seen(
    root: Path, enter: Callable[[str], bool] = lambda _: True
) -> tuple[dict[str, Glance], dict[str, tuple[str, str]], bool]:
    with open_source(root, InstancePath("data")) as shown:
        batches = [*glances(shown, enter)]
    files = {each.path: each for batch in batches for each in batch.files}
    others = dict(each for batch in batches for each in batch.others)
    return files, others, all(batch.whole for batch in batches)


def test_it_sees_files_as_they_are_and_follows_no_link(tmp_path: Path):
    (tmp_path / "data/deep/er").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("x")
    path = tmp_path / "data/deep/er/\u00e9 file"
    path.write_text("four")
    os.utime(path, ns=(1, -1_500_000_000))
    (tmp_path / "data/link").symlink_to("deep/er")
    (tmp_path / "data/out").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "data/pipe")
    files, others, whole = seen(tmp_path)
    status = path.stat()
    assert [*files] == ["deep/er/\u00e9 file"]
    glance = files["deep/er/\u00e9 file"]
    assert (glance.size, glance.mtime) == (4, -1_500_000_000)
    assert (glance.inode, glance.ctime) == (status.st_ino, status.st_ctime_ns)
    assert others == {"link": LINK, "out": LINK, "pipe": IRREGULAR}
    assert whole


def test_it_says_that_a_name_was_left_out(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/good").write_text("x")
    for name in (b"bad-\xff", "quoted-\u201b".encode(), b"tab\t"):
        path = tmp_path / "data" / os.fsdecode(name)
        path.write_text("x")
        files, _, whole = seen(tmp_path)
        assert ([*files], whole) == (["good"], False), name
        path.unlink()
    assert seen(tmp_path)[2]


def test_it_says_that_a_directory_was_closed(tmp_path: Path):
    (tmp_path / "data/closed").mkdir(parents=True)
    (tmp_path / "data/closed/a").write_text("x")
    (tmp_path / "data/open").mkdir()
    (tmp_path / "data/open/b").write_text("x")
    if os.geteuid() == 0:  # the look is the instance's user's, whom the mode binds
        for each in (tmp_path, *tmp_path.rglob("*")):
            os.chown(each, 4321, 4321)
    (tmp_path / "data/closed").chmod(0)
    files, _, whole = seen(tmp_path)
    assert ([*files], whole) == (["open/b"], False)


def test_it_enters_only_what_it_is_asked_to(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "file").write_text("x")
    files, _, _ = seen(tmp_path, lambda name: name == "b")
    assert [*files] == ["b/file"]
