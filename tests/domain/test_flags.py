"""The flags a caller may set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import KNOWN, MAX_WORDS, PUBLISHED_LIST, Flags, published


def test_both_spellings_of_a_value_are_the_same_flags():
    one = Flags.parse(["--exclude", "*.tmp", "--max-size=1G", "--dry-run"])
    other = Flags.parse(["--dry-run", "--exclude=*.tmp", "--max-size", "1G"])
    assert one == other
    assert one.words() == ["--dry-run", "--max-size=1G", "--exclude=*.tmp"]
    assert one.dry_run


def test_rules_keep_the_callers_order():
    flags = Flags.parse(["--include=*.bin", "--exclude=*", "--filter", "- a b"])
    assert flags.rules == (("--include", "*.bin"), ("--exclude", "*"), ("--filter", "- a b"))
    assert flags.narrows


@pytest.mark.parametrize(
    "word",
    [
        "--password-command=touch x",
        "--config",
        "--s3-endpoint=http://x",
        "--files-from=/etc/passwd",
        "--inplace",
        "--dry",
        "-n",
        "dry-run",
        "--metadata-mapper",
        "--rc",
    ],
)
def test_everything_else_is_refused_by_name_with_the_list(word: str):
    with pytest.raises(Invalid) as error:
        Flags.parse([word])
    text = str(error.value)
    assert word.partition("=")[0] in text
    assert PUBLISHED_LIST in text
    assert "touch x" not in text


@pytest.mark.parametrize(
    "words",
    [
        ["--max-size=10X"],
        ["--max-size=٤G"],
        ["--bwlimit=08:00,512k;10M"],
        ["--transfers=0"],
        ["--transfers=65"],
        ["--max-age=yesterday"],
        ["--exclude="],
        ["--exclude={{.*}}"],
        ["--exclude=a\nb"],
        ["--exclude=[a"],
        ["--exclude={a,b"],
        ["--exclude=a]"],
        ["--exclude=a}"],
        ["--exclude={a,{b}}"],
        ["--exclude=a***b"],
        ["--exclude=a\\"],
        ["--max-size=1Bi"],
        ["--max-age=1.5d2h"],
        ["--filter=!"],
        ["--filter=*.tmp"],
        ["--exclude"],
        ["--dry-run=true"],
        ["--dry-run", "--dry-run"],
        ["--max-size=1G", "--max-size=2G"],
        ["--exclude=" + "x" * 1025],
        ["--exclude=a"] * (MAX_WORDS + 1),
    ],
)
def test_a_bad_value_is_refused_as_bad_flag(words: list[str]):
    with pytest.raises(Invalid) as error:
        Flags.parse(words)
    assert (error.value.field, error.value.code) == ("flags", "bad_flag")


def test_a_value_is_never_read_as_a_flag():
    flags = Flags.parse(["--exclude", "--config=/etc/x"])
    assert flags.rules == (("--exclude", "--config=/etc/x"),)
    assert flags.words() == ["--exclude=--config=/etc/x"]


@given(st.lists(st.one_of(st.sampled_from(KNOWN), st.text(max_size=12)), max_size=8))
def test_what_parses_renders_to_words_that_parse_to_the_same(words: list[str]):
    try:
        flags = Flags.parse(words)
    except Invalid:
        return
    assert Flags.parse(flags.words()) == flags
    assert all(word.partition("=")[0] in KNOWN for word in flags.words())


def test_the_published_list_holds_every_flag_and_what_it_takes():
    listed = published()
    assert tuple(listed) == KNOWN
    assert (listed["--dry-run"], listed["--max-size"]) == ("nothing", "size")
    assert (listed["--max-age"], listed["--transfers"]) == ("duration", "count")
    assert listed["--exclude"] == "pattern"


@pytest.mark.parametrize(
    "words",
    [
        ["--exclude=*.{tmp,bak}"],
        ["--exclude=[a-c]?.txt"],
        ["--exclude=/dir/**"],
        ["--exclude=a\\[b"],
        ["--filter", "+ keep/**"],
        ["--max-age=1h30m"],
        ["--max-age=1.5d"],
        ["--max-size=100"],
        ["--bwlimit=1.5Mi"],
    ],
)
def test_what_rclone_reads_is_accepted(words: list[str]):
    assert Flags.parse(words).words()
