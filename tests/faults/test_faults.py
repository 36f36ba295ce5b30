"""When a fault comes: known from the request alone, or counted from a moment."""

import random

import pytest

from tests.faults.faults import (
    EXPIRED,
    INTERNAL,
    SLOW_DOWN,
    Between,
    Break,
    Call,
    Request,
    Requests,
    always,
    either,
    first,
    share,
)

PUTS = [Request("PUT", f"/b/{name}", nth) for name in range(500) for nth in (1, 2)]


def test_a_share_of_requests_is_the_same_in_any_order():
    plan = share(7, 0.2, [SLOW_DOWN, Break.RESET])
    there = {each: plan(each) for each in PUTS}
    shuffled = random.Random(1).sample(PUTS, len(PUTS))
    assert {each: plan(each) for each in shuffled} == there
    spoilt = [fault for fault in there.values() if fault]
    assert 150 < len(spoilt) < 250
    assert set(spoilt) == {SLOW_DOWN, Break.RESET}


def test_another_seed_draws_another_share():
    one, other = share(7, 0.2, [Break.RESET]), share(8, 0.2, [Break.RESET])
    assert [one(each) for each in PUTS] != [other(each) for each in PUTS]


def test_the_whole_share_is_all_and_no_share_is_none():
    assert {share(7, 1, [INTERNAL])(each) for each in PUTS} == {INTERNAL}
    assert {share(7, 0, [INTERNAL])(each) for each in PUTS} == {None}


def test_parts_differ_and_a_new_upload_of_the_same_part_counts_on():
    requests = Requests()
    one = requests.number("PUT", "/b/k?partNumber=1&uploadId=u&x-id=UploadPart")
    two = requests.number("PUT", "/b/k?partNumber=2&uploadId=u&x-id=UploadPart")
    again = requests.number("PUT", "/b/k?partNumber=1&uploadId=v&x-id=UploadPart")
    signed = requests.number("PUT", "/b/k?partNumber=2&uploadId=v&x-id=UploadPart&X-Amz-Date=now")
    assert [each.nth for each in (one, two, again, signed)] == [1, 1, 2, 2]
    assert one.same == again.same != two.same == signed.same


def test_each_request_fails_its_first_times():
    plan = first(2, Break.RESET, {Call.PUT})
    assert [plan(Request("PUT", "/b/k", nth)) for nth in (1, 2, 3)] == [Break.RESET] * 2 + [None]
    assert plan(Request("PUT", "/b/other", 1)) is Break.RESET
    assert plan(Request("GET", "/b/k", 1)) is None


def test_requests_fail_from_a_moment_on_or_until_another():
    on = Between(2, EXPIRED, calls=frozenset({Call.GET}))
    both = [Request("GET", "/b/k"), Request("HEAD", "/b/k")] * 3
    assert [on(each) for each in both] == [None, None, EXPIRED, None, EXPIRED, None]
    window = Between(2, EXPIRED, end=3)
    assert [window(each) for each in both] == [None, EXPIRED, EXPIRED, None, None, None]


def test_the_first_of_two_plans_with_a_fault_decides():
    plan = either(always(SLOW_DOWN, {Call.PUT}), always(INTERNAL, {Call.PUT, Call.GET}))
    asked = [plan(Request(method, "/b/k")) for method in ("PUT", "GET", "HEAD")]
    assert asked == [SLOW_DOWN, INTERNAL, None]


@pytest.mark.parametrize(
    ("method", "target", "call"),
    [
        ("GET", "/", Call.LIST),
        ("GET", "/b?list-type=2&prefix=x", Call.LIST),
        ("GET", "/b/?uploads", Call.LIST),
        ("GET", "/b/k?uploadId=u", Call.LIST),
        ("GET", "/b/k?x-id=GetObject", Call.GET),
        ("HEAD", "/b/k", Call.HEAD),
        ("PUT", "/b/k", Call.PUT),
        ("PUT", "/b/k?partNumber=1&uploadId=u", Call.PART),
        ("PUT", "/b", Call.OTHER),
        ("POST", "/b/k?uploads=", Call.BEGIN),
        ("POST", "/b/k?uploadId=u", Call.COMPLETE),
        ("POST", "/b?delete", Call.DELETE),
        ("DELETE", "/b/k?uploadId=u", Call.ABORT),
        ("DELETE", "/b/k", Call.DELETE),
    ],
)
def test_requests_are_known_by_what_they_ask(method: str, target: str, call: Call):
    assert Request(method, target).call is call
