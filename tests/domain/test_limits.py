"""What keeps a copy from being faster, in the words that people read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.limits import Gauges, Limit, limited_by


def told(**read: object) -> tuple[Limit, str]:
    found = limited_by(Gauges(**{"upload": True, **read}))  # type: ignore[arg-type]
    return found.kind, found.text


@pytest.mark.parametrize(
    ("read", "kind", "text"),
    [
        (
            {"throttled": 3, "busy": 2.0, "cores": 2.0},
            Limit.THROTTLING,
            "the store is throttling (it said so 3 times)",
        ),
        (
            {"rate": 1e6, "bandwidth": 1048576, "bandwidth_word": "--bwlimit 1M"},
            Limit.BANDWIDTH_CAP,
            "your cap (--bwlimit 1M)",
        ),
        (
            {"busy": 1.9, "cores": 2.0},
            Limit.CPU,
            "CPU of this machine (95 % of 2 cores busy)",
        ),
        ({"busy": 1.2}, Limit.CPU, "CPU of this machine (100 % of its one core busy)"),
        (
            {"io_stalled": 0.62},
            Limit.DISK,
            "the source disk (62 % of the time waited for it)",
        ),
        (
            {"io_stalled": 0.5, "upload": False},
            Limit.DISK,
            "the destination disk (50 % of the time waited for it)",
        ),
        (
            {"in_flight": 2, "transfers": 2, "files_cap": "--transfers 2", "round_trip": 0.1},
            Limit.FILES_CAP,
            "your cap (--transfers 2)",
        ),
        (
            {"in_flight": 64, "transfers": 64, "files_rate": 1000.0, "round_trip": 0.03},
            Limit.LATENCY,
            "latency (64 files in flight at a round trip of 30 ms)",
        ),
        ({"rate": 1048576.0}, Limit.NETWORK, "the network or the store (1.0 MiB/s)"),
    ],
)
def test_the_first_that_explains_it_is_told(read, kind, text):
    assert told(**read) == (kind, text)


def test_a_way_that_is_short_or_a_minor_part_of_the_time_is_no_reason():
    few = {"in_flight": 64, "transfers": 64, "files_rate": 1000.0}
    assert told(**few, round_trip=0.001)[0] is Limit.NETWORK
    assert told(**{**few, "files_rate": 100.0}, round_trip=0.03)[0] is Limit.NETWORK
    assert told(**few)[0] is Limit.NETWORK


@given(
    st.builds(
        Gauges,
        upload=st.booleans(),
        rate=st.floats(0, 1e12),
        files_rate=st.floats(0, 1e6),
        cores=st.floats(0.01, 512),
        busy=st.floats(0, 1024),
        io_stalled=st.none() | st.floats(0, 2),
        in_flight=st.integers(0, 128),
        transfers=st.integers(1, 128),
        round_trip=st.none() | st.floats(0, 10),
    )
)
def test_there_is_always_a_sentence(read):
    assert limited_by(read).text
