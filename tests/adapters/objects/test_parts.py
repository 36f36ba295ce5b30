"""The parts of the second mover that need neither a store nor a sandbox."""

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudcopy.adapters.objects.child import local, options
from cloudcopy.adapters.objects.child.call import Call, Limit
from cloudcopy.adapters.objects.child.failing import Failure, Stopped, answered, of_network
from cloudcopy.adapters.objects.child.names import (
    as_metadata,
    from_metadata,
    place,
    plain,
    shown,
    stamp,
)
from cloudcopy.adapters.objects.child.pieces import MOST, PIECE, Pieces, piece_bytes, ranges
from cloudcopy.adapters.objects.child.sums import Sums
from cloudcopy.adapters.objects.child.width import Width
from cloudcopy.adapters.rclone.names import askable
from cloudcopy.adapters.rclone.reasons import reason

OLD = (1_000_000_000, 1_000_000_000)


@pytest.mark.parametrize("name", ["a/b.txt", " blank .txt", "#x;[1]*.txt", "é", "a..b", ".hidden"])
def test_a_usual_name_is_the_same_to_both_movers(name: str):
    assert plain(name)
    assert askable(name)


@pytest.mark.parametrize(
    "name",
    ["a//b", "/a", "a/", "a/../b", "a\tb", "a\n", "x\ufffd", "\u201bx", "\uff0e", "a/\uff0e"],
)
def test_a_name_that_rclone_writes_in_its_own_way_is_not(name: str):
    assert not plain(name)


def test_a_byte_that_is_no_utf8_is_shown_as_rclone_shows_it():
    assert shown(os.fsdecode(b"bad-\xff.txt")) == "bad-\ufffd.txt"


@pytest.mark.parametrize("time", [0, 1, 1_700_000_000_123_456_789, -1_500_000_000])
def test_a_time_survives_an_objects_metadata(time: int):
    assert from_metadata(as_metadata(time)) == time


def test_rclones_own_way_of_writing_a_time_is_read():
    assert from_metadata("1700000000.5") == 1_700_000_000_500_000_000
    assert from_metadata("1700000000") == 1_700_000_000_000_000_000
    assert from_metadata("today") is None
    assert stamp(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"


def test_a_place_in_the_store_is_a_bucket_and_a_key():
    assert place("R:bucket/below/", "a/b") == "bucket/below/a/b"
    assert place("R,description=server-times:bucket/below/", "") == "bucket/below"
    assert place("R:", "bucket/key") == "bucket/key"


def test_options_are_read_in_rclones_spelling_and_no_secret_is_shown():
    secret = {"access_key_id": " k = x ", "secret_access_key": "a/b+c=="}
    read = options.read(["--timeout=2h", "--bwlimit=4M", "--transfers=2"], secret)
    assert read.store == secret
    assert (read.timeout, read.rate, read.small, read.large) == (7200, 4 << 20, 2, 2)
    assert "a/b" not in repr(read)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (answered("PUT", 403, "AccessDenied"), "access_denied"),
        (answered("HEAD", 403, "Forbidden"), "access_denied"),
        (answered("PUT", 403, "SignatureDoesNotMatch"), "bad_credentials"),
        (answered("PUT", 400, "ExpiredToken"), "expired_credentials"),
        (answered("PUT", 404, "NoSuchBucket"), "no_such_bucket"),
        (answered("GET", 404, "NoSuchKey"), "not_found"),
        (answered("PUT", 503, "SlowDown"), "throttled"),
        (answered("PUT", 500, "InternalError"), "store_error"),
        (answered("PUT", 400, "BadDigest"), "corrupted"),
        (of_network(TimeoutError()), "connection_lost"),
        (of_network(ConnectionResetError(104, "x")), "connection_lost"),
        (of_network(ConnectionRefusedError(111, "x")), "unreachable"),
    ],
)
def test_errors_are_told_in_words_with_a_known_reason(error: Failure, code: str):
    assert reason(str(error)).code == code


# Local files


def test_a_hash_is_known_only_of_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "a"
    path.write_text("one")
    os.utime(path, ns=OLD)
    sums = Sums()
    sums.keep(path.stat(), "h", read=False)
    assert sums.of(path.stat()) == "h"
    path.write_text("two")
    os.utime(path, ns=OLD)  # size and time as before
    assert sums.of(path.stat()) == ""


