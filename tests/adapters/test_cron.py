"""Cron lines over cronsim: whose clocks, what a change of them does, and what is refused."""

from datetime import UTC, datetime

import pytest

from cloudcopy.adapters.cron import read_cron
from cloudcopy.domain.errors import Invalid


def slots(cron: str, zone: str, begin: str, count: int) -> list[str]:
    next_after = read_cron(cron, zone)
    moment = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    found = []
    for _ in range(count):
        moment = next_after(moment) or moment
        found.append(f"{moment:%m-%d %H:%M}")
    return found


def test_a_line_is_read_on_the_clocks_of_its_zone():
    assert slots("0 3 * * *", "Europe/Berlin", "2026-01-01", 2) == ["01-01 02:00", "01-02 02:00"]
    assert slots("0 3 * * *", "Europe/Berlin", "2026-07-01", 1) == ["07-01 01:00"]
    assert slots("0 0 * * 0", "UTC", "2026-01-01", 2) == ["01-04 00:00", "01-11 00:00"]


def test_a_time_that_is_jumped_over_comes_right_after_the_jump():
    found = slots("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2)
    assert found == ["03-29 01:00", "03-30 00:30"]


def test_a_time_that_comes_twice_is_run_the_first_time_only():
    found = slots("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2)
    assert found == ["10-25 00:30", "10-26 01:30"]
    again = slots("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", 1)  # 02:10, the second time
    assert again == ["10-26 01:30"]


def test_a_line_that_follows_real_time_has_its_slots_in_both_hours():
    found = slots("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59", 5)
    assert found == ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]


def test_where_midnight_does_not_exist_the_answer_does_not_depend_on_when_it_is_asked():
    for begin in ("2026-03-28T21:00", "2026-03-28T21:59:59"):
        found = slots("*/30 0 * * *", "Asia/Beirut", begin, 1)
        assert found == ["03-29 21:00"]


def test_a_line_without_a_slot_in_fifty_years_has_none():
    assert read_cron("0 0 30 2 1#5", "UTC")(datetime(2026, 1, 1, tzinfo=UTC)) is not None
    with pytest.raises(Invalid):
        read_cron("0 0 30 2 *", "UTC")


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "61 * * * *", "a * * * *", "@daily", "*/0 * * * *",
     "0 0 30 2 *", "² * * * *", "0 0 * * " + "1," * 200, "9" * 190 + " * * * *"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_an_example(text: str):
    with pytest.raises(Invalid) as refused:
        read_cron(text, "UTC")
    assert (refused.value.field, refused.value.code) == ("cron", "bad_cron")
    assert "0 3 * * *" in refused.value.next[0]


@pytest.mark.parametrize(
    "zone",
    [
        *("", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "a" * 5000),
        *("localtime", "posixrules", "right/UTC", "posix/UTC"),
    ],
)
def test_a_zone_that_is_not_known_is_refused(zone: str):
    with pytest.raises(Invalid) as refused:
        read_cron("0 3 * * *", zone)
    assert (refused.value.field, refused.value.code) == ("zone", "bad_zone")
