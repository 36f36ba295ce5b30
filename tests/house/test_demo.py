"""The demo's tree and how it is compared: a demo that cannot fail shows nothing."""

from pathlib import Path

from demo import tree


def test_the_same_seed_makes_the_same_tree(tmp_path: Path):
    made = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        tree.make(tmp_path / name, small=60, large=0)
        made.append(tree.hashes(tmp_path / name))
    assert made[0] == made[1]
    assert len(made[0]) == 61  # and the empty file


def test_two_spellings_of_one_letter_are_two_files(tmp_path: Path):
    tree.make(tmp_path, small=60, large=0)
    names = {path.name for path in (tmp_path / "odd names").iterdir()}
    assert {"e\u0301 decomposed.txt", "\u00e9 composed.txt"} <= names


def test_a_changed_a_missing_and_an_added_file_are_told(tmp_path: Path):
    tree.make(tmp_path, small=60, large=0)
    before = tree.hashes(tmp_path)
    (tmp_path / "empty file").write_text("no more")
    (tmp_path / "odd names" / "-leading-dash").unlink()
    (tmp_path / "added").touch()
    assert tree.differences(before, tree.hashes(tmp_path)) == [
        "added",
        "empty file",
        "odd names/-leading-dash",
    ]


def test_what_is_the_same_has_no_differences(tmp_path: Path):
    tree.make(tmp_path, small=60, large=0)
    assert tree.differences(tree.hashes(tmp_path), tree.hashes(tmp_path)) == []
    assert tree.measure(tmp_path).files == 61
