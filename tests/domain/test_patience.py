"""How long a copy waits before it tries again, and when it gives up."""

import pytest

from cloudcopy.domain.patience import (
    FIRST_SECONDS,
    MAX_ASKED_SECONDS,
    MAX_SECONDS,
    ROUNDS,
    THROTTLED_SECONDS,
    asked_seconds,
    pause,
)


def own(done: int, *, throttled: bool = False, jitter: float = 1.0) -> float | None:
    return pause(done, throttled=throttled, asked=None, jitter=jitter)


def test_each_wait_is_twice_the_one_before_and_never_beyond_the_cap():
    waits = [own(done) for done in range(1, ROUNDS)]
    assert waits == [FIRST_SECONDS * 2**n for n in range(ROUNDS - 1)]
    assert max(own(done, throttled=True) or 0 for done in range(1, ROUNDS)) <= MAX_SECONDS


def test_a_store_that_is_asked_too_much_is_given_longer():
    assert own(1, throttled=True) == THROTTLED_SECONDS


def test_copies_that_failed_together_come_back_apart_but_never_at_once():
    assert own(1, jitter=0.0) == FIRST_SECONDS / 2
    assert own(1, jitter=0.5) == FIRST_SECONDS * 0.75


def test_it_gives_up_after_the_last_round():
    assert own(ROUNDS) is None
    assert pause(ROUNDS, throttled=True, asked=3.0, jitter=0.0) is None


def test_a_store_that_says_how_long_is_never_asked_earlier():
    assert pause(1, throttled=True, asked=30.0, jitter=0.0) == 30.0
    assert (pause(1, throttled=True, asked=30.0, jitter=0.9) or 0) > 30.0
    assert pause(4, throttled=True, asked=1.0, jitter=1.0) == own(4, throttled=True)
    assert (pause(1, throttled=True, asked=86400.0, jitter=0.0)) == MAX_ASKED_SECONDS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("too many requests: retry after 30 seconds", 30.0),
        ("Trying again in 300 seconds.", 300.0),
        ("Retry-After: 17", 17.0),
        ("try again after 2031-05-06T07:08:09.123Z (1m30.5s)", 90.5),
        ("try again after 2031-05-06T07:08:09Z (1h0m0s)", 3600.0),
        ("try again after lunch", None),
        ("api error SlowDown: Please reduce your request rate", None),
        ("Failed to copy 12 files", None),
    ],
)
def test_the_time_that_an_error_asks_for_is_found(text: str, seconds: float | None):
    assert asked_seconds(text) == seconds
