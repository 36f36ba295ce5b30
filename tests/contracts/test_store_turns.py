"""Who gets a turn, and what else is kept of a transfer's life; see `ports.store`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.machine import Instance, MachineId
from cloudcopy.domain.order import Agreed, Mode, Scope, TransferId, Verify, Work
from cloudcopy.domain.progress import Result
from cloudcopy.domain.transfer import (
    CancelRequested,
    Event,
    Failed,
    PartlyDone,
    PauseRequested,
    Retried,
    Started,
    State,
    Stopped,
    Succeeded,
    Transfer,
    step,
)
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.reads import Moved, Reads, TransferFilter
from cloudcopy.ports.store import Once, OpenStore
from tests.contracts.conftest import MINE, NOW, World

LATER = NOW + timedelta(minutes=5)
ROOM = Limits(account=100, connection=100, instance=100)


class Queue:
    """Transfers of one account, added in order, and the turns they are given."""

    def __init__(self, open_store: OpenStore, world: World) -> None:
        self._open_store = open_store
        self._world = world

    async def add(
        self,
        *keys: str,
        instance: Instance | None = None,
        connection: ConnectionId | None = None,
    ) -> list[TransferId]:
        """One transfer for each of `keys`."""
        made = []
        async with self._open_store() as store:
            for key in keys:
                plain = self._world.transfer(instance=instance)
                order = replace(plain.order, connection=connection or plain.order.connection)
                transfer = replace(plain, key=KeyId(key), order=order)
                await store.transfers.add(transfer, Once())
                made.append(transfer.id)
        return made

    async def connect(self, name: str) -> ConnectionId:
        async with self._open_store() as store:
            made = await store.connections.add(
                account=self._world.account, name=name, cloud_type="s3", root="", shown={}, at=NOW
            )
        return made.id

    async def happen(self, id: TransferId, *events: Event) -> Transfer:
        async with self._open_store() as store:
            for event in events:
                was = await store.transfers.get(id)
                assert await store.transfers.save(step(was, event), was=was, at=event.at)
            return await store.transfers.get(id)

    async def turns(self, limits: Limits) -> Sequence[MachineId]:
        async with self._open_store() as store:
            given = await store.transfers.turns(self._world.account, limits)
            return list(dict.fromkeys(given.values()))

    async def holders(self) -> list[TransferId]:
        async with self._open_store() as store:
            live = await store.transfers.live(self._world.machine.id)
        return [each.id for each in live if each.admitted]


@pytest.fixture
def queue(open_store: OpenStore, world: World) -> Queue:
    return Queue(open_store, world)


async def test_turns_are_given_in_order_up_to_the_accounts_limit(
    queue: Queue, world: World
) -> None:
    first, second, _ = await queue.add("k", "k", "k")
    assert await queue.holders() == []
    assert await queue.turns(replace(ROOM, account=2)) == [world.machine.id]
    assert await queue.holders() == [first, second]
    assert await queue.turns(replace(ROOM, account=2)) == []


async def test_a_turn_is_kept_while_its_copy_runs_or_is_being_stopped(queue: Queue) -> None:
    ids = await queue.add("k", "k", "k", "k")
    one = replace(ROOM, account=3)
    await queue.turns(one)
    await queue.happen(ids[0], Started(LATER))
    await queue.happen(ids[1], CancelRequested(LATER))
    await queue.happen(ids[2], PauseRequested(LATER))
    assert await queue.turns(one) == []
    assert await queue.holders() == ids[:3]


@pytest.mark.parametrize(
    "end",
    [
        (Succeeded(LATER, Result()),),
        (PartlyDone(LATER, "x", Result()),),
        (Failed(LATER, "x"),),
        (CancelRequested(LATER), Stopped(LATER)),
        (PauseRequested(LATER), Stopped(LATER)),
    ],
)
async def test_an_end_or_a_pause_makes_room_for_the_next(
    queue: Queue, world: World, end: tuple[Event, ...]
) -> None:
    first, second = await queue.add("k", "k")
    one = replace(ROOM, account=1)
    await queue.turns(one)
    await queue.happen(first, *end)
    assert await queue.turns(one) == [world.machine.id]
    assert await queue.holders() == [second]


async def test_the_key_that_holds_the_fewest_turns_is_next(queue: Queue) -> None:
    many = await queue.add(*["many"] * 6)
    await queue.turns(replace(ROOM, account=2))
    few = await queue.add("few", "few", "few")
    await queue.turns(replace(ROOM, account=5))
    assert await queue.holders() == [*many[:3], *few[:2]]


async def test_one_that_has_no_room_holds_up_no_other(queue: Queue, world: World) -> None:
    elsewhere = await queue.connect("elsewhere")
    full = await queue.add("k", "k", "k")
    spare = await queue.add("k", "k", instance=world.spare)
    other = await queue.add("k", "k", instance=world.spare, connection=elsewhere)
    limits = Limits(account=100, connection=2, instance=1)
    await queue.turns(limits)
    assert await queue.holders() == [full[0], spare[0]]
    await queue.happen(spare[0], Failed(LATER, "x"))
    await queue.turns(limits)
    assert await queue.holders() == [full[0], spare[1]]
    await queue.happen(spare[1], Failed(LATER, "x"))
    await queue.turns(limits)
    assert await queue.holders() == [full[0], other[0]]


async def test_a_full_connection_is_passed_over_for_each_key_and_instance(
    queue: Queue, world: World
) -> None:
    """Keys of which one begins with the other are two, and none is lost behind a full one."""
    second, third = await queue.connect("second"), await queue.connect("third")
    full = await queue.add("a", "a", "ab", "b", instance=world.box)
    await queue.add("a", "ab", "b", instance=world.spare)
    free = [
        *(await queue.add("ab", "a", instance=world.spare, connection=second)),
        *(await queue.add("abc", "b", instance=world.box, connection=third)),
    ]
    await queue.turns(Limits(account=100, connection=1, instance=100))
    holders = await queue.holders()
    assert [each for each in holders if each in free] == [free[0], free[2]]
    assert [each for each in holders if each not in free] == full[:1]
    await queue.turns(Limits(account=100, connection=2, instance=100))
    assert set(free) <= set(await queue.holders())


async def test_limits_that_were_lowered_take_no_turn_away(queue: Queue) -> None:
    ids = await queue.add("k", "k", "k")
    await queue.turns(ROOM)
    assert await queue.turns(Limits(account=1, connection=1, instance=1)) == []
    assert await queue.holders() == ids


async def test_accounts_have_nothing_to_do_with_each_others_turns(
    open_store: OpenStore, queue: Queue, world: World, theirs: World
) -> None:
    other = Queue(open_store, theirs)
    (mine,) = await queue.add("k")
    (their,) = await other.add("k")
    assert await queue.turns(replace(ROOM, account=1)) == [world.machine.id]
    assert (await queue.holders(), await other.holders()) == ([mine], [])
    assert await other.turns(replace(ROOM, account=1)) == [theirs.machine.id]
    assert await other.holders() == [their]


async def test_how_many_wait_before_one_is_counted_in_its_account_only(
    open_store: OpenStore, reads: Reads, queue: Queue, theirs: World
) -> None:
    await Queue(open_store, theirs).add("k")
    ids = await queue.add("k", "other", "k", "k")
    await queue.turns(replace(ROOM, account=1))
    await queue.happen(ids[2], CancelRequested(LATER))
    assert [await reads.waiting(each) for each in (ids[1], ids[3])] == [0, 1]


async def test_every_part_of_an_order_and_of_an_attempt_comes_back(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    plain = world.transfer()
    order = replace(
        plain.order,
        mode=Mode.MIRROR,
        verify=Verify.SIZE,
        agreed=Agreed(plan="t_plan", source="ab" * 32, destination="cd" * 32, deletions=7),
    )
    transfer = replace(plain, key=KeyId("k7"), order=order, bwlimit="10M")
    ended = step(transfer, Failed(LATER, "x"))
    again = step(ended, Retried(LATER, "fence-2", Scope.FAILED))
    async with open_store() as store:
        assert await store.transfers.add(transfer, Once()) == transfer
        assert await store.transfers.save(ended, was=transfer, at=LATER)
        assert await store.transfers.save(again, was=ended, at=LATER)
        assert await store.transfers.get(transfer.id) == again
    assert (await reads.transfer(transfer.id, account=MINE)).transfer == again


async def test_transfers_are_filtered_by_their_work(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    made = {}
    async with open_store() as store:
        for work in Work:
            plain = world.transfer()
            transfer = replace(plain, order=replace(plain.order, work=work))
            made[work] = await store.transfers.add(transfer, Once())
    for work in Work:
        (seen,) = await reads.transfers(MINE, TransferFilter(work=work))
        assert seen.transfer == made[work]
    assert len(await reads.transfers(MINE, TransferFilter())) == len(Work)
    latest = (await reads.instance(world.box.id, account=MINE)).latest
    assert latest is not None
    assert latest.transfer == made[Work.TRANSFER]


async def test_a_bandwidth_limit_changes_while_its_transfer_lives(
    open_store: OpenStore, queue: Queue
) -> None:
    (id,) = await queue.add("k")
    async with open_store() as store:
        await store.transfers.limit(id, "1M")
    assert (await queue.happen(id, Started(LATER))).bwlimit == "1M"
    await queue.happen(id, Succeeded(LATER, Result()))
    async with open_store() as store:
        await store.transfers.limit(id, "2M")
        assert (await store.transfers.get(id)).bwlimit == "1M"


async def test_every_change_of_state_is_remembered_and_nothing_else(
    open_store: OpenStore, reads: Reads, queue: Queue
) -> None:
    (id,) = await queue.add("k")
    started = await queue.happen(id, Started(LATER))
    async with open_store() as store:
        assert await store.transfers.save(replace(started, bwlimit="1M"), was=started, at=LATER)
        stale = replace(started, fence="another")
        assert not await store.transfers.save(step(started, Failed(LATER, "x")), was=stale, at=NOW)
    await queue.happen(id, Failed(LATER, "disk full"), Retried(LATER, "fence-2"))
    assert await reads.history(id) == [
        _moved(1, NOW, State.QUEUED),
        _moved(2, LATER, State.RUNNING),
        _moved(3, LATER, State.FAILED, reason="disk full"),
        _moved(4, LATER, State.QUEUED, attempt=2),
    ]
    assert await reads.history(id, after=3) == [_moved(4, LATER, State.QUEUED, attempt=2)]
    assert await reads.history(id, after=4) == []
    assert await reads.history(TransferId("t_none")) == []


def _moved(number: int, at: datetime, state: State, *, attempt: int = 1, reason: str = "") -> Moved:
    return Moved(number=number, at=at, state=state, attempt=attempt, reason=reason)
