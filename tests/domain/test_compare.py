"""When a file counts as changed, and when it is left alone."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.compare import Decision, Level, Need, Rules, Seen, decide
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import Outcome

NEW, UPDATE, UNCHANGED, KEPT = Outcome.NEW, Outcome.UPDATE, Outcome.UNCHANGED, Outcome.KEPT
A, B, NONE = "aa", "bb", ""


def what(source: Seen, destination: Seen | None, level: Level = Level.MTIME, **rules) -> Outcome:
    answer = decide(source, destination, Rules(level=level, **rules))
    assert isinstance(answer, Decision), answer
    return answer.outcome


@pytest.mark.parametrize("level", Level)
def test_what_the_destination_has_not_got_is_new(level: Level):
    assert decide(Seen(3), None, Rules(level=level, update=True)) == Decision(NEW)


@pytest.mark.parametrize(
    ("level", "outcome"),
    [
        (Level.EXISTS, KEPT),
        (Level.SIZE, UPDATE),
        (Level.MTIME, UPDATE),
        (Level.CHECKSUM, UPDATE),
    ],
)
def test_another_size_is_a_change_unless_a_name_is_enough(level: Level, outcome: Outcome):
    assert what(Seen(3), Seen(5), level) is outcome


def test_the_reason_names_both_sizes():
    answer = decide(Seen(3), Seen(5), Rules(level=Level.SIZE))
    assert answer == Decision(UPDATE, "the size differs: 5 bytes there, 3 at the source")


def test_an_unknown_size_equals_every_size():
    assert what(Seen(-1), Seen(5), Level.SIZE) is UNCHANGED
    assert what(Seen(5), Seen(-1), Level.SIZE) is UNCHANGED


def test_only_what_the_level_needs_is_asked_for():
    assert decide(Seen(3), Seen(3), Rules(level=Level.MTIME)) is Need.TIME
    assert decide(Seen(3, 7), Seen(3, 7), Rules(level=Level.MTIME)) == Decision(UNCHANGED)
    assert decide(Seen(3, 7), Seen(3, 9), Rules(level=Level.MTIME)) is Need.HASH
    assert decide(Seen(3), Seen(3), Rules(level=Level.CHECKSUM)) is Need.HASH
    assert decide(Seen(3), Seen(4), Rules(level=Level.CHECKSUM)) != Need.HASH
    assert decide(Seen(3), Seen(4), Rules(level=Level.MTIME, update=True)) is Need.TIME


@pytest.mark.parametrize(
    ("ours", "theirs", "level", "expected"),
    [
        (A, A, Level.CHECKSUM, Decision(UNCHANGED, hashed=True)),
        (A, B, Level.CHECKSUM, Decision(UPDATE, "the content differs", hashed=True)),
        (A, NONE, Level.CHECKSUM, Decision(UNCHANGED)),
        (A, A, Level.MTIME, Decision(UNCHANGED, "only the time differs", hashed=True)),
        (A, B, Level.MTIME, Decision(UPDATE, "the content differs", hashed=True)),
        (NONE, B, Level.MTIME, Decision(UPDATE, "the time differs")),
    ],
)
def test_hashes_decide_where_both_sides_have_one(
    ours: str, theirs: str, level: Level, expected: Decision
):
    assert decide(Seen(3, 10, ours), Seen(3, 20, theirs), Rules(level=level)) == expected


def test_times_within_the_coarser_precision_are_equal():
    second = 1_000_000_000
    assert what(Seen(3, 0), Seen(3, second - 1), window=second) is UNCHANGED
    assert what(Seen(3, 0, A), Seen(3, second, B), window=second) is UPDATE
    assert what(Seen(3), Seen(3), window=None) is UNCHANGED


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        (Seen(3, 10), Seen(4, 20), Decision(KEPT, "the destination has a newer one")),
        (
            Seen(3, 10),
            Seen(3, 20),
            Decision(UNCHANGED, "the destination has a newer one of the same size"),
        ),
        (
            Seen(3, 20),
            Seen(4, 10),
            Decision(UPDATE, "the size differs: 4 bytes there, 3 at the source"),
        ),
        (Seen(3, 20, A), Seen(3, 10, A), Decision(UNCHANGED, "only the time differs", hashed=True)),
        (Seen(3, 20, A), Seen(3, 10), Need.HASH),
        (Seen(3, 20, NONE), Seen(3, 10, A), Decision(UPDATE, "the destination has an older one")),
        (Seen(3, 10), Seen(3, 10), Decision(UNCHANGED)),
    ],
)
def test_update_leaves_what_is_newer(source: Seen, destination: Seen, expected: Decision | Need):
    assert decide(source, destination, Rules(level=Level.MTIME, update=True)) == expected


def test_update_without_times_of_their_own_allows_a_second():
    rules = {"update": True, "window": None}
    assert what(Seen(3, 0), Seen(4, 999_999_999), **rules) is UPDATE
    assert what(Seen(3, 0), Seen(4, 1_000_000_000), **rules) is KEPT


def test_what_must_not_be_changed_is_kept_and_named():
    rules = Rules(level=Level.MTIME, immutable=True)
    changed = decide(Seen(3), Seen(4), rules)
    assert isinstance(changed, Decision)
    assert (changed.outcome, changed.code) == (KEPT, "immutable")
    touched = decide(Seen(3, 1, A), Seen(3, 2, A), rules)
    assert touched == Decision(KEPT, "only the time differs", "immutable", hashed=True)
    assert decide(Seen(3, 1), Seen(3, 1), rules) == Decision(UNCHANGED)
    assert decide(Seen(3), None, rules) == Decision(NEW)


def test_the_flags_say_how_to_compare():
    flags = Flags.parse(["--update", "--checksum", "--immutable"])
    assert Rules.of(flags, window=7) == Rules(
        level=Level.CHECKSUM, update=True, immutable=True, window=7
    )
    assert Rules.of(Flags(), window=None) == Rules(level=Level.MTIME, window=None)


seen = st.builds(Seen, st.integers(-1, 3), st.integers(0, 3), st.sampled_from(["", "aa", "bb"]))
rules = st.builds(
    Rules,
    level=st.sampled_from(Level),
    update=st.booleans(),
    immutable=st.booleans(),
    window=st.sampled_from([1, 2, None]),
)


@given(seen, seen, rules)
def test_an_answer_never_depends_on_more_than_was_asked_for(
    source: Seen, destination: Seen, rules: Rules
):
    """Told bit by bit, as it asks, it answers the same as when it is told all at once."""
    ours, theirs = Seen(source.size), Seen(destination.size)
    asked = []
    while isinstance(answer := decide(ours, theirs, rules), Need):
        assert answer not in asked
        asked.append(answer)
        time, hash = Need.TIME in asked, Need.HASH in asked
        ours, theirs = (
            Seen(each.size, each.time if time else None, each.hash if hash else None)
            for each in (source, destination)
        )
    assert answer == decide(source, destination, rules)


@given(seen, seen, rules)
def test_a_file_is_only_overwritten_when_the_flags_allow_it(
    source: Seen, destination: Seen, rules: Rules
):
    outcome = what(
        source,
        destination,
        rules.level,
        update=rules.update,
        immutable=rules.immutable,
        window=rules.window,
    )
    assert outcome in (UPDATE, UNCHANGED, KEPT)
    if outcome is UPDATE:
        assert not rules.immutable
        assert rules.level is not Level.EXISTS
        assert source != destination or source.hash == NONE
    assert source.time is not None
    assert destination.time is not None
    if rules.update and destination.time - source.time >= 10**9:
        assert outcome is not UPDATE


@given(seen, rules)
def test_a_file_is_equal_to_itself(file: Seen, rules: Rules):
    assert what(file, file, rules.level, update=rules.update, window=rules.window) is UNCHANGED


def test_every_level_has_an_answer_for_every_pair():
    sides = [Seen(*each) for each in product((1, 2), (1, 2), (A, B, NONE))]
    for level, update, source, destination in product(Level, (False, True), sides, sides):
        assert what(source, destination, level, update=update) in (UPDATE, UNCHANGED, KEPT)
