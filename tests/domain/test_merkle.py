"""The root is that of RFC 6962 over canonical rows, whatever their number."""

import hashlib

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.merkle import EMPTY, Tree

Row = tuple[str | int, ...]


def tree(rows: list[Row]) -> Tree:
    grown = Tree()
    for row in rows:
        grown.add(*row)
    return grown


def by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = by_the_book(leaves[:split]), by_the_book(leaves[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


def test_no_rows_have_the_hash_of_nothing():
    assert Tree().root() == EMPTY == hashlib.sha256(b"").hexdigest()


def test_one_row_is_its_leaf():
    leaf = b'\0["a/b.txt",12,"9a0364b9e99bb480dd25e1f0284c8555"]'
    grown = tree([("a/b.txt", 12, "9a0364b9e99bb480dd25e1f0284c8555")])
    assert (grown.root(), len(grown)) == (hashlib.sha256(leaf).hexdigest(), 1)


texts = st.text(st.characters(codec="utf-8"))
rows = st.lists(st.tuples(texts, st.integers(-1, 2**53 - 1), texts), max_size=40)


@given(rows)
def test_any_rows_have_the_root_of_the_book(rows: list[Row]):
    grown = tree(rows)
    leaves = [rfc8785.dumps(list(row)) for row in rows]
    assert (grown.root(), len(grown)) == (by_the_book(leaves).hex(), len(rows))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 1000])
def test_asking_for_the_root_on_the_way_changes_nothing(count: int):
    asked, quiet = Tree(), Tree()
    for number in range(count):
        asked.add(f"{number:04}", number)
        quiet.add(f"{number:04}", number)
        asked.root()
    assert asked.root() == quiet.root()


@given(rows.filter(lambda rows: len(rows) > 1), st.data())
def test_every_change_of_a_row_changes_the_root(rows: list[Row], data: st.DataObject):
    place = data.draw(st.integers(0, len(rows) - 1))
    path, size, hash = rows[place]
    changed = data.draw(st.sampled_from([(f"{path}x", size, hash), (path, size, f"{hash}0")]))
    assert tree([*rows[:place], changed, *rows[place + 1 :]]).root() != tree(rows).root()
    assert tree([*rows[:place], *rows[place + 1 :]]).root() != tree(rows).root()


def test_a_name_that_is_no_unicode_has_a_root_all_the_same():
    assert len(tree([("bad\udcff", 1, "")]).root()) == 64
