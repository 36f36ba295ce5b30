"""What every store promises about machines and instances; see `ports.store`."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cloudcopy.domain.errors import Forbidden, NotFound
from cloudcopy.domain.machine import ActualStatus, Announced, InstanceId, Machine, MachineId
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore, Store
from tests.contracts.conftest import MINE, NOW, THEIRS, TOKEN_LIFE, World

LATER = NOW + timedelta(minutes=5)


async def invite(store: Store, digest: bytes = b"token") -> None:
    await store.machines.add_token(digest, account=MINE, expires_at=NOW + TOKEN_LIFE)


async def enrolled(store: Store, key: bytes = b"a" * 32, *, late: bool = False) -> Machine:
    at = NOW + TOKEN_LIFE if late else NOW
    return await store.machines.enrol(b"token", public_key=key, name="host", at=at)


async def test_a_token_lets_one_machine_in(open_store: OpenStore) -> None:
    async with open_store() as store:
        await invite(store)
        machine = await enrolled(store)
        assert await store.machines.get(machine.id) == machine
    expected = (1, MINE, "host", b"a" * 32, 0, NOW, None)
    assert expected == (
        machine.id,
        machine.account,
        machine.name,
        machine.public_key,
        machine.epoch,
        machine.created_at,
        machine.seen_at,
    )


async def test_the_same_token_with_the_same_key_is_the_same_machine_even_when_expired(
    open_store: OpenStore,
) -> None:
    async with open_store() as store:
        await invite(store)
        machine = await enrolled(store)
        assert await enrolled(store) == machine
        assert await enrolled(store, late=True) == machine


async def test_a_token_that_is_unknown_expired_or_anothers_is_refused(
    open_store: OpenStore, reads: Reads
) -> None:
    async with open_store() as store:
        with pytest.raises(Forbidden):
            await enrolled(store)
        await invite(store)
        with pytest.raises(Forbidden):
            await enrolled(store, late=True)
        machine = await enrolled(store)
        with pytest.raises(Forbidden):
            await enrolled(store, b"b" * 32)
    assert await reads.machines(MINE) == [machine]


async def test_two_machines_at_once_with_one_token_are_one_machine_and_one_refusal(
    open_store: OpenStore,
) -> None:
    async def join(key: bytes) -> Machine:
        async with open_store() as store:
            return await enrolled(store, key)

    async with open_store() as store:
        await invite(store)
    answers = await asyncio.gather(join(b"a" * 32), join(b"b" * 32), return_exceptions=True)
    assert [type(each) for each in answers] == [Machine, Forbidden]


async def test_nobody_finds_another_accounts_machine_or_instance(
    open_store: OpenStore, world: World
) -> None:
    async with open_store() as store:
        assert await store.machines.get(world.machine.id, account=MINE) == world.machine
        assert await store.machines.instance(world.box.id, account=MINE) == world.box
        with pytest.raises(NotFound):
            await store.machines.get(world.machine.id, account=THEIRS)
        with pytest.raises(NotFound):
            await store.machines.get(MachineId(999))
        with pytest.raises(NotFound):
            await store.machines.instance(world.box.id, account=THEIRS)
        with pytest.raises(NotFound):
            await store.machines.instance(InstanceId(999), account=MINE)
        with pytest.raises(NotFound):
            await store.connections.get(world.connection.id, account=THEIRS)


async def test_each_connection_of_a_machine_draws_the_next_epoch(
    open_store: OpenStore, world: World
) -> None:
    async with open_store() as store:
        epochs = [await store.machines.connected(world.machine.id, at=LATER) for _ in range(2)]
        with pytest.raises(NotFound):
            await store.machines.connected(MachineId(999), at=LATER)
    async with open_store() as store:
        machine = await store.machines.get(world.machine.id)
    assert (epochs, machine.epoch, machine.seen_at) == ([1, 2], 2, LATER)


async def test_the_last_time_a_machine_was_heard_is_kept(
    open_store: OpenStore, world: World
) -> None:
    async with open_store() as store:
        await store.machines.seen({world.machine.id: NOW})
        await store.machines.seen({world.machine.id: LATER})
        machine = await store.machines.get(world.machine.id)
    assert machine == replace(world.machine, seen_at=LATER)


async def test_an_announcement_keeps_ids_adds_what_is_new_and_puts_the_rest_offline(
    open_store: OpenStore, world: World
) -> None:
    async with open_store() as store:
        new, box = await store.machines.announce(
            world.machine.id,
            [
                Announced("new", "/srv/new", ActualStatus.LOADING),
                Announced("box", "/srv/moved", ActualStatus.STOPPED),
            ],
            at=LATER,
        )
    assert box == replace(world.box, root="/srv/moved", actual_status=ActualStatus.STOPPED)
    assert (new.label, new.account, new.created_at) == ("new", MINE, LATER)
    async with open_store() as store:
        spare = await store.machines.instance(world.spare.id, account=MINE)
        assert await store.machines.instance(box.id, account=MINE) == box
    assert spare == replace(world.spare, actual_status=ActualStatus.OFFLINE)


async def test_an_empty_announcement_puts_every_instance_of_that_machine_offline(
    open_store: OpenStore, world: World, theirs: World
) -> None:
    async with open_store() as store:
        assert await store.machines.announce(world.machine.id, [], at=LATER) == []
        box = await store.machines.instance(world.box.id, account=MINE)
        other = await store.machines.instance(theirs.box.id, account=THEIRS)
    assert (box.actual_status, other) == (ActualStatus.OFFLINE, theirs.box)


async def test_two_machines_may_use_the_same_label_for_two_instances(
    world: World, theirs: World
) -> None:
    assert [world.box.id, world.spare.id, theirs.box.id, theirs.spare.id] == [101, 102, 103, 104]
