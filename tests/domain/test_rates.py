"""How often a key may be used."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.rates import SLOWEST, Bucket, Rate, full, take, tightest

NOW = datetime(2031, 1, 1, tzinfo=UTC)
RATE = Rate(2.0, 3)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_burst_goes_through_and_then_one_waits():
    bucket: Bucket | None = None
    waits = []
    for _ in range(4):
        bucket, wait = take(bucket, RATE, NOW)
        waits.append(wait)
    assert waits == [0, 0, 0, 1]
    assert take(bucket, RATE, later(0.4))[1] == 1
    assert take(bucket, RATE, later(0.5))[1] == 0


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing():
    empty = Bucket(0.0, NOW)
    bucket, wait = take(empty, RATE, later(-3600))
    assert (bucket.tokens, wait) == (0.0, 1)


def test_a_bucket_that_had_time_is_as_a_new_one():
    assert not full(Bucket(0.0, NOW), RATE, later(1.4))
    assert full(Bucket(0.0, NOW), RATE, later(1.5))


@given(st.floats(SLOWEST, 100), st.lists(st.floats(0, 3), max_size=40))
def test_nobody_gets_more_than_the_burst_and_the_rate_or_waits_over_a_minute(
    per_second: float, pauses: list[float]
):
    rate = Rate(per_second, 4)
    bucket: Bucket | None = None
    taken, at = 0, 0.0
    for pause in pauses:
        at += pause
        bucket, wait = take(bucket, rate, later(at))
        taken += not wait
        assert 0 <= wait <= 60
    assert taken <= 4 + at * per_second + 1e-3


@pytest.mark.parametrize(
    ("per_second", "burst", "field"),
    [
        (0.0, None, "requests_per_second"),
        (-1.0, None, "requests_per_second"),
        (float("nan"), None, "requests_per_second"),
        (float("inf"), None, "requests_per_second"),
        (1.0, 0, "burst"),
        (1.0, 100_001, "burst"),
        (None, 5, "burst"),
    ],
)
def test_a_rate_out_of_bounds_is_refused(per_second: float | None, burst: int | None, field: str):
    with pytest.raises(Invalid) as refused:
        Rate.parse(per_second, burst)
    assert refused.value.field == field


def test_without_a_burst_it_is_that_of_ten_seconds():
    assert Rate.parse(2.5, None) == Rate(2.5, 25)
    assert Rate.parse(0.1, None) == Rate(0.1, 1)
    assert Rate.parse(None, None) is None


def test_the_tightest_of_two_is_what_both_let_through():
    assert tightest(Rate(1, 50), Rate(2, 5)) == Rate(1, 5)
    assert tightest(None, RATE) == RATE
    assert tightest(RATE, None) == RATE
    assert tightest(None, None) is None
    assert not Rate(1, 50).covers(Rate(2, 5))
    assert Rate(2, 50).covers(Rate(2, 5))