def test_a_file_that_was_written_to_just_now_is_read_again(tmp_path: Path):
    path = tmp_path / "a"
    path.write_text("one")
    sums = Sums()
    sums.keep(path.stat(), "h", read=True)
    assert sums.of(path.stat()) == ""


@pytest.mark.parametrize("change", ["longer", ""])
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path, change: str):
    (tmp_path / "a").write_text("content")

    def read() -> None:
        with local.reading(str(tmp_path), "a") as file:
            (tmp_path / "a").write_text(change)
            file.part(0, memoryview(bytearray(7)))
            file.check()

    with pytest.raises(Failure) as told:
        read()
    assert reason(str(told.value)).code == "source_changed"


def test_a_file_that_is_not_finished_leaves_nothing(tmp_path: Path):
    unfinished = local.Unfinished()
    with suppress(Stopped), local.writing(str(tmp_path), "deep/a", unfinished) as file:
        file.write(memoryview(b"half"), 0)
        raise Stopped
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
    with local.writing(str(tmp_path), "deep/" + "n" * 255, unfinished) as file:
        file.write(memoryview(b"whole"), 0)
        file.finish(5_000_000_001)
    path = tmp_path / "deep" / ("n" * 255)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (b"whole", 5_000_000_001)


def test_what_a_killed_copy_left_is_replaced_when_it_begins_again(tmp_path: Path):
    place = str(tmp_path / "a")
    left = Path(local.Unfinished("t_1").name(place))
    left.write_bytes(b"torn, and longer")
    other = Path(local.Unfinished("t_2").name(place))
    other.write_bytes(b"of another copy")
    with local.writing(str(tmp_path), "a", local.Unfinished("t_1")) as file:
        file.write(memoryview(b"whole"), 0)
        file.finish(None)
    assert set(tmp_path.iterdir()) == {tmp_path / "a", other}
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_what_is_left_at_the_end_is_removed(tmp_path: Path):
    unfinished = local.Unfinished()
    with local.writing(str(tmp_path), "a", unfinished) as file:
        unfinished.remove()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(FileNotFoundError):
            file.finish(None)


# Threads


def test_a_refusal_halves_what_is_in_flight_once_for_all_that_was_under_way():
    width, call, most = Width(), Call(), 64

    def flying() -> int:
        return sum(width.may(each, most) for each in range(most))

    width.refused(began := time.monotonic())
    assert flying() == 32
    width.refused(began)
    assert flying() == 32
    for _ in range(33):
        width.done(most)
    assert flying() == 33
    for _ in range(10):
        width.refused(time.monotonic())
    assert flying() == 1
    width.wait(0, most, call)
    width.open()
    width.wait(most - 1, most, call)


def test_who_waits_goes_on_when_there_is_room_again():
    width, call, on = Width(), Call(), threading.Event()
    width.refused(time.monotonic())

    def work() -> None:
        width.wait(1, 2, call)
        on.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert not on.is_set()
    width.done(2)
    thread.join(5)
    assert on.is_set()


def test_no_file_has_more_parts_than_a_store_takes():
    assert piece_bytes(1) == PIECE
    for size in (PIECE * MOST, PIECE * MOST + 1, 5 << 40):
        assert len(ranges(size, piece_bytes(size))) <= MOST
    assert ranges(0, PIECE) == [(0, 0)]
    assert ranges(PIECE + 1, PIECE) == [(0, PIECE), (PIECE, 1)]


def test_a_piece_that_fails_fails_for_who_waits_and_for_nobody_else():
    pieces = Pieces(1, Call(), Width())
    failing = pieces.add(lambda buffer: 1 // 0)
    assert pieces.add(len).result() == PIECE
    with pytest.raises(ZeroDivisionError):
        failing.result()
    pieces.close()


@dataclass
class _Never(threading.Event):
    """Lets no time pass, and sums what was waited for."""

    waited: float = 0.0

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited += timeout or 0.0
        return self.is_set()


def test_a_limit_holds_back_and_hanging_up_ends_the_wait():
    call = Call()
    call.stopped = waiting = _Never()
    Limit(1000.0).take(5000, call)
    assert waiting.waited > 5.0 - 0.1
    call.stop()
    with pytest.raises(Stopped):
        Limit(1.0).take(10, call)
