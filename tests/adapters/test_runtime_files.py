"""The three commands that an instance can be asked: they list, measure and remove."""

from pathlib import Path

import pytest

from cloudcopy.adapters.runtime import files
from cloudcopy.domain.question import Command


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "one").write_bytes(b"1" * 3000)
    (root / "a" / "b" / "two").write_bytes(b"2" * 10)
    (root / ".hidden").write_text("")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("TOP")
    (root / "out").symlink_to(outside)
    (root / "up").symlink_to("../outside/secret")
    (root / "in").symlink_to("a")
    return root


def does(tree: Path, text: str) -> str:
    return files.carry_out(tree, Command.parse(text))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("ls", "a\nin\nout\nup\n"),
        ("ls -a a", "b\none\n"),
        ("ls -A", ".hidden\na\nin\nout\nup\n"),
        ("ls -r /in", "one\nb\n"),
        ("ls -S a", "b\none\n"),
        ("ls a/one", "a/one\n"),
        ("ls -d a", "a\n"),
        ("ls a in", "a:\nb\none\nin:\nb\none\n"),
        ("ls -R a", "a:\nb\none\n\na/b:\ntwo\n"),
        ("ls nowhere", "ls: /nowhere does not exist on the instance\n"),
        ("ls out", "ls: /out leaves the instance by a symbolic link\n"),
        ("ls out/secret", "ls: /out/secret leaves the instance by a symbolic link\n"),
        ("ls up", "ls: /up leaves the instance by a symbolic link\n"),
        ("du -b -s a/b/two", "10\ta/b/two\n"),
        ("du out", "du: /out leaves the instance by a symbolic link\n"),
        ("rm a", "rm: a: Is a directory\n"),
        ("rm -d a", "rm: a: Directory not empty\n"),
        ("rm nowhere", "rm: nowhere: No such file or directory\n"),
        ("rm -f nowhere x/y", ""),
        ("rm out/secret", "rm: /out leaves the instance by a symbolic link\n"),
        ("rm -rv a/b up", "removed 'b'\nremoved 'up'\n"),
    ],
)
def test_a_command_says(tree: Path, command: str, told: str):
    if command.startswith("ls -S"):
        told = "b\none\n" if (tree / "a/b").stat().st_size > 3000 else "one\nb\n"
    assert does(tree, command) == told
    assert (tree.parent / "outside" / "secret").read_text() == "TOP"


def test_a_long_listing_has_the_facts(tree: Path):
    [line] = [each for each in does(tree, "ls -l a").splitlines() if each.endswith(" one")]
    words = line.split()
    assert (words[0], words[4]) == ("-rw-r--r--", "3000")
    [link] = [each for each in does(tree, "ls -lo").splitlines() if " up " in each]
    assert link.endswith("up -> ../outside/secret")
    assert "2.9K" in does(tree, "ls -lh a")


def test_what_is_removed_is_the_link_and_not_what_it_leads_to(tree: Path):
    assert does(tree, "rm -r out in") == ""
    assert not (tree / "out").is_symlink()
    assert (tree / "a" / "one").exists()
    assert (tree.parent / "outside" / "secret").exists()


def test_measuring_adds_up_to_the_depth_that_was_asked_for(tree: Path):
    sizes = {
        name: int(size)
        for size, name in (line.split("\t") for line in does(tree, "du -b -a -c a").splitlines())
    }
    assert set(sizes) == {"a", "a/b", "a/b/two", "a/one", "total"}
    assert sizes["a"] == sizes["total"] >= 3010 + sizes["a/b/two"]
    assert [line.split("\t")[1] for line in does(tree, "du -d 0 a").splitlines()] == ["a"]
    assert [line.split("\t")[1] for line in does(tree, "du -d 1 a").splitlines()] == ["a/b", "a"]


def test_a_name_cannot_write_to_the_terminal(tree: Path):
    (tree / "\x1b[2J").write_text("")
    assert "\x1b" not in does(tree, "ls")
