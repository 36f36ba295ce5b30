"""Who has a turn, who waits, and how a turn is given back."""

from dataclasses import replace

import pytest

from cloudcopy.control import connections, machines, reports, transfers
from cloudcopy.domain.errors import Conflict
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.transfer import State, Transfer
from tests.control.conftest import CALLER, LIMITS, Plane

OTHER_KEY = Caller(AccountId(1), KeyId("other"))


async def submit(plane: Plane, count: int, caller: Caller = CALLER) -> list[Transfer]:
    return [
        await transfers.submit(
            plane.order(remote=f"bucket/{caller.key}{number}"),
            caller=caller,
            desk=plane.transfers,
        )
        for number in range(count)
    ]


async def told(plane: Plane) -> list[str]:
    return [each.transfer for each in await reports.desired(plane.machine, reads=plane.reads)]


async def test_an_agent_is_told_of_as_many_as_may_run_and_the_rest_waits_in_order(plane: Plane):
    made = await submit(plane, 7)
    assert await told(plane) == [each.id for each in made[: LIMITS.account]]
    assert [await plane.reads.waiting(each.id) for each in made[4:]] == [0, 1, 2]


@pytest.mark.parametrize("kind", ["succeeded", "failed"])
async def test_an_end_gives_the_turn_to_the_oldest_that_waits(plane: Plane, kind: str):
    made = await submit(plane, 6)
    await plane.report(made[1], kind)
    assert await told(plane) == [made[n].id for n in (0, 2, 3, 4)]


async def test_turns_are_fair_between_keys(plane: Plane):
    mine = await submit(plane, 8)
    (theirs,) = await submit(plane, 1, OTHER_KEY)
    assert theirs.id not in await told(plane)
    await plane.report(mine[0], "succeeded")
    assert await told(plane) == [*[each.id for each in mine[1:4]], theirs.id]


async def test_one_that_has_no_room_holds_up_no_other(plane: Plane):
    """The connection is full; a copy with another one goes ahead of those that wait for it."""
    desk = replace(plane.transfers, limits=replace(LIMITS, connection=1))
    full = [
        await transfers.submit(plane.order(remote=f"bucket/{n}"), caller=CALLER, desk=desk)
        for n in range(3)
    ]
    second = await plane.connect("second")
    free = await transfers.submit(plane.order(connection=second), caller=CALLER, desk=desk)
    assert await told(plane) == [full[0].id, free.id]


async def test_a_pause_gives_the_turn_back_once_the_host_has_stopped(plane: Plane):
    made = await submit(plane, 5)
    await plane.report(made[0], "started")
    await transfers.pause(made[0].id, caller=CALLER, desk=plane.transfers)
    assert made[4].id not in await told(plane)
    await plane.report(made[0], "stopped")
    assert await told(plane) == [each.id for each in made[1:]]
    assert (await plane.read(made[0])).state is State.PAUSED
    resumed = await transfers.resume(made[0].id, caller=CALLER, desk=plane.transfers)
    assert (resumed.state, resumed.attempt, resumed.admitted) == (State.QUEUED, 2, False)


async def test_a_waiting_one_stops_at_once_because_no_agent_knows_of_it(plane: Plane):
    made = await submit(plane, 6)
    cancelled = await transfers.cancel(made[4].id, caller=CALLER, desk=plane.transfers)
    paused = await transfers.pause(made[5].id, caller=CALLER, desk=plane.transfers)
    assert (cancelled.state, paused.state) == (State.CANCELLED, State.PAUSED)
    assert await told(plane) == [each.id for each in made[:4]]


async def test_giving_up_on_a_machine_frees_its_turns(plane: Plane):
    made = await submit(plane, 6)
    assert await machines.give_up(plane.machine, caller=CALLER, desk=plane.machines) == 6
    assert {(await plane.read(each)).state for each in made} == {State.FAILED}
    (next_,) = await submit(plane, 1, OTHER_KEY)
    assert next_.admitted


@pytest.mark.parametrize("wish", [transfers.cancel, transfers.pause])
async def test_a_wish_rings_its_machine_and_whoever_watches_the_transfer(plane: Plane, wish):
    (made,) = await submit(plane, 1)
    with plane.bus.listen(plane.machine) as bell, plane.bus.watch(made.id) as watch:
        await wish(made.id, caller=CALLER, desk=plane.transfers)
        assert await bell.wait(5)
        assert await watch.wait(5)
        assert watch.moved()
        await plane.report(made, "stopped")
        assert await watch.wait(5)
        assert watch.moved()


async def test_an_end_rings_the_machine_of_the_one_that_is_next(plane: Plane):
    made = await submit(plane, LIMITS.account + 1)
    with plane.bus.listen(plane.machine) as bell:
        await plane.report(made[0], "started")
        assert not await bell.wait(0)
        await plane.report(made[0], "failed", reason="x")
        assert await bell.wait(5)


async def test_cancelling_all_copies_of_an_instance_ends_the_paused_ones_at_once(plane: Plane):
    paused, running, waiting = (await submit(plane, LIMITS.account + 1))[-3:]
    await transfers.pause(paused.id, caller=CALLER, desk=plane.transfers)
    await plane.report(paused, "stopped")
    count = await transfers.cancel_instance(plane.instance, caller=CALLER, desk=plane.transfers)
    assert count == LIMITS.account + 1
    states = [(await plane.read(each)).state for each in (paused, running, waiting)]
    assert states == [State.CANCELLED, State.CANCELLING, State.CANCELLING]


async def test_a_paused_transfer_keeps_its_connection_and_is_ended_by_giving_up(plane: Plane):
    (made,) = await submit(plane, 1)
    await transfers.pause(made.id, caller=CALLER, desk=plane.transfers)
    await plane.report(made, "stopped")
    with pytest.raises(Conflict) as refused:
        await connections.remove(plane.connection, caller=CALLER, desk=plane.connections)
    assert refused.value.code == "connection_in_use"
    assert await machines.give_up(plane.machine, caller=CALLER, desk=plane.machines) == 1
    assert (await plane.read(made)).state is State.FAILED
