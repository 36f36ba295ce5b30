"""Schedules: what is run of them, when, once, and what stops them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from cloudcopy.adapters.sql.database import open_database
from cloudcopy.adapters.sql.schedule_reads import SqlScheduleReads
from cloudcopy.adapters.sql.store import open_store
from cloudcopy.control import connections, keys, schedules, slots
from cloudcopy.domain.errors import Conflict, Invalid, NotFound
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.order import Direction
from cloudcopy.domain.schedule import CatchUp, Overlap, Pause, ScheduleExists
from cloudcopy.domain.transfer import State
from tests.control.conftest import Plane
from tests.control.scheduling import Timetable, second_server, timetable

T0 = datetime(2026, 1, 1, tzinfo=UTC)  # where the plane's clock stands
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def table(plane: Plane) -> Timetable:
    return await timetable(plane)


async def test_a_slot_orders_the_copy_with_the_key_that_scheduled_it(table: Timetable):
    id = await table.make()
    await table.at(T0 + HOUR - MINUTE)
    assert await table.runs(id) == []
    await table.at(T0 + HOUR)
    await table.at(T0 + HOUR + MINUTE)
    [transfer] = await table.transfers(id)
    assert (transfer.order, transfer.key) == (table.plane.order(), table.key.id)
    assert transfer.admitted, "it has its turn at once"
    assert (await table.get(id)).next_at == T0 + 2 * HOUR
    assert table.rung == ["rung"], "making it wakes the loop"


async def test_a_download_is_run_too(table: Timetable):
    order = table.plane.order(direction=Direction.TO_INSTANCE)
    id = await table.make(order=order)
    await table.at(T0 + HOUR)
    assert [each.order for each in await table.transfers(id)] == [order]


async def test_slots_of_the_past_are_never_run(table: Timetable):
    id = await table.make(start_at=T0 - 100 * HOUR)
    await table.at(T0 + MINUTE)
    assert await table.runs(id) == []
    assert (await table.get(id)).next_at == T0 + HOUR


async def test_it_ends_with_its_last_slot(table: Timetable):
    id = await table.make(end_at=T0 + HOUR)
    await table.at(T0 + HOUR)
    assert (await table.get(id)).state == "ended"
    assert await table.outcomes(id) == [(1, "accepted")]
    with pytest.raises(Invalid) as refused:
        await table.make(end_at=T0 + HOUR)
    assert refused.value.code == "never_due"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (CatchUp.NONE, [(1, "missed")]),
        (CatchUp.ONCE, [(1, "accepted"), (2, "missed")]),
        (CatchUp.ALL, [(1, "accepted"), (2, "waiting"), (3, "waiting")]),
    ],
)
async def test_after_an_outage_the_policy_says_what_is_run(
    table: Timetable, policy: CatchUp, expected: list[tuple[int, str]]
):
    id = await table.make(catch_up=policy)
    await table.at(T0 + 3 * HOUR + 30 * MINUTE)
    assert await table.outcomes(id) == expected
    assert (await table.get(id)).next_at == T0 + 4 * HOUR


async def test_what_is_caught_up_goes_one_after_the_other(table: Timetable):
    id = await table.make(catch_up=CatchUp.ALL)
    now = T0 + 3 * HOUR + 30 * MINUTE
    for done in range(1, 4):
        await table.at(now)
        assert [o for _, o in await table.outcomes(id)].count("accepted") == done
        await table.end(id)
    assert len({each.id for each in await table.transfers(id)}) == 3


async def test_an_overlap_is_skipped(table: Timetable):
    id = await table.make()
    await table.at(T0 + HOUR)
    await table.at(T0 + 2 * HOUR)
    await table.end(id)
    await table.at(T0 + 3 * HOUR)
    assert await table.outcomes(id) == [(1, "accepted"), (2, "skipped"), (3, "accepted")]
    assert (await table.runs(id))[1].run.reason == slots.STILL_LIVE


async def test_an_overlap_waits_in_a_queue(table: Timetable):
    id = await table.make(overlap=Overlap.QUEUE)
    for hour in (1, 2, 3):
        await table.at(T0 + hour * HOUR)
    assert await table.outcomes(id) == [(1, "accepted"), (2, "waiting"), (3, "waiting")]
    await table.end(id)
    await table.at(T0 + 3 * HOUR + MINUTE)
    assert await table.outcomes(id) == [(1, "accepted"), (2, "accepted"), (3, "waiting")]


async def test_an_overlap_cancels_the_old_run_and_starts_once_it_has_stopped(table: Timetable):
    id = await table.make(overlap=Overlap.CANCEL_OLD)
    for hour in (1, 2, 3):
        await table.at(T0 + hour * HOUR)
    assert await table.outcomes(id) == [(1, "accepted"), (2, "skipped"), (3, "waiting")]
    [old] = await table.transfers(id)
    assert old.state is State.CANCELLING, "two never write to one place"
    await table.end(id, "stopped")
    await table.at(T0 + 3 * HOUR + MINUTE)
    assert await table.outcomes(id) == [(1, "accepted"), (2, "skipped"), (3, "accepted")]
    assert (await table.runs(id))[1].run.reason == slots.OVERTAKEN


async def test_equal_failures_in_a_row_pause_it_until_it_is_resumed(table: Timetable):
    id = await table.make(pause_after=2)
    for hour, reason in ((1, "disk full"), (2, "no such bucket"), (3, "no such bucket")):
        await table.at(T0 + hour * HOUR)
        await table.end(id, "failed", reason)
    await table.at(T0 + 4 * HOUR)
    paused = await table.get(id)
    assert (paused.paused, paused.next_at) == (Pause.FAILURES, None)
    assert paused.paused_why == "2 runs in a row failed in the same way: no such bucket"
    assert len(await table.runs(id)) == 3
    await table.at(T0 + 9 * HOUR)
    assert len(await table.runs(id)) == 3

    resumed = await schedules.resume(id, caller=table.caller, desk=table.desk)
    assert (resumed.paused, resumed.next_at) == (None, T0 + 10 * HOUR)
    await table.at(T0 + 10 * HOUR)
    assert await table.outcomes(id) == [(h, "accepted") for h in (1, 2, 3, 10)]


async def test_a_success_in_between_pauses_nothing(table: Timetable):
    id = await table.make(pause_after=2)
    for hour, end in ((1, "failed"), (2, "succeeded"), (3, "failed"), (4, "succeeded")):
        await table.at(T0 + hour * HOUR)
        await table.end(id, end, "disk full")
    assert (await table.get(id)).paused is None


async def test_an_order_that_cannot_be_carried_out_is_refused_in_words_and_pauses_it(
    table: Timetable,
):
    plane = table.plane
    other = await plane.connect("other")
    id = await table.make(order=replace(plane.order(), connection=other), pause_after=2)
    await connections.remove(other, caller=table.caller, desk=plane.connections)
    for hour in (1, 2, 3):
        await table.at(T0 + hour * HOUR)
    assert await table.outcomes(id) == [(1, "refused"), (2, "refused")]
    assert f"Connection {other} is not yours" in (await table.runs(id))[0].run.reason
    assert (await table.get(id)).paused is Pause.FAILURES


async def test_a_revoked_key_runs_nothing_and_another_key_takes_the_schedule_over(
    table: Timetable,
):
    id = await table.make()
    await keys.revoke(table.key.id, caller=table.caller, desk=table.keys)
    await table.at(T0 + HOUR)
    assert (await table.runs(id))[0].run.reason == slots.KEY_GONE
    table.key, _ = await keys.create("another", account=AccountId(1), desk=table.keys)
    await schedules.change(id, lambda was: was, caller=table.caller, desk=table.desk)
    await table.at(T0 + 2 * HOUR)
    assert await table.outcomes(id) == [(1, "refused"), (2, "accepted")]


async def test_a_paused_one_runs_nothing_and_what_came_meanwhile_is_not_run(table: Timetable):
    id = await table.make(overlap=Overlap.QUEUE, catch_up=CatchUp.ALL)
    for hour in (1, 2):
        await table.at(T0 + hour * HOUR)
    for _ in range(2):
        await schedules.pause(id, caller=table.caller, desk=table.desk)
    assert (await table.get(id)).state == "paused"
    await table.end(id)
    await table.at(T0 + 5 * HOUR)
    assert await table.outcomes(id) == [(1, "accepted"), (2, "skipped")]
    for _ in range(2):
        await schedules.resume(id, caller=table.caller, desk=table.desk)
    await table.at(T0 + 5 * HOUR + MINUTE)
    assert len(await table.runs(id)) == 2
    assert (await table.get(id)).next_at == T0 + 6 * HOUR


async def test_it_can_be_run_by_hand_also_while_it_is_paused(table: Timetable):
    id = await table.make()
    await schedules.pause(id, caller=table.caller, desk=table.desk)
    run = await schedules.run_now(id, caller=table.caller, desk=table.desk)
    assert (run.run.manual, run.run.outcome.value, run.state) == (True, "accepted", State.QUEUED)
    with pytest.raises(Conflict) as refused:
        await schedules.run_now(id, caller=table.caller, desk=table.desk)
    assert refused.value.code == "schedule_running"
    assert (await table.get(id)).paused is Pause.ASKED


async def test_a_new_time_holds_from_now_on(table: Timetable):
    id = await table.make()
    table.plane.time = T0 + 10 * HOUR
    edit = lambda was: replace(was, timing=replace(was.timing, cron="30 * * * *"))  # noqa: E731
    changed = await schedules.change(id, edit, caller=table.caller, desk=table.desk)
    assert changed.next_at == T0 + 10 * HOUR + 30 * MINUTE
    await table.at(T0 + 10 * HOUR + MINUTE)
    assert await table.runs(id) == []


async def test_two_of_one_identity_are_refused(table: Timetable):
    id = await table.make(identity="x")
    with pytest.raises(ScheduleExists) as refused:
        await table.make(identity="x")
    assert refused.value.schedule == id
    await table.make(identity="y")


async def test_another_account_sees_none_of_it(table: Timetable):
    id = await table.make()
    stranger = Caller(AccountId(2), KeyId("x"))
    assert await schedules.every(caller=stranger, desk=table.desk) == []
    for ask in (schedules.one, schedules.pause, schedules.resume, schedules.run_now,
                schedules.remove, schedules.history):  # fmt: skip
        with pytest.raises(NotFound):
            await ask(id, caller=stranger, desk=table.desk)


async def test_a_deleted_one_is_gone_and_its_transfers_stay(table: Timetable):
    id = await table.make()
    await table.at(T0 + HOUR)
    [transfer] = await table.transfers(id)
    await schedules.remove(id, caller=table.caller, desk=table.desk)
    await table.at(T0 + 2 * HOUR)
    with pytest.raises(NotFound):
        await table.get(id)
    assert (await table.plane.read(transfer)).state is State.QUEUED
    assert await table.make() > id


async def test_success_and_its_absence_are_shown(table: Timetable):
    id = await table.make()
    await table.at(T0 + HOUR)
    table.plane.time = T0 + HOUR + MINUTE
    await table.end(id)
    standing = await table.standing(id)
    assert standing.seen.last_success == T0 + HOUR + MINUTE
    assert not standing.overdue
    assert standing.coming == [T0 + n * HOUR for n in range(2, 7)]
    table.plane.time = T0 + 3 * HOUR + 11 * MINUTE
    assert (await table.standing(id)).overdue


async def test_a_clock_that_ran_ahead_and_came_back_neither_repeats_nor_stops_it(
    table: Timetable,
):
    id = await table.make()
    await table.at(T0 + HOUR)
    await table.end(id)
    await table.at(T0 + 9000 * HOUR + 30 * MINUTE)  # a year ahead: these hours count as missed
    for minute in (61, 90, 120, 180):
        await table.at(T0 + minute * MINUTE)
        if minute >= 120:
            await table.end(id)
    found = [each.run for each in await table.runs(id)]
    assert [(each.slot, each.outcome.value) for each in found] == [
        (T0 + n * HOUR, "accepted") for n in (1, 2, 3)
    ]
    assert (await table.get(id)).next_at == T0 + 4 * HOUR


async def test_a_crash_in_the_middle_leaves_nothing_and_the_slot_is_run_after_it(
    table: Timetable,
):
    id = await table.make()
    before = await table.get(id)

    def crash() -> str:
        raise RuntimeError("killed after the slot was claimed")

    dying = second_server(table, transfers=replace(table.desk.transfers, new_fence=crash))
    table.plane.time = T0 + HOUR
    [(failed, error)] = await slots.run_due(desk=dying)
    assert (failed, str(error)) == (id, "killed after the slot was claimed")
    assert await table.runs(id) == []
    assert await table.get(id) == before
    await table.at(T0 + HOUR + MINUTE)
    assert len(await table.transfers(id)) == 1


async def test_one_that_cannot_be_run_holds_up_no_other(table: Timetable):
    broken, sound = await table.make(), await table.make()
    with_broken = table.desk.read_cron
    await schedules.change(
        broken, lambda was: replace(was, timing=replace(was.timing, zone="Asia/Tokyo")),
        caller=table.caller, desk=table.desk,
    )  # fmt: skip

    def read(cron: str, zone: str):
        if zone != "UTC":
            raise RuntimeError("no such file")
        return with_broken(cron, zone)

    table.plane.time = T0 + HOUR
    [(failed, _)] = await slots.run_due(desk=second_server(table, read_cron=read))
    assert failed == broken
    assert await table.outcomes(sound) == [(1, "accepted")]


async def test_two_servers_race_for_every_slot_and_each_is_run_once(
    table: Timetable, tmp_path: Path
):
    """Two engines over one file; both look at the same moment, many times."""
    id = await table.make("* * * * *", overlap=Overlap.QUEUE)
    async with open_database(tmp_path / "db") as database:
        other = second_server(
            table,
            reads=SqlScheduleReads(database),
            transfers=replace(table.desk.transfers, open_store=partial(open_store, database)),
        )
        for minute in range(1, 21):
            table.plane.time = T0 + minute * MINUTE
            found = await asyncio.gather(*(slots.run_due(desk=d) for d in (table.desk, other) * 2))
            assert found == [[]] * 4
            await table.end(id)
    runs = [each.run for each in await table.runs(id)]
    assert [each.slot for each in runs] == [T0 + n * MINUTE for n in range(1, 21)]
    assert len({each.transfer for each in runs}) == 20
