"""How much may be deleted without a number that confirms it."""

import pytest

from cloudcopy.domain import mirror
from cloudcopy.domain.errors import Conflict


@pytest.mark.parametrize(
    ("deletions", "of", "confirmed"),
    [
        (0, 0, None),
        (0, 5, None),
        (10, 100, None),
        (1000, 10_000, None),
        (1001, 100_000, 1001),
        (5, 5, 5),
    ],
)
def test_few_pass_and_many_pass_with_their_number(deletions: int, of: int, confirmed: int | None):
    mirror.guard(deletions, of=of, confirmed=confirmed)


@pytest.mark.parametrize(
    ("deletions", "of", "confirmed"),
    [
        (11, 100, None),
        (1, 5, None),
        (1001, 1_000_000, None),
        (5, 5, 4),
        (0, 5, 3),  # somebody thinks of another plan
        (3, 0, None),  # a destination that counts wrong protects itself
    ],
)
def test_the_rest_is_refused_in_words(deletions: int, of: int, confirmed: int | None):
    with pytest.raises(Conflict, match=f"delete {deletions} ") as refused:
        mirror.guard(deletions, of=of, confirmed=confirmed)
    assert refused.value.code == "deletions_not_confirmed"
    assert any(str(deletions) in each for each in refused.value.next)
