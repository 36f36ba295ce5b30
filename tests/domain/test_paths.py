"""Paths as callers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.paths import InstancePath, RemotePath


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("/workspace/data/", "workspace/data"),
        ("workspace//data/./x", "workspace/data/x"),
        ("/", ""),
        ("", ""),
        ("a..b/...", "a..b/..."),
        ("with space/é", "with space/é"),
    ],
)
def test_slashes_and_dots_change_nothing(text: str, value: str):
    assert InstancePath.parse(text, field="src").value == value
    assert RemotePath.parse(text, field="dst").value == value


@pytest.mark.parametrize(
    "text", ["..", "/a/../b", "a/..", "a\0b", "a\nb", "\ud800", "x" * 256, "a/" * 600]
)
def test_what_climbs_or_cannot_be_a_name_is_refused_by_field(text: str):
    for parse in (InstancePath.parse, RemotePath.parse):
        with pytest.raises(Invalid) as error:
            parse(text, field="src")
        assert error.value.field == "src"
        assert error.value.code == "bad_path"


@pytest.mark.parametrize("text", [":local:/etc", "/:s3,env_auth=true:b", ":webdav,url=x:"])
def test_a_connection_string_of_rclone_is_no_path(text: str):
    with pytest.raises(Invalid, match="connection string"):
        RemotePath.parse(text, field="dst")


@given(st.text(max_size=60))
def test_a_parsed_path_is_relative_and_parses_to_itself(text: str):
    try:
        path = InstancePath.parse(text, field="src")
    except Invalid:
        return
    assert not path.value.startswith("/")
    assert ".." not in path.value.split("/")
    assert InstancePath.parse(path.value, field="src") == path
    assert str(path).startswith("/")


def test_a_path_lies_below_a_connections_root():
    assert RemotePath("a/b").below("bucket") == RemotePath("bucket/a/b")
    assert RemotePath("").below("bucket") == RemotePath("bucket")
    assert RemotePath("a").below("") == RemotePath("a")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("b/x", "b/x", True),
        ("b/x", "b/x/y", True),
        ("b", "b/x", True),
        ("", "b/x", True),
        ("b/x", "b/xy", False),
        ("b/x", "c/x", False),
    ],
)
def test_paths_overlap_when_one_holds_the_other(one: str, other: str, expected: bool):
    assert RemotePath(one).overlaps(RemotePath(other)) is expected
    assert RemotePath(other).overlaps(RemotePath(one)) is expected


def test_the_name_is_the_last_segment():
    assert InstancePath("a/b.bin").name == "b.bin"
    assert InstancePath("").name == ""
