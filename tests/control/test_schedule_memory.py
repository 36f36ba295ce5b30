"""What schedules remember of their runs, and what they must not forget."""

from datetime import UTC, datetime, timedelta

import pytest

from cloudcopy.adapters.sql import schedules as sql_schedules
from cloudcopy.control import schedules
from cloudcopy.domain.schedule import Overlap, Pause
from cloudcopy.domain.transfer import State
from cloudcopy.ports.reads import TransferFilter
from tests.control.conftest import Plane
from tests.control.scheduling import HOUR, Timetable, timetable

T0 = datetime(2026, 1, 1, tzinfo=UTC)  # where the plane's clock stands
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def table(plane: Plane) -> Timetable:
    return await timetable(plane)


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> int:
    """The bound on kept runs, made small."""
    monkeypatch.setattr(sql_schedules, "MAX_RUNS", 12)
    return 12


async def minutes(table: Timetable, first: int, last: int) -> None:
    for minute in range(first, last + 1):
        await table.at(T0 + minute * MINUTE)


async def test_a_live_run_is_found_however_many_slots_are_skipped_after_it(
    table: Timetable, short_memory: int
):
    id = await table.make("* * * * *")
    await minutes(table, 1, 2 * short_memory)
    [alone] = await table.transfers(id)
    assert alone.state is State.QUEUED
    runs = [each.run for each in await table.runs(id)]
    assert [each.outcome.value for each in runs] == ["accepted"] + ["skipped"] * short_memory


async def test_a_clock_that_is_put_back_repeats_no_slot_that_was_forgotten(
    table: Timetable, short_memory: int
):
    id = await table.make("* * * * *")
    for minute in range(1, 3 * short_memory):
        await table.at(T0 + minute * MINUTE)
        await table.end(id)
    before = [each.run.slot for each in await table.runs(id)]
    await table.at(T0 + 5 * MINUTE + MINUTE / 2)
    await minutes(table, 6, 2 * short_memory)
    assert [each.run.slot for each in await table.runs(id)] == before
    moved = 3 * short_memory
    await table.at(T0 + moved * MINUTE)
    assert [each.run.slot for each in await table.runs(id)][-1] == T0 + moved * MINUTE
    ran = await table.plane.reads.transfers(table.caller.account, TransferFilter(limit=100))
    assert len(ran) == moved, "each slot once"


async def test_failures_among_many_skipped_slots_pause_it(table: Timetable, short_memory: int):
    id = await table.make("* * * * *", pause_after=3)
    each = 3 * short_memory  # slots while one run is live
    for run in range(3):
        await minutes(table, run * each + 1, (run + 1) * each)
        await table.end(id, "failed", "disk full")
    await table.at(T0 + (3 * each + 1) * MINUTE)
    assert (await table.get(id)).paused is Pause.FAILURES


async def test_a_run_by_hand_is_shown_among_runs_of_a_clock_that_was_ahead(table: Timetable):
    id = await table.make(overlap=Overlap.QUEUE)
    for hour in range(1, schedules.RUNS_SHOWN + 3):
        await table.at(T0 + hour * HOUR)
        await table.end(id)
    table.plane.time = T0 + MINUTE
    made = await schedules.run_now(id, caller=table.caller, desk=table.desk)
    assert (made.run.slot, made.run.outcome.value) == (T0 + MINUTE, "accepted")


async def test_runs_by_hand_are_forgotten_too(table: Timetable, short_memory: int):
    id = await table.make("0 0 1 1 *")
    for second in range(2 * short_memory):
        table.plane.time = T0 + timedelta(seconds=second)
        made = await schedules.run_now(id, caller=table.caller, desk=table.desk)
        assert made.state is State.QUEUED
        await table.end(id)
    assert len(await table.runs(id)) == short_memory + 1
