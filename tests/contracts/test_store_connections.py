"""What every store promises about connections; see `ports.store`."""

from datetime import timedelta

import pytest

from cloudcopy.domain.connection import Connection
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore, Store
from cloudcopy.ports.vault import Sealed
from tests.contracts.conftest import MINE, NOW, World

LATER = NOW + timedelta(minutes=5)


async def connect(store: Store, name: str) -> Connection:
    return await store.connections.add(
        account=MINE, name=name, cloud_type="s3", root="", shown={"region": "x"}, at=NOW
    )


async def test_a_connection_comes_back_as_it_was_added(open_store: OpenStore, world: World) -> None:
    async with open_store() as store:
        found = await store.connections.get(world.connection.id, account=MINE)
    assert found == world.connection
    assert (found.name, found.root, found.shown) == ("store", "bucket", {"region": "eu-1"})


async def test_secrets_come_back_sealed_and_only_once_there_are_some(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    sealed = Sealed(key=b"\0key", box=b"\xffbox")
    with pytest.raises(NotFound):
        await reads.sealed(world.connection.id)
    async with open_store() as store:
        await store.connections.seal(world.connection.id, sealed)
    assert await reads.sealed(world.connection.id) == sealed


async def test_a_name_is_taken_within_its_account_only(
    open_store: OpenStore, world: World, theirs: World
) -> None:
    assert theirs.connection.name == world.connection.name
    async with open_store() as store:
        with pytest.raises(Conflict) as refused:
            await connect(store, "store")
        another = await connect(store, "another")
    assert refused.value.code == "name_taken"
    async with open_store() as store:
        assert await store.connections.get(another.id, account=MINE) == another


async def test_a_removed_connection_is_gone_with_its_secrets_and_gives_its_name_back(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    id = world.connection.id
    async with open_store() as store:
        await store.connections.seal(id, Sealed(key=b"key", box=b"box"))
        await store.connections.remove(id)
        await store.connections.seal(id, Sealed(key=b"key", box=b"box"))
    async with open_store() as store:
        with pytest.raises(NotFound):
            await store.connections.get(id, account=MINE)
        with pytest.raises(NotFound):
            await reads.sealed(id)
        assert (await connect(store, "store")).id > id


async def test_a_connections_id_is_not_used_again(open_store: OpenStore) -> None:
    async with open_store() as store:
        first = await connect(store, "first")
        await store.connections.remove(first.id)
        second = await connect(store, "second")
    assert (first.id, second.id) == (1001, 1002)


async def test_a_connection_is_found_by_its_name_within_its_account(
    open_store: OpenStore, world: World, theirs: World
) -> None:
    async with open_store() as store:
        mine = await store.connections.named("store", account=MINE)
        assert mine == world.connection
        assert await store.connections.named("nothing", account=MINE) is None
        await store.connections.remove(world.connection.id)
        assert await store.connections.named("store", account=MINE) is None
