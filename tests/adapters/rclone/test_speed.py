"""The rate over the last seconds, and the time that is left."""

import pytest

from cloudcopy.adapters.rclone.speed import WINDOW_SECONDS, Speed


def speed(*seen: tuple[float, int]) -> Speed:
    made = Speed()
    for now, done in seen:
        made.at(now, done)
    return made


def test_the_rate_is_that_of_the_last_seconds_and_not_of_the_whole_copy():
    steady = [(float(second), second * 100) for second in range(30)]
    assert speed(*steady).rate == 100.0
    stalled = [(30.0 + second, 2900) for second in range(int(WINDOW_SECONDS) + 1)]
    assert speed(*steady, *stalled).rate == 0.0


def test_bytes_that_are_taken_back_are_no_negative_rate():
    assert speed((0.0, 100), (1.0, 40)).rate == 0.0


@pytest.mark.parametrize(
    ("seen", "left", "eta"),
    [([(0.0, 0), (2.0, 200)], 1000, 10), ([(0.0, 0), (2.0, 0)], 1000, None), ([(0.0, 0)], 5, None)],
)
def test_the_time_that_is_left_is_unknown_while_nothing_moves(seen, left, eta):
    assert speed(*seen).eta(left) == eta


def test_memory_is_the_window_whatever_the_copy_lasts():
    made = speed(*((float(second), second) for second in range(10_000)))
    assert len(made._seen) <= WINDOW_SECONDS + 2
