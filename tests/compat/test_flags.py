"""Each of the five flags that the public client offers is accepted and has rclone's meaning.

Each test copies once with the flag, through the client, and once without it, through the
API: what differs between the two is what the flag does.
"""

import os
from typing import Any

from tests.compat.client import Vastai
from tests.compat.place import Place

LONG_AGO, FAR_AHEAD = 1_000_000_000, 4_000_000_000  # 2001 and 2096


def flagged(vastai: Vastai, place: Place, flag: str) -> dict[str, bytes]:
    """The objects after a copy with `flag`, in the direction that is the client's own default."""
    answer = place.cloud_copy(vastai, flag, transfer=None)
    assert (answer.code, answer.err) == (0, "")
    assert "Instance to Cloud\nCloud Copy Started" in answer.out
    assert last(place)["flags"] == [flag]
    return place.objects()


def plain(place: Place) -> dict[str, bytes]:
    """The objects after a copy without any flag."""
    place.up.api.ok("POST", "/api/v0/commands/rclone/", place.order())
    assert last(place)["flags"] == []
    return place.objects()


def last(place: Place) -> dict[str, Any]:
    """The latest transfer, once it has succeeded."""
    ended = place.up.api.wait(place.up.transfers()[0]["id"])
    assert ended["state"] == "succeeded", ended
    return ended


def test_dry_run_copies_nothing(vastai: Vastai, place: Place):
    place.write({"a": b"new"})
    assert flagged(vastai, place, "--dry-run") == {}
    told = last(place)["result"]["summary"]
    assert told == "dry run: 1 files (3 B) would be copied, nothing was"
    assert plain(place) == {"a": b"new"}


def test_size_only_leaves_files_of_equal_size(vastai: Vastai, place: Place):
    place.put({"same": b"old", "other": b"older"})
    place.write({"same": b"new", "other": b"newest"})
    os.utime(place.local / "same", (LONG_AGO, LONG_AGO))
    assert flagged(vastai, place, "--size-only") == {"same": b"old", "other": b"newest"}
    assert plain(place) == {"same": b"new", "other": b"newest"}


def test_ignore_existing_leaves_files_that_are_there(vastai: Vastai, place: Place):
    place.put({"there": b"older"})
    place.write({"there": b"new", "missing": b"new"})
    assert flagged(vastai, place, "--ignore-existing") == {"there": b"older", "missing": b"new"}
    assert plain(place) == {"there": b"new", "missing": b"new"}


def test_update_leaves_files_that_are_newer_there(vastai: Vastai, place: Place):
    place.put({"newer there": b"there", "older there": b"there"})
    place.write({"newer there": b"here", "older there": b"here"})
    os.utime(place.local / "newer there", (LONG_AGO, LONG_AGO))
    os.utime(place.local / "older there", (FAR_AHEAD, FAR_AHEAD))
    expected = {"newer there": b"there", "older there": b"here"}
    assert flagged(vastai, place, "--update") == expected
    assert plain(place) == {"newer there": b"here", "older there": b"here"}


def test_delete_excluded_deletes_nothing(vastai: Vastai, place: Place):
    place.put({"extra": b"extra"})
    place.write({"a": b"a"})
    assert flagged(vastai, place, "--delete-excluded") == {"extra": b"extra", "a": b"a"}
    assert plain(place) == {"extra": b"extra", "a": b"a"}
