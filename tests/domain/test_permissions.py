"""What keys may do: read, written, and never more than was said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.permissions import ANY, ENDPOINTS, FULL, Category, Ids, Permissions

LOGS = "api.instance.request_logs"
READ, WRITE = Category.INSTANCE_READ, Category.INSTANCE_WRITE


def of(**api: Any) -> Permissions:
    return Permissions.parse({"api": api})


def at(**bounds: object) -> dict[str, Any]:
    return {"constraints": {"id": bounds}}


def test_nothing_said_is_everything():
    assert Permissions.parse(None) == FULL
    assert FULL.as_json() is None
    assert all(FULL.allows(category, None, [1, 2]) for category in Category)


def test_a_category_is_given_whole_and_alone():
    given_ = of(instance_read={})
    assert given_.allows(READ, LOGS, [101])
    assert given_.allows(READ)
    assert not given_.allows(WRITE)
    assert not given_.allows(Category.USER_READ)


def test_the_documented_examples_mean_what_the_documents_say():
    one = of(instance_read={LOGS: at(eq=1227)})
    assert one.allows(READ, LOGS, [1227])
    assert not one.allows(READ, LOGS, [1228])
    assert not one.allows(READ, "api.instance.show", [1227])
    assert not one.allows(READ, None, [1227])
    two = of(instance_read={LOGS: at(gte=1, lte=2)})
    assert [id for id in range(4) if two.allows(READ, LOGS, [id])] == [1, 2]


def test_a_whole_category_can_be_for_some_instances():
    some = of(instance_write=at(gte="101"))
    assert some.allows(WRITE, "api.instance.copy", [101, 500])
    assert not some.allows(WRITE, "api.instance.copy", [101, 100])
    assert some.reach(WRITE) == Ids(least=101)


def test_several_operators_hold_together():
    assert of(instance_read=at(eq=5, lte=9)).reach(READ) == Ids(5, 5)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "nothing beside it"),
        ({"read": True}, "nothing beside it"),
        ({"api": {}, "params": {}}, "nothing beside it"),
        ({"api": {}}, "names no category"),
        ({"api": {"everything": {}}}, "there is no category 'everything'"),
        ({"api": {"instance_read": True}}, "must be a JSON object"),
        ([], "must be a JSON object"),
        ("full", "must be a JSON object"),
        (False, "must be a JSON object"),
        ({"api": {"instance_read": {"api.nope": {}}}}, "has no endpoint 'api.nope'"),
        ({"api": {"billing_read": {"*": {}}}}, "has no endpoint"),
        ({"api": {"instance_read": {LOGS: {"params": {}}}}}, "can hold 'constraints'"),
        ({"api": {"instance_read": {LOGS: {}, **at(eq=1)}}}, "constraints and endpoints"),
        ({"api": {"user_read": at(eq=1)}}, "user_read cannot have constraints"),
        ({"api": {"instance_read": {"constraints": {}}}}, "must be on 'id'"),
        ({"api": {"instance_read": {"constraints": {"label": {"eq": 1}}}}}, "must be on 'id'"),
        ({"api": {"instance_read": at()}}, "there is no operator"),
        ({"api": {"instance_read": at(neq=1)}}, "'neq' is no operator"),
        ({"api": {"instance_read": at(eq=True)}}, "must be an id"),
        ({"api": {"instance_read": at(eq=1.5)}}, "must be an id"),
        ({"api": {"instance_read": at(eq="x")}}, "must be an id"),
        ({"api": {"instance_read": at(eq=-1)}}, "must be an id"),
        ({"api": {"instance_read": at(eq=2**63)}}, "must be an id"),
        ({"api": {"instance_read": at(gte=3, lte=2)}}, "no id can be"),
    ],
)
def test_what_is_not_understood_is_refused_in_words(value: object, words: str):
    with pytest.raises(Invalid, match="permissions") as refused:
        Permissions.parse(value)
    assert words in str(refused.value)
    assert refused.value.code == "bad_permissions"


def test_a_list_of_all_endpoints_is_not_the_category():
    listed = of(user_read={name: {} for name in ENDPOINTS[Category.USER_READ]})
    assert of(user_read={}).covers(listed)
    assert not listed.covers(of(user_read={}))


def test_only_everything_covers_everything():
    assert not of(**{category.value: {} for category in Category}).covers(FULL)
    assert FULL.covers(FULL)


def test_a_constraint_is_covered_by_a_wider_one_only():
    wide, narrow = of(instance_read=at(gte=1, lte=9)), of(instance_read={LOGS: at(eq=5)})
    assert wide.covers(narrow)
    assert not narrow.covers(wide)
    assert not wide.covers(of(instance_read=at(gte=1)))
    assert not wide.covers(of(instance_read={}))


bounds = st.sampled_from(
    [{}, at(eq=2), at(gte=1), at(lte=3), at(gte=1, lte=3), at(gte=2, lte=2), at(eq="3")]
)


def grants(category: Category) -> st.SearchStrategy[Any]:
    names = st.sampled_from(ENDPOINTS.get(category, ("",)))
    inside = bounds if category in (READ, WRITE) else st.just({})
    some = st.dictionaries(names, inside, min_size=1) if category in ENDPOINTS else st.just({})
    return st.one_of(inside, some)


KINDS = [READ, WRITE, Category.USER_READ, Category.MISC]  # few, so that two often meet
permissions = st.one_of(
    st.just(FULL),
    st.fixed_dictionaries({}, optional={each.value: grants(each) for each in KINDS})
    .filter(bool)
    .map(lambda api: Permissions.parse({"api": api})),
)


@given(permissions)
def test_permissions_cover_themselves_and_are_read_back_as_written(one: Permissions):
    assert one.covers(one)
    assert Permissions.parse(one.as_json()) == one


@given(permissions, permissions, permissions)
def test_what_covers_is_covered_further_up(one: Permissions, two: Permissions, three: Permissions):
    if one.covers(two) and two.covers(three):
        assert one.covers(three)


@given(permissions, permissions, st.integers(0, 5))
def test_what_a_covered_key_may_do_its_parent_may(parent: Permissions, child: Permissions, id: int):
    if not parent.covers(child):
        return
    for category in Category:
        for endpoint in (None, *ENDPOINTS.get(category, ())):
            if child.allows(category, endpoint, [id]):
                assert parent.allows(category, endpoint, [id])


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_ids_are_those_between_the_bounds(least: int, most: int, id: int):
    assert (id in Ids(least, most)) == (least <= id <= most)
    assert id in ANY
    assert (id in Ids(least=least), id in Ids(most=most)) == (id >= least, id <= most)
