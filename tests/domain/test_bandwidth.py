"""Limits by the clock, also on the days on which clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudcopy.domain.bandwidth import DAYS, MAX_TEXT, Timetable, parse
from cloudcopy.domain.errors import Invalid

MIB = 1024 * 1024
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)  # a Thursday

rates = st.one_of(
    st.just("off"),
    st.tuples(st.integers(1, 999), st.sampled_from(["", "K", "k", "M", "Mi", "g", "Ti"])).map(
        lambda pair: f"{pair[0]}{pair[1]}"
    ),
    st.integers(1024, 10**12 - 1).map(lambda count: f"{count}B"),
    st.floats(1, 1000).map(lambda number: f"{number:.3f}M"),
)
places = st.tuples(st.sampled_from(["", *DAYS]), st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from(["", "UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001
    datetime(2099, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@st.composite
def timetables(draw) -> str:
    begins = draw(st.lists(places, min_size=2, max_size=24, unique=True))
    entries = " ".join(
        f"{day}{'-' if day else ''}{hour:02}:{minute:02},{draw(rates)}"
        for day, hour, minute in begins
    )
    zone = draw(zones)
    return f"{entries} [{zone}]" if zone else entries


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10M", 10 * MIB),
        ("10m", 10 * MIB),
        ("10Mi", 10 * MIB),
        ("1.5G", 1536 * MIB),
        ("64", 64 * 1024),
        ("1024B", 1024),
        ("1P", 1024**5),
        ("off", 0),
        ("OFF", 0),
        ("", None),
        ("  ", None),
        ("08:00,1M", MIB),
        ("Sun-23:59,1M [Europe/Berlin]", MIB),
    ],
)
def test_one_rate_holds_always(text, rate):
    assert {parse(text).at(NOON + timedelta(hours=7 * step)) for step in range(24)} == {rate}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (" 10mi ", "10M"),
        ("64", "64K"),
        ("Off", "off"),
        ("8:00,1M", "1M"),
        ("18:00,off  8:00,1m", "08:00,1M 18:00,off"),
        ("8:00,1m 18:00,off   [Europe/Berlin]", "08:00,1M 18:00,off [Europe/Berlin]"),
        ("00:00,1M sat-0:00,off MON-09:00,2M", "Mon-09:00,2M Sat-00:00,off 00:00,1M"),
    ],
)
def test_there_is_one_canonical_spelling(text, canonical):
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fast", "must be a rate such as"),
        ("-1M", "must be a rate such as"),
        ("1e9", "must be a rate such as"),
        ("١M", "must be a rate such as"),
        ("10M:1M", "is no entry"),
        ("1023B", "is below 1 KiB per second"),
        ("0", "is below 1 KiB per second"),
        ("2P", "is above 1 PiB per second"),
        ("24:00,1M", "is no entry"),
        ("08:60,1M", "is no entry"),
        ("08:00 1M", "is no entry"),
        ("08:00,1M 10M", "is no entry"),
        ("08:00,fast", "is no rate"),
        ("Day-08:00,1M", "names a day that is none of Mon"),
        ("08:00,1M 8:00,2M", "the same time twice"),
        ("08:00,1M 09:00,2M [Mars/Base]", "a time zone that is not known"),
        ("08:00,1M 09:00,2M [Europe]", "a time zone that is not known"),
        ("08:00,1M 09:00,2M [../../etc/passwd]", "is no entry"),
        ("08:00,1M 09:00,2M [/etc/passwd]", "a time zone that is not known"),
        ("08:00,1M 09:00,2M []", "is no entry"),
        ("10M [Europe/Berlin]", "needs no time zone"),
        ("[Europe/Berlin]", "must be a rate such as"),
        (" ".join(f"{hour:02}:{half},1M" for hour in range(13) for half in (10, 40)), "more than"),
        ("1" * (MAX_TEXT + 1), "is longer than"),
    ],
)
def test_what_is_no_limit_is_refused_in_words(text, words):
    with pytest.raises(Invalid, match=words) as caught:
        parse(text)
    assert (caught.value.field, caught.value.code) == ("bwlimit", "bad_bwlimit")


def test_the_last_entry_holds_past_midnight():
    table = parse("08:00,1M 12:00,off 18:00,30M")
    hours = {hour: table.at(NOON.replace(hour=hour)) for hour in (0, 7, 8, 11, 12, 17, 18, 23)}
    assert hours == {
        0: 30 * MIB,
        7: 30 * MIB,
        8: MIB,
        11: MIB,
        12: 0,
        17: 0,
        18: 30 * MIB,
        23: 30 * MIB,
    }


def test_an_entry_for_a_day_holds_until_the_next_one_of_any_kind():
    table = parse("08:00,1M 18:00,2M Sat-00:00,off Sun-08:00,4M")
    saturday = datetime(2026, 1, 3, tzinfo=UTC)

    def after(hours: float) -> int | None:
        return table.at(saturday + timedelta(hours=hours))

    assert [after(-0.1), after(0), after(7.9), after(8)] == [2 * MIB, 0, 0, MIB]
    assert [after(24 + 7), after(24 + 8), after(24 + 18)] == [2 * MIB, 4 * MIB, 2 * MIB]


def test_days_are_those_of_the_place():
    table = parse("Mon-00:00,1M Tue-00:00,off [Asia/Tokyo]")
    assert table.at(datetime(2026, 1, 4, 15, tzinfo=UTC)) == MIB  # Monday in Tokyo
    assert table.at(datetime(2026, 1, 4, 14, 59, tzinfo=UTC)) == 0


def test_an_hour_that_a_spring_day_does_not_have_begins_at_the_next_minute_there_is():
    table = parse("00:00,1M 02:30,off [Europe/Berlin]")
    leap = datetime(2026, 3, 29, 1, tzinfo=UTC)  # 01:59 is followed by 03:00
    assert (table.at(leap - timedelta(minutes=1)), table.at(leap)) == (MIB, 0)


def test_an_hour_that_an_autumn_day_has_twice_has_its_limit_twice():
    table = parse("00:00,1M 02:30,off 02:45,2M [Europe/Berlin]")
    midnight = datetime(2026, 10, 25, tzinfo=BERLIN).astimezone(UTC)
    seen = [table.at(midnight + timedelta(minutes=15 * step)) for step in range(17)]
    assert [index for index, rate in enumerate(seen) if rate == 0] == [10, 14]


@given(timetables())
def test_what_is_written_is_read_as_the_same(text: str):
    table = parse(text)
    assert len(str(table)) <= MAX_TEXT
    assert parse(str(table)) == table


@given(timetables(), moments)
def test_at_any_moment_the_limit_is_of_the_entry_that_began_last(text: str, moment: datetime):
    table = parse(text)
    clock = moment.astimezone(ZoneInfo(table.zone) if table.zone else UTC)
    wall = clock.replace(tzinfo=None, second=0, microsecond=0)
    for back in range(8 * 24 * 60):
        began = wall - timedelta(minutes=back)
        at = [
            each
            for each in table.entries
            if each.minute == began.hour * 60 + began.minute and each.day in (None, began.weekday())
        ]
        if at:
            assert table.at(moment) == at[0].rate
            return
    raise AssertionError("an entry begins every week")


@given(rates, moments)
def test_a_rate_alone_is_the_same_at_any_moment(rate: str, moment: datetime):
    assert parse(rate).at(moment) == parse(rate).at(NOON)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str):
    try:
        table = parse(text)
    except Invalid:
        return
    assert parse(str(table)) == table


def test_nothing_said_is_an_empty_table():
    assert parse("") == Timetable()
