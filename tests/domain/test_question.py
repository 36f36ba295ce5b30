"""The three commands, read without a shell."""

import pytest

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.question import Command


@pytest.mark.parametrize(
    ("text", "program", "options", "depth", "paths"),
    [
        ("ls", "ls", "", None, []),
        ("ls -l -o -r", "ls", "lor", None, []),
        ("ls -la '/a b' c/", "ls", "la", None, ["a b", "c"]),
        ("rm -r home/delete_this.txt", "rm", "r", None, ["home/delete_this.txt"]),
        ("rm -- -x", "rm", "", None, ["-x"]),
        ("du -d2 -h", "du", "h", 2, []),
        ("du -d 3 x", "du", "", 3, ["x"]),
        ("du --max-depth=1", "du", "", 1, []),
        ("ls $HOME;id *", "ls", "", None, ["$HOME;id", "*"]),  # names, and nothing more
    ],
)
def test_a_command_is_taken_apart(text, program, options, depth, paths):
    found = Command.parse(text)
    assert (found.program, found.options, found.depth) == (program, frozenset(options), depth)
    assert [each.value for each in found.paths] == paths


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be ls, rm or du"),
        ("cat /etc/passwd", "must be ls, rm or du"),
        ("/bin/ls", "must be ls, rm or du"),
        ("ls 'a", "cannot be read"),
        ("ls ../x", "climbs"),
        ("ls a/../../b", "climbs"),
        ("ls --color", "not served"),
        ("ls -Z", "not served"),
        ("rm", "names nothing"),
        ("rm -rf /", "would remove the instance's root"),
        ("rm -rf ./", "would remove the instance's root"),
        ("du -d x", "takes a number"),
        ("du -d", "takes a number"),
        ("ls " + "x" * 5000, "longer than"),
        ("ls a\x00b", "control character"),
    ],
)
def test_everything_else_is_refused(text: str, words: str):
    with pytest.raises(Invalid, match=words):
        Command.parse(text)
