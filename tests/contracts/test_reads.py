"""What everything that can be looked at promises; see `ports.reads`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cloudcopy.domain.accounts import Account
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.keys import Key, KeyId
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.permissions import Ids
from cloudcopy.domain.progress import Phase, Progress
from cloudcopy.domain.transfer import CancelRequested, Failed, Started, State, Transfer, step
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.reads import InstanceSeen, KeySeen, Reads, Sign, TransferFilter, TransferSeen
from cloudcopy.ports.store import Once, OpenStore
from tests.contracts.conftest import MINE, NOW, THEIRS, World

LATER = NOW + timedelta(minutes=5)
PROGRESS = Progress(phase=Phase.VERIFYING, copied=2, to_copy=3)


async def added(open_store: OpenStore, *transfers: Transfer) -> None:
    async with open_store() as store:
        for each in transfers:
            await store.transfers.add(each, Once())


async def failed(open_store: OpenStore, was: Transfer) -> Transfer:
    ended = step(was, Failed(LATER, "disk full"))
    async with open_store() as store:
        assert await store.transfers.save(ended, was=was, at=LATER)
    return ended


def transfers(seen: Sequence[TransferSeen]) -> list[Transfer]:
    return [each.transfer for each in seen]


async def test_a_transfer_is_seen_with_the_names_of_what_it_joins(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    transfer = world.transfer()
    await added(open_store, transfer)
    async with open_store() as store:
        await store.transfers.note(transfer.id, transfer.fence, PROGRESS, at=NOW)
        await store.machines.seen({world.machine.id: LATER})
    seen = TransferSeen(
        transfer=transfer,
        instance_label="box",
        connection_name="store",
        cloud_type="s3",
        machine_seen_at=LATER,
        progress=PROGRESS,
    )
    assert await reads.transfer(transfer.id, account=MINE) == seen
    assert await reads.transfer(transfer.id, account=None) == seen
    assert await reads.transfers(MINE, TransferFilter()) == [seen]
    assert await reads.live(world.machine.id) == [seen]


async def test_a_transfer_still_shows_the_connection_that_was_removed(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    transfer = world.transfer()
    await added(open_store, transfer)
    async with open_store() as store:
        await store.connections.remove(world.connection.id)
    seen = await reads.transfer(transfer.id, account=MINE)
    assert (seen.connection_name, seen.cloud_type) == ("store", "s3")


async def test_what_belongs_to_another_account_is_not_found(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    transfer = world.transfer()
    await added(open_store, transfer)
    with pytest.raises(NotFound):
        await reads.transfer(transfer.id, account=THEIRS)
    with pytest.raises(NotFound):
        await reads.connection(world.connection.id, account=THEIRS)
    with pytest.raises(NotFound):
        await reads.machine(world.machine.id, account=THEIRS)
    with pytest.raises(NotFound):
        await reads.instance(world.box.id, account=THEIRS)
    assert await reads.transfers(THEIRS, TransferFilter()) == []
    assert await reads.connections(THEIRS) == []
    assert await reads.machines(THEIRS) == []
    assert await reads.instances(THEIRS) == []


async def test_what_does_not_exist_is_not_found(reads: Reads, world: World) -> None:
    with pytest.raises(NotFound):
        await reads.transfer(TransferId("t_none"), account=None)
    with pytest.raises(NotFound):
        await reads.connection(ConnectionId(9), account=MINE)
    with pytest.raises(NotFound):
        await reads.machine(MachineId(9), account=MINE)
    with pytest.raises(NotFound):
        await reads.instance(InstanceId(9), account=MINE)
    assert await reads.key(KeyId("none")) is None


async def test_transfers_are_listed_newest_first_page_by_page(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    kept = [world.transfer() for _ in range(5)]
    await added(open_store, *kept)
    first = transfers(await reads.transfers(MINE, TransferFilter(limit=2)))
    rest = transfers(await reads.transfers(MINE, TransferFilter(before=first[-1].id)))
    assert first == [kept[4], kept[3]]
    assert rest == [kept[2], kept[1], kept[0]]


async def test_transfers_are_filtered_by_state_instance_and_connection(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    on_box, on_spare = world.transfer(), world.transfer(instance=world.spare)
    await added(open_store, on_box, on_spare)
    ended = await failed(open_store, on_box)

    async def listed(only: TransferFilter) -> list[Transfer]:
        return transfers(await reads.transfers(MINE, only))

    live = frozenset({State.QUEUED, State.RUNNING})
    assert await listed(TransferFilter(states=live)) == [on_spare]
    assert await listed(TransferFilter(states=frozenset({State.FAILED}))) == [ended]
    assert await listed(TransferFilter(states=frozenset())) == []
    assert await listed(TransferFilter(instance=world.box.id)) == [ended]
    assert await listed(TransferFilter(instance=world.box.id, states=live)) == []
    assert await listed(TransferFilter(connection=world.connection.id)) == [on_spare, ended]
    assert await listed(TransferFilter(connection=ConnectionId(9))) == []


async def test_live_transfers_of_a_machine_are_oldest_first(
    open_store: OpenStore, reads: Reads, world: World, theirs: World
) -> None:
    first, ended, third = world.transfer(), world.transfer(), world.transfer(instance=world.spare)
    await added(open_store, first, ended, third, theirs.transfer())
    await failed(open_store, ended)
    running = step(first, Started(LATER))
    async with open_store() as store:
        await store.transfers.save(running, was=first, at=LATER)
    assert transfers(await reads.live(world.machine.id)) == [running, third]
    assert transfers(await reads.live(world.machine.id, only=[third.id, ended.id])) == [third]
    assert transfers(await reads.live(world.machine.id, only=[])) == []


async def test_the_signs_of_a_machine_are_of_what_its_agent_is_told(
    open_store: OpenStore, reads: Reads, world: World, theirs: World
) -> None:
    first, second, waiting = world.transfer(), world.transfer(), world.transfer()
    await added(open_store, first, second, waiting, theirs.transfer())
    async with open_store() as store:
        await store.transfers.turns(world.account, Limits(account=2, connection=9, instance=9))
        told = await store.transfers.get(first.id)
        stopping = step(step(told, Started(LATER)), CancelRequested(LATER))
        assert await store.transfers.save(stopping, was=told, at=LATER)
    assert await reads.signs(world.machine.id) == [
        Sign(first.id, first.attempt, first.fence, "stop", first.bwlimit),
        Sign(second.id, second.attempt, second.fence, "run", second.bwlimit),
    ]


async def test_connections_are_listed_newest_first_without_those_removed(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        second, third = [
            await store.connections.add(
                account=MINE, name=name, cloud_type="b2", root="", shown={}, at=LATER
            )
            for name in ("second", "third")
        ]
        await store.connections.remove(second.id)
    assert await reads.connections(MINE) == [third, world.connection]
    assert await reads.connection(third.id, account=MINE) == third
    with pytest.raises(NotFound):
        await reads.connection(second.id, account=MINE)


async def test_machines_are_listed_newest_first(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    async with open_store() as store:
        await store.machines.add_token(b"second", account=MINE, expires_at=LATER)
        second = await store.machines.enrol(b"second", public_key=b"x" * 32, name="b", at=NOW)
        await store.machines.connected(world.machine.id, at=LATER)
    first = replace(world.machine, epoch=1, seen_at=LATER)
    assert await reads.machines(MINE) == [second, first]
    assert await reads.machine(first.id, account=MINE) == first


async def test_instances_are_seen_with_their_machine_and_their_latest_transfer(
    open_store: OpenStore, reads: Reads, world: World, theirs: World
) -> None:
    older, latest = world.transfer(), world.transfer()
    await added(open_store, older, latest, theirs.transfer())
    ended = await failed(open_store, latest)
    async with open_store() as store:
        await store.machines.seen({world.machine.id: LATER})
    box = InstanceSeen(
        instance=world.box,
        machine_name="host",
        machine_seen_at=LATER,
        latest=await reads.transfer(ended.id, account=MINE),
    )
    spare = InstanceSeen(
        instance=world.spare, machine_name="host", machine_seen_at=LATER, latest=None
    )
    assert await reads.instances(MINE) == [spare, box]
    assert await reads.instance(world.box.id, account=MINE) == box
    assert await reads.instances(MINE, machine=world.machine.id) == [spare, box]
    assert await reads.instances(MINE, machine=theirs.machine.id) == []


async def test_keys_are_listed_newest_first_with_those_revoked(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    old = Key(id=KeyId("z"), account=MINE, name="old", digest=b"1", created_at=NOW)
    new = Key(id=KeyId("a"), account=MINE, name="new", digest=b"2", created_at=LATER)
    other = Key(id=KeyId("o"), account=MINE, name="mid", digest=b"3", created_at=NOW)
    async with open_store() as store:
        old, new, other = [await store.keys.add(key) for key in (old, new, other)]
        await store.keys.revoke(new.id, account=MINE, at=LATER)
    revoked = replace(new, revoked_at=LATER)
    assert (await reads.keys(MINE))[0] == revoked
    assert {key.id for key in await reads.keys(MINE)} == {"z", "a", "o"}
    assert await reads.keys(THEIRS) == []
    assert await reads.key(new.id) == KeySeen(revoked, operator=True)
    assert await reads.key(old.id) == KeySeen(old, operator=True)


async def test_accounts_are_listed_oldest_first_and_found_by_id(
    open_store: OpenStore, reads: Reads
) -> None:
    async with open_store() as store:
        made = await store.accounts.add("lab", operator=True)
        with pytest.raises(Conflict, match="called 'lab' already"):
            await store.accounts.add("lab", operator=False)
        assert await store.accounts.get(made.id) == made
        with pytest.raises(NotFound) as refused:
            await store.accounts.get(AccountId(99))
    assert refused.value.code == "no_such_account"
    assert await reads.accounts() == [
        Account(id=MINE, name="default", operator=True),
        Account(id=THEIRS, name="other", operator=False),
        made,
    ]
    assert await reads.account(made.id) == made


async def test_an_operator_sees_the_machines_of_all_accounts(
    reads: Reads, world: World, theirs: World
) -> None:
    mine, other = world.machine.id, theirs.machine.id
    assert [each.id for each in await reads.machines(None)] == [other, mine]
    assert (await reads.machine(other, account=None)).id == other
    with pytest.raises(NotFound):
        await reads.machine(other, account=MINE)


async def test_transfers_are_listed_among_the_ids_that_may_be_seen(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    one, other = world.transfer(), world.transfer(instance=world.spare)
    await added(open_store, one, other)
    box = world.box.id

    async def seen(among: Ids) -> list[str]:
        found = await reads.transfers(MINE, TransferFilter(among=among))
        return [each.transfer.id for each in found]

    assert await seen(Ids()) == [other.id, one.id]
    assert await seen(Ids(box, box)) == [one.id]
    assert await seen(Ids(least=box + 1)) == [other.id]
    assert await seen(Ids(most=box - 1)) == []
