"""Which slots have come and what is run of them, over plain cron arithmetic and the real one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudcopy.adapters.cron import read_cron
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.machine import AccountId, InstanceId
from cloudcopy.domain.order import Direction, Order
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.schedule import (
    GRACE,
    MAX_CAUGHT_UP,
    MAX_WALK,
    Arrived,
    CatchUp,
    Pause,
    Schedule,
    ScheduleId,
    Terms,
    Timing,
    arrived,
    checked,
    clock_went_back,
    due,
    failing,
    failure,
    overdue,
    spread_minute,
)
from cloudcopy.domain.transfer import State

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def hourly(moment: datetime, /) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0) + HOUR


def schedule(**changes) -> Schedule:
    timing = Timing(cron="0 * * * *", **changes.pop("timing", {}))
    terms = Terms(**changes.pop("terms", {}))
    order = Order(
        instance=InstanceId(1),
        connection=ConnectionId(1),
        direction=Direction.TO_CLOUD,
        local=InstancePath("a"),
        remote=RemotePath("b"),
        flags=Flags(),
    )
    known = {
        "id": ScheduleId(5),
        "account": AccountId(1),
        "key": KeyId("k"),
        "order": order,
        "bwlimit": "",
        "created_at": T0,
        "counted_from": T0,
        "next_at": T0 + HOUR,
        "moved_at": T0,
    }
    return Schedule(**known | changes, timing=timing, terms=terms)


def come(now: datetime, **changes) -> tuple[list[Arrived], datetime | None]:
    found, next_at = arrived(schedule(**changes), now=now, next_after=hourly)
    return list(found), next_at


def test_a_slot_is_run_when_it_has_come_and_not_before():
    assert come(T0 + HOUR - SECOND) == ([], T0 + HOUR)
    assert come(T0 + HOUR) == ([Arrived(T0 + HOUR)], T0 + 2 * HOUR)
    assert come(T0 + HOUR + GRACE) == ([Arrived(T0 + HOUR)], T0 + 2 * HOUR)


def test_a_slot_that_nobody_came_to_run_is_missed_and_not_run():
    late = T0 + HOUR + GRACE + SECOND
    assert come(late) == ([Arrived(T0 + HOUR, missed=1)], T0 + 2 * HOUR)


def test_after_an_outage_the_policy_says_what_is_run():
    now = T0 + 4 * HOUR + GRACE + SECOND  # four are missed, none is due now
    first, rest = T0 + HOUR, T0 + 2 * HOUR
    assert come(now) == ([Arrived(first, missed=4)], T0 + 5 * HOUR)
    once = [Arrived(first, late=True), Arrived(rest, missed=3)]
    assert come(now, terms={"catch_up": CatchUp.ONCE})[0] == once
    every = [Arrived(T0 + n * HOUR, late=True) for n in range(1, 5)]
    assert come(now, terms={"catch_up": CatchUp.ALL})[0] == every


def test_a_slot_that_is_due_anyway_stands_for_the_missed_ones():
    found, _ = come(T0 + 3 * HOUR, terms={"catch_up": CatchUp.ONCE})
    assert found == [Arrived(T0 + HOUR, missed=2), Arrived(T0 + 3 * HOUR)]


def test_catching_up_has_a_bound_and_so_has_looking_back():
    found, _ = come(T0 + 100 * HOUR, terms={"catch_up": CatchUp.ALL})
    assert [each.late for each in found] == [True] * MAX_CAUGHT_UP + [False, False]
    assert found[MAX_CAUGHT_UP].missed == 99 - MAX_CAUGHT_UP
    now = T0 + 5 * MAX_WALK * HOUR + timedelta(minutes=5)
    found, next_at = come(now)
    assert found == [Arrived(T0 + HOUR, missed=MAX_WALK)]
    assert next_at == now.replace(minute=0), "the slot of now is still run"


def test_no_slot_lies_outside_of_the_bounds():
    timing = Timing(cron="", start_at=T0 + 2 * HOUR, end_at=T0 + 4 * HOUR)
    assert timing.coming(T0, hourly, count=9) == [T0 + n * HOUR for n in (2, 3, 4)]
    assert timing.following(T0 + 4 * HOUR, hourly) is None
    assert come(T0 + HOUR, timing={"end_at": T0 + HOUR}) == ([Arrived(T0 + HOUR)], None)


def test_jitter_is_bounded_and_the_same_each_time():
    jittery = schedule(timing={"jitter_seconds": 600})
    dues = [due(jittery, T0 + n * HOUR) - (T0 + n * HOUR) for n in range(200)]
    assert dues == [due(jittery, T0 + n * HOUR) - (T0 + n * HOUR) for n in range(200)]
    assert all(timedelta() <= each <= timedelta(seconds=600) for each in dues)
    assert max(dues) - min(dues) > timedelta(seconds=500)
    assert due(replace(jittery, id=ScheduleId(6)), T0) != due(jittery, T0)
    assert schedule().due_at == T0 + HOUR


def test_a_jittered_slot_is_run_when_it_is_due_and_missed_after_the_grace():
    jittery = {"timing": {"jitter_seconds": 3600}}
    when = schedule(**jittery).due_at
    assert when is not None
    assert come(when - SECOND, **jittery)[0] == []
    assert come(when + GRACE, **jittery)[0] == [Arrived(T0 + HOUR)]
    assert come(when + GRACE + SECOND, **jittery)[0][0].missed == 1


def test_minutes_are_spread_evenly():
    minutes = [spread_minute(str(n)) for n in range(3000)]
    assert set(minutes) == set(range(60))
    assert max(minutes.count(m) for m in range(60)) < 100


def test_a_clock_that_was_ahead_is_noticed():
    assert clock_went_back(schedule(), now=T0 - GRACE - SECOND)
    assert not clock_went_back(schedule(), now=T0 - GRACE)
    assert not clock_went_back(schedule(next_at=None), now=T0 - HOUR)


def test_only_equal_failures_in_a_row_count():
    assert failing(["a", "a", "a", "b"], 3) == "a"
    assert failing(["a", "a"], 3) is None
    assert failing(["a", "b", "a"], 3) is None
    assert failing(["", "a", "a"], 3) is None
    assert failing(["", ""], 2) is None
    assert failing(["a"] * 9, 0) is None


def test_what_a_transfer_failed_of_is_its_first_kind_of_error():
    assert failure(State.FAILED, "disk full on /x", ["no_space", "other"]) == "no_space"
    assert failure(State.PARTIAL, "2 files", []) == "2 files"
    assert failure(State.SUCCEEDED, "", []) == ""
    assert failure(State.CANCELLED, "", []) is None
    assert failure(State.RUNNING, "", []) is None


def late(now: datetime, success: datetime | None = None, **changes) -> bool:
    return overdue(schedule(**changes), last_success=success, now=now, next_after=hourly)


def test_it_is_overdue_when_two_slots_have_come_since_the_last_success():
    limit = T0 + 2 * HOUR + GRACE
    assert not late(limit)
    assert late(limit + SECOND)
    success = T0 + HOUR + timedelta(minutes=3)
    assert not late(limit + SECOND, success)
    assert late(T0 + 3 * HOUR + GRACE + SECOND, success)
    assert not late(limit + SECOND, counted_from=T0 + HOUR), "it was changed meanwhile"


def test_a_person_may_pause_it_and_owes_nothing_but_it_may_not_pause_itself_silently():
    now = T0 + 9 * HOUR
    assert not late(now, paused=Pause.ASKED, next_at=None)
    assert late(now, paused=Pause.FAILURES, next_at=None)
    assert not late(now, next_at=None), "it has ended"


@pytest.mark.parametrize(
    ("timing", "terms", "field"),
    [
        ({"jitter_seconds": -1}, {}, "jitter_seconds"),
        ({"jitter_seconds": 3601}, {}, "jitter_seconds"),
        ({}, {"pause_after": 101}, "pause_after"),
        ({"start_at": T0, "end_at": T0}, {}, "end_at"),
        ({"end_at": T0.replace(year=2101)}, {}, "end_at"),
    ],
)
def test_numbers_out_of_their_range_are_refused(timing: dict, terms: dict, field: str):
    with pytest.raises(Invalid) as refused:
        checked(Timing(cron="", **timing), Terms(**terms))
    assert refused.value.field == field


ZONES = ["Europe/Berlin", "America/New_York", "Asia/Beirut", "America/Havana", "Australia/Sydney"]
CHANGES = {  # a day before each change of the clocks in 2026
    "Europe/Berlin": ((3, 28), (10, 24)),
    "America/New_York": ((3, 7), (10, 31)),
    "Asia/Beirut": ((3, 28), (10, 24)),
    "America/Havana": ((3, 7), (10, 31)),
    "Australia/Sydney": ((4, 4), (10, 3)),
}
MINUTES = st.sampled_from(["0", "30", "59", "*/7", "15,45"])
HOURS = st.sampled_from(["*", "*/2", "0", "1", "2", "3", "1-3", "0,23"])


@settings(max_examples=50, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    change=st.integers(0, 1),
    minute=MINUTES,
    hour=HOURS,
    steps=st.lists(st.integers(1, 5400), min_size=8, max_size=25),
)
def test_over_a_change_of_clocks_each_slot_is_decided_exactly_once(
    zone: str, change: int, minute: str, hour: str, steps: list[int]
):
    """Whenever somebody looks, and however often: what is run and what was missed are together
    the slots of the line, in order, none twice and none left out."""
    next_after = read_cron(f"{minute} {hour} * * *", zone)
    begin = datetime(2026, *CHANGES[zone][change], 12, tzinfo=UTC)
    now, each = begin, schedule(next_at=next_after(begin))
    decided: list[datetime] = []
    for step in steps:
        now += timedelta(seconds=step)
        found, next_at = arrived(each, now=now, next_after=next_after)
        for one in found:
            decided.append(one.slot)
            decided += each.timing.coming(one.slot, next_after, count=max(0, one.missed - 1))
        each = replace(each, next_at=next_at)
    expected = each.timing.coming(begin, next_after, count=400)
    assert decided == [slot for slot in expected if slot <= now]
    assert each.next_at == next_after(now), "the next slot does not depend on when one looked"


@settings(max_examples=25, deadline=None)
@given(zone=st.sampled_from([*ZONES, "Australia/Lord_Howe", "UTC"]), minute=MINUTES, hour=HOURS)
def test_slots_only_ever_go_forward(zone: str, minute: str, hour: str):
    next_after = read_cron(f"{minute} {hour} * * *", zone)
    slot: datetime | None = datetime(2026, 10, 2, tzinfo=UTC)
    for _ in range(60):
        assert slot is not None
        after = next_after(slot)
        assert after is not None
        assert after > slot
        assert (after.second, after.microsecond) == (0, 0)
        slot = after
