"""What every bus promises, which is little: it may forget, and it never raises."""

import pytest

from cloudcopy.adapters.bus.local import MAX_REMEMBERED, LocalBus
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Phase, Progress
from cloudcopy.ports.bus import Bus

ONE, TWO = MachineId(1), MachineId(2)


def seen(done: int) -> Progress:
    return Progress(phase=Phase.TRANSFERRING, bytes_copied=done)


@pytest.fixture(params=[LocalBus])
async def bus(request: pytest.FixtureRequest) -> Bus:
    return request.param()


async def test_a_ring_is_heard_by_the_listeners_of_its_machine_only(bus: Bus):
    with bus.listen(ONE) as first, bus.listen(ONE) as second, bus.listen(TWO) as other:
        bus.ring(ONE)
        assert await first.wait(5)
        assert await second.wait(5)
        assert not await other.wait(0)


async def test_rings_that_nobody_waited_for_count_as_one(bus: Bus):
    with bus.listen(ONE) as bell:
        bus.ring(ONE)
        bus.ring(ONE)
        assert await bell.wait(5)
        assert not await bell.wait(0)


async def test_a_ring_without_a_listener_is_lost(bus: Bus):
    bus.ring(ONE)
    with bus.listen(ONE) as bell:
        assert not await bell.wait(0)


async def test_only_the_latest_numbers_are_there_until_they_are_forgotten(bus: Bus):
    transfer = TransferId("t_1")
    assert bus.latest(transfer) is None
    bus.publish(transfer, seen(1))
    bus.publish(transfer, seen(2))
    assert bus.latest(transfer) == seen(2)
    bus.forget(transfer)
    bus.forget(transfer)
    assert bus.latest(transfer) is None


async def test_a_watcher_hears_of_its_transfer_only_and_knows_a_move_from_a_number(bus: Bus):
    mine, other = TransferId("t_1"), TransferId("t_2")
    with bus.watch(mine) as watch:
        bus.moved(other)
        bus.publish(other, seen(1))
        assert not await watch.wait(0)
        bus.publish(mine, seen(2))
        assert await watch.wait(5)
        assert not watch.moved()
        bus.moved(mine)
        assert await watch.wait(5)
        assert (watch.moved(), watch.moved()) == (True, False)


async def test_a_move_is_not_lost_among_the_numbers_that_nobody_waited_for(bus: Bus):
    mine = TransferId("t_1")
    with bus.watch(mine) as watch:
        bus.publish(mine, seen(1))
        bus.moved(mine)
        bus.publish(mine, seen(2))
        assert await watch.wait(5)
        assert watch.moved()
        assert not await watch.wait(0)
        assert bus.latest(mine) == seen(2)


async def test_a_move_or_a_number_without_a_watcher_is_no_ring_later(bus: Bus):
    mine = TransferId("t_1")
    bus.moved(mine)
    bus.publish(mine, seen(1))
    with bus.watch(mine) as watch:
        assert not await watch.wait(0)
        assert not watch.moved()


async def test_nothing_is_kept_of_what_nobody_listens_to_any_more():
    bus = LocalBus()
    for number in range(1_000):
        with bus.watch(TransferId(str(number))), bus.listen(MachineId(number)):
            bus.moved(TransferId(str(number)))
    assert bus.listeners == 0


async def test_memory_is_bounded():
    bus = LocalBus()
    for number in range(MAX_REMEMBERED + 1):
        bus.publish(TransferId(str(number)), seen(number))
    assert bus.latest(TransferId("0")) is None
    assert bus.latest(TransferId(str(MAX_REMEMBERED))) == seen(MAX_REMEMBERED)
