"""The climb to the best number of files in flight, and the way down after a refusal."""

from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.pacing import Pacing, Sample, paced
from cloudcopy.domain.tuning import MOST_FILES

samples = st.builds(
    Sample,
    in_flight=st.integers(1, MOST_FILES),
    files=st.integers(0, 10**6),
    bytes=st.integers(0, 10**12),
    seconds=st.floats(0, 10**4),
    throttled=st.booleans(),
)


def telling(files: int, rate: float) -> Sample:
    return Sample(in_flight=files, files=int(rate * 100), bytes=0, seconds=100.0)


def after(pacing: Pacing, rate, *, cap: int = MOST_FILES, calls: int = 12) -> Pacing:
    """After many calls on a store that does `rate(files)` files a second."""
    for _ in range(calls):
        pacing = paced(pacing, telling(pacing.files, rate(pacing.files)), cap=cap)
    return pacing


@given(st.lists(samples, max_size=40), st.integers(1, MOST_FILES), st.integers(1, MOST_FILES))
def test_it_never_leaves_its_bounds(seen, start, cap):
    pacing = Pacing(files=min(start, cap))
    for sample in seen:
        pacing = paced(pacing, sample, cap=cap)
        assert 1 <= pacing.files <= cap
        assert pacing.ceiling is None or 1 <= pacing.ceiling < MOST_FILES


@given(st.integers(4, 128), st.integers(1, MOST_FILES))
def test_it_comes_to_where_a_store_gets_no_faster(knee, start):
    """Files a second grow with the files in flight up to `knee`, and then no more."""
    pacing = after(Pacing(files=start), lambda files: 10.0 * min(files, knee))
    assert pacing.settled
    reached = min(pacing.files, knee)
    assert reached >= min(knee, MOST_FILES) / 2


def test_more_that_makes_it_slower_is_taken_back():
    pacing = after(Pacing(files=16), lambda files: 100.0 * files if files <= 32 else 500.0)
    assert (pacing.files, pacing.settled) == (32, True)


def test_a_refusal_halves_it_and_leaves_a_ceiling_that_rises_again():
    refused = Sample(in_flight=64, files=10, bytes=0, seconds=5.0, throttled=True)
    pacing = paced(Pacing(files=64), refused, cap=128)
    assert (pacing.files, pacing.ceiling) == (32, 32)
    pacing = paced(pacing, telling(32, 320.0), cap=128)
    assert pacing.ceiling == 40
    assert pacing.files == 40
    assert after(pacing, lambda files: 10.0 * files).files > 64


def test_refusals_one_after_the_other_end_at_one():
    pacing = Pacing(files=64)
    for _ in range(10):
        pacing = paced(
            pacing,
            Sample(in_flight=pacing.files, files=0, bytes=0, seconds=1.0, throttled=True),
            cap=128,
        )
    assert pacing.files == 1


def test_a_call_too_short_to_tell_changes_nothing():
    short = Sample(in_flight=64, files=100, bytes=0, seconds=0.5)
    assert paced(Pacing(files=64), short, cap=128) == Pacing(files=64)


def test_a_number_that_was_not_ours_teaches_nothing():
    capped = telling(2, 1000.0)
    assert paced(Pacing(files=64), capped, cap=128) == Pacing(files=64)


def test_a_store_that_became_much_slower_is_tried_anew():
    settled = Pacing(files=64, best=64, best_rate=1000.0, settled=True)
    assert paced(settled, telling(64, 900.0), cap=128).files == 64
    assert paced(settled, telling(64, 300.0), cap=128) == Pacing(
        files=128, best=64, best_rate=300.0
    )
