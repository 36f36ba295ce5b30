"""What every store promises about schedules; see `ports.schedules`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cloudcopy.adapters.sql.database import open_database
from cloudcopy.adapters.sql.schedule_reads import SqlScheduleReads
from cloudcopy.adapters.sql.schedules import MAX_RUNS
from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.order import Verify
from cloudcopy.domain.progress import ErrorGroup, Result
from cloudcopy.domain.schedule import (
    CatchUp,
    Outcome,
    Overlap,
    Pause,
    Run,
    Schedule,
    ScheduleId,
    Terms,
    Timing,
)
from cloudcopy.domain.transfer import Failed, State, Succeeded, step
from cloudcopy.ports.schedules import ScheduleReads
from cloudcopy.ports.store import Once, OpenStore
from tests.contracts.conftest import MINE, NOW, THEIRS, World

HOUR = timedelta(hours=1)
NOBODY = ScheduleId(99)


@pytest.fixture
async def seen(open_store: OpenStore, tmp_path):
    async with open_database(tmp_path / "cloudcopy.db") as database:
        yield SqlScheduleReads(database)


def plain(world: World, **changes) -> Schedule:
    order = replace(world.transfer().order, verify=Verify.SIZE)
    known = {
        "id": NOBODY,
        "account": world.account,
        "key": KeyId("key-1"),
        "order": order,
        "bwlimit": "10M",
        "timing": Timing(
            cron="0 3 * * *",
            zone="Europe/Berlin",
            start_at=NOW,
            end_at=NOW + 900 * HOUR,
            jitter_seconds=60,
        ),
        "terms": Terms(overlap=Overlap.QUEUE, catch_up=CatchUp.ALL, pause_after=7),
        "created_at": NOW,
        "counted_from": NOW,
        "next_at": NOW + HOUR,
        "moved_at": NOW,
    }
    return Schedule(**known | changes)


async def added(open_store: OpenStore, schedule: Schedule) -> Schedule:
    async with open_store() as store:
        return await store.schedules.add(schedule)


def run(hours: int, outcome: Outcome = Outcome.WAITING, **changes) -> Run:
    return Run(slot=NOW + hours * HOUR, outcome=outcome, at=NOW + hours * HOUR, **changes)


async def test_a_schedule_comes_back_as_it_was_added_under_a_new_id(
    open_store: OpenStore, seen: ScheduleReads, world: World
):
    made = await added(open_store, plain(world, identity="x"))
    assert made == plain(world, identity="x", id=made.id)
    async with open_store() as store:
        assert await store.schedules.get(made.id, account=MINE) == made
        assert await store.schedules.count(MINE) == 1
        assert await store.schedules.same(MINE, "x") == made.id
        assert await store.schedules.same(THEIRS, "x") is None
        with pytest.raises(NotFound):
            await store.schedules.get(made.id, account=THEIRS)
    shown = await seen.one(made.id, account=MINE)
    assert (shown.schedule, shown.instance_label, shown.connection_name) == (made, "box", "store")
    assert (await seen.every(MINE), await seen.every(THEIRS)) == ([shown], [])
    with pytest.raises(NotFound):
        await seen.one(made.id, account=THEIRS)


async def test_only_one_of_two_that_saw_the_same_can_save(open_store: OpenStore, world: World):
    was = await added(open_store, plain(world))
    moved = replace(was, next_at=NOW + 2 * HOUR, moved_at=NOW + HOUR)
    paused = replace(was, paused=Pause.ASKED, paused_why="x", next_at=None, moved_at=NOW + HOUR)
    async with open_store() as store:
        assert await store.schedules.save(moved, was=was)
        assert not await store.schedules.save(moved, was=was)
        assert not await store.schedules.save(paused, was=was)
        assert await store.schedules.save(paused, was=moved)
        assert await store.schedules.get(was.id) == paused
        assert await store.schedules.save(replace(paused, bwlimit=""), was=paused)


async def test_a_slot_is_claimed_once_and_one_that_was_missed_can_still_be_run(
    open_store: OpenStore, seen: ScheduleReads, world: World
):
    made = await added(open_store, plain(world))
    other = await added(open_store, plain(world))
    missed = run(1, Outcome.MISSED, missed=3, reason="late")
    async with open_store() as store:
        assert await store.schedules.claim(made.id, missed)
        assert not await store.schedules.claim(made.id, missed)
        assert await store.schedules.claim(other.id, missed)
    assert [each.run for each in await seen.runs(made.id, limit=9)] == [missed]
    async with open_store() as store:
        assert await store.schedules.claim(made.id, run(1))
        assert not await store.schedules.claim(made.id, run(1))
        assert not await store.schedules.claim(made.id, missed)
        assert await store.schedules.waiting(made.id) == [run(1)]
        assert await store.schedules.waiting(other.id) == []


async def test_what_became_of_its_transfers_is_told(
    open_store: OpenStore, seen: ScheduleReads, world: World
):
    made = await added(open_store, plain(world))
    group = ErrorGroup(code="no_space", text="t", cure="c", count=1, samples=("a",))
    ends = (
        Succeeded(NOW + HOUR, Result()),
        Failed(NOW + 2 * HOUR, "disk full on /x", Result(errors=(group,))),
        None,
    )
    async with open_store() as store:
        for hour, end in enumerate(ends):
            transfer = await store.transfers.add(world.transfer(), Once())
            if end is not None:
                assert await store.transfers.save(step(transfer, end), was=transfer, at=end.at)
            await store.schedules.claim(made.id, run(hour))
            accepted = run(hour, Outcome.ACCEPTED, transfer=transfer.id)
            await store.schedules.settle(made.id, accepted)
            last = transfer
        await store.schedules.claim(made.id, run(3, Outcome.REFUSED, reason="gone"))
        await store.schedules.claim(made.id, run(4, Outcome.SKIPPED, reason="overlap"))
        assert await store.schedules.live(made.id) == [last.id]
        before, after = NOW - HOUR, NOW + 2 * HOUR
        failures = await store.schedules.failures(made.id, since=before, limit=9)
        assert failures == ["gone", "no_space", ""]
        assert await store.schedules.failures(made.id, since=after, limit=9) == ["gone"]
        assert await store.schedules.failures(made.id, since=before, limit=1) == ["gone"]
    found = await seen.runs(made.id, limit=4)
    assert [(each.state, each.failure) for each in found] == [
        (None, None), (None, "gone"), (State.QUEUED, None), (State.FAILED, "no_space"),
    ]  # fmt: skip
    assert (await seen.one(made.id, account=MINE)).last_success == NOW + HOUR


async def test_those_that_have_something_to_do_are_found(
    open_store: OpenStore, seen: ScheduleReads, world: World
):
    assert await seen.next_due() is None
    later = await added(open_store, plain(world, next_at=NOW + 9 * HOUR))
    sooner = await added(open_store, plain(world, next_at=NOW + HOUR))
    ended = await added(open_store, plain(world, next_at=None, moved_at=NOW + 99 * HOUR))
    ahead = await added(open_store, plain(world, next_at=NOW + 90 * HOUR, moved_at=NOW + 99 * HOUR))
    assert sooner.due_at is not None
    assert NOW + HOUR <= sooner.due_at <= NOW + HOUR + timedelta(seconds=60)
    assert await seen.next_due() == sooner.due_at
    assert await seen.due(sooner.due_at - timedelta(microseconds=1)) == [ahead.id]
    assert await seen.due(sooner.due_at) == [sooner.id, ahead.id]
    async with open_store() as store:
        await store.schedules.claim(ended.id, run(1))
    assert set(await seen.due(NOW)) == {ahead.id, ended.id}
    assert later.id not in await seen.due(NOW)


async def test_removing_it_takes_its_runs_and_nothing_else(
    open_store: OpenStore, seen: ScheduleReads, world: World
):
    made, kept = [await added(open_store, plain(world)) for _ in range(2)]
    async with open_store() as store:
        transfer = await store.transfers.add(world.transfer(), Once())
        for each in (made, kept):
            await store.schedules.claim(each.id, run(1, Outcome.ACCEPTED, transfer=transfer.id))
        await store.schedules.remove(kept.id)
    assert await seen.runs(kept.id, limit=9) == []
    assert len(await seen.runs(made.id, limit=9)) == 1
    async with open_store() as store:
        assert (await store.transfers.get(transfer.id)).id == transfer.id
        assert (await store.schedules.add(plain(world))).id > kept.id


async def test_the_oldest_runs_are_forgotten(
    open_store: OpenStore, seen: ScheduleReads, world: World
):
    made = await added(open_store, plain(world))
    async with open_store() as store:
        await store.schedules.prune(made.id)
        for hour in range(MAX_RUNS + 5):
            outcome = Outcome.SKIPPED if hour else Outcome.WAITING
            await store.schedules.claim(made.id, run(hour, outcome))
        await store.schedules.prune(made.id)
    found = await seen.runs(made.id, limit=MAX_RUNS * 2)
    assert len(found) == MAX_RUNS + 1
    assert [each.run.slot for each in found[-2:]] == [NOW + 5 * HOUR, NOW]
