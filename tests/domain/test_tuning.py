"""What is in flight: as the caller's flags say, and bounded by the store, caps and memory."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.flags import Flags
from cloudcopy.domain.order import Verify
from cloudcopy.domain.providers import FACTS, GIB, MIB, facts
from cloudcopy.domain.tuning import (
    MOST_FILES,
    NEVER,
    Capacity,
    Known,
    Sizes,
    least_part,
    most_files,
    tune,
)

ROOMY = Capacity(cores=8, memory=64 * GIB, copies=4)
SMALL = Sizes(files=10_000, bytes=10_000 * 10_240, largest=10_240)
LARGE = Sizes(files=1, bytes=2 * GIB, large=1, largest=2 * GIB)
UP = Known(kind="s3", upload=True, sizes=SMALL, capacity=ROOMY)
DOWN = replace(UP, upload=False)

sizes = st.builds(
    lambda files, large, largest: Sizes(
        files=files, bytes=files * largest, large=min(files, large), largest=largest
    ),
    st.integers(0, 10**7),
    st.integers(0, 10**5),
    st.integers(0, 5 * 1024 * GIB),
)
known = st.builds(
    Known,
    kind=st.sampled_from([*FACTS, "pcloud"]),
    upload=st.booleans(),
    sizes=sizes,
    capacity=st.builds(
        Capacity,
        cores=st.floats(0.1, 128),
        memory=st.integers(1, 1 << 44),
        copies=st.integers(1, 64),
    ),
    set_by_connection=st.sampled_from([frozenset[str](), frozenset({"chunk_size"})]),
    round_trip=st.none() | st.floats(0, 2),
    learnt=st.none() | st.integers(1, 1000),
    cap=st.integers(1, MOST_FILES),
    verify=st.sampled_from(Verify),
)


@given(known)
def test_nothing_is_above_a_cap_or_below_one(known):
    chosen = tune(known)
    store = facts(known.kind)
    assert 1 <= chosen.transfers <= min(known.cap, store.most_files)
    assert chosen.transfers <= most_files(known)
    assert chosen.checkers >= 1
    assert chosen.streams >= 1
    if chosen.part_size:
        assert store.min_part <= chosen.part_size <= store.max_part
        assert 1 <= chosen.upload_concurrency <= known.cap


@given(known)
def test_buffers_fit_into_the_share_of_memory_unless_a_single_file_needs_more(known):
    chosen = tune(known)
    least = replace(
        chosen,
        transfers=1,
        buffer=MIB,
        part_size=min(chosen.part_size, least_part(known.sizes.largest, facts(known.kind))),
    )
    assert chosen.memory(known.sizes) <= max(known.capacity.share, least.memory(known.sizes))


@given(known, st.integers(1, 64), st.integers(1, 64))
def test_the_callers_numbers_are_taken_as_they_are(known, transfers, checkers):
    flags = Flags.parse([f"--transfers={transfers}", f"--checkers={checkers}"])
    chosen = tune(replace(known, flags=flags))
    assert (chosen.transfers, chosen.checkers) == (transfers, checkers)
    assert most_files(replace(known, flags=flags)) == transfers


def test_small_files_are_many_at_once_and_twice_as_many_on_a_long_way():
    assert tune(UP).transfers == 64
    assert tune(replace(UP, round_trip=0.1)).transfers == 128
    assert tune(replace(UP, round_trip=0.1, cap=16)).transfers == 16
    assert tune(replace(UP, learnt=32, round_trip=0.1)).transfers == 32
    assert tune(replace(UP, sizes=Sizes(files=3, bytes=3, largest=1))).transfers == 3


def test_a_store_that_is_easily_asked_too_much_is_asked_little():
    assert tune(replace(UP, kind="drive")).transfers == 4
    assert tune(replace(UP, kind="drive", round_trip=0.3, learnt=64)).transfers == 8


def test_a_large_file_goes_in_parts_side_by_side():
    chosen = tune(replace(UP, sizes=LARGE))
    assert (chosen.part_size, chosen.upload_concurrency, chosen.streams) == (16 * MIB, 8, 8)
    many = replace(LARGE, files=8, large=8, bytes=16 * GIB)
    assert tune(replace(UP, sizes=many)).upload_concurrency == 4
    assert tune(replace(DOWN, sizes=LARGE)).part_size == 0


def test_a_large_file_from_or_to_this_machine_is_left_to_rclone_and_fetched_in_one_stream():
    near = replace(UP, sizes=LARGE, round_trip=0.001)
    assert (tune(near).upload_concurrency, tune(near).streams) == (0, 4)  # rclone's own 4
    assert tune(replace(near, cap=2)).streams == 2
    assert tune(replace(near, upload=False)).streams == 1
    assert tune(replace(near, upload=False, round_trip=0.01)).streams == 8


def test_parts_grow_until_ten_thousand_of_them_are_enough():
    huge = 1024 * GIB
    chosen = tune(replace(UP, sizes=Sizes(files=1, bytes=huge, large=1, largest=huge)))
    assert chosen.part_size * 10_000 >= huge
    assert chosen.part_size % MIB == 0


def test_little_memory_takes_parts_first_and_files_last():
    tight = replace(UP, sizes=LARGE, capacity=Capacity(memory=256 * MIB, copies=4))
    chosen = tune(tight)
    assert chosen.memory(LARGE) <= tight.capacity.share
    assert chosen.streams == chosen.upload_concurrency
    for known in (replace(tight, round_trip=0.001), replace(tight, upload=False)):
        assert tune(known).streams == 4  # of 16 MiB, in the 64 MiB that every copy has
    assert chosen.transfers == 1
    assert chosen.upload_concurrency < 8
    assert tune(replace(tight, sizes=SMALL)).transfers == 64


def test_a_cap_bounds_the_streams_of_one_file():
    for known in (UP, DOWN):
        assert tune(replace(known, sizes=LARGE, cap=2)).streams == 2


def test_what_the_connection_says_itself_stays():
    chosen = tune(replace(UP, sizes=LARGE, set_by_connection=frozenset({"chunk_size"})))
    assert (chosen.part_size, chosen.upload_concurrency) == (0, 0)


@pytest.mark.parametrize(
    ("verify", "head", "checksum"),
    [(Verify.HASH, True, False), (Verify.SIZE, True, True), (Verify.NONE, False, True)],
)
def test_a_check_of_rclones_is_left_out_only_where_ours_does_the_same(verify, head, checksum):
    chosen = tune(replace(UP, verify=verify))
    assert (chosen.spare_head, chosen.spare_checksum) == (head, checksum)


def test_checks_are_left_out_on_s3_alone_and_never_in_a_download():
    for kind in FACTS.keys() - {"s3"}:
        chosen = tune(replace(UP, kind=kind, verify=Verify.SIZE))
        assert (chosen.spare_head, chosen.spare_checksum) == (False, False)
    chosen = tune(replace(DOWN, verify=Verify.SIZE))
    assert (chosen.spare_head, chosen.spare_checksum) == (False, False)


def test_one_stream_is_never_split():
    assert tune(replace(DOWN, sizes=LARGE, cap=1)).streams_from == NEVER


def test_each_row_of_the_table_has_its_source():
    assert all(each.source and each.files <= each.most_files for each in FACTS.values())
