"""What every store promises of ledgers; see `ports.store.Ledgers`."""

from datetime import timedelta

from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Result
from cloudcopy.domain.transfer import Succeeded, Transfer, step
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import Once, OpenStore
from tests.contracts.conftest import NOW, World

LATER = NOW + timedelta(days=1)
CHUNK = bytes(range(256)) * 400


async def added(open_store: OpenStore, transfer: Transfer) -> TransferId:
    async with open_store() as store:
        return (await store.transfers.add(transfer, Once())).id


async def put(open_store: OpenStore, id: TransferId, *numbers: int, attempt: int = 1) -> None:
    async with open_store() as store:
        for number in numbers:
            await store.ledgers.put(id, attempt, number, CHUNK + b"%d" % number, rows=number)


async def count(open_store: OpenStore, id: TransferId, attempt: int = 1) -> int:
    async with open_store() as store:
        return await store.ledgers.count(id, attempt)


async def test_a_chunk_comes_back_as_it_was_put(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    id = await added(open_store, world.transfer())
    await put(open_store, id, 0, 1)
    assert await reads.chunk(id, 1, 1) == CHUNK + b"1"
    assert await reads.chunk(id, 1, 2) is None
    assert await reads.chunk(id, 2, 1) is None
    assert await reads.chunk(TransferId("t_none"), 1, 0) is None


async def test_the_same_number_again_changes_nothing(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    id = await added(open_store, world.transfer())
    await put(open_store, id, 0)
    async with open_store() as store:
        await store.ledgers.put(id, 1, 0, b"another", rows=9)
    assert await reads.chunk(id, 1, 0) == CHUNK + b"0"
    assert await count(open_store, id) == 1


async def test_chunks_are_counted_up_to_the_first_gap(open_store: OpenStore, world: World) -> None:
    id = await added(open_store, world.transfer())
    counts = [await count(open_store, id)]
    for number in (0, 3, 1, 2):
        await put(open_store, id, number)
        counts.append(await count(open_store, id))
    assert counts == [0, 1, 1, 2, 4]
    await put(open_store, id, 1, attempt=2)
    assert await count(open_store, id, attempt=2) == 0


async def test_the_attempts_that_have_a_ledger_are_told_latest_first(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    id, other = [await added(open_store, world.transfer()) for _ in range(2)]
    await put(open_store, id, 0, 1)
    await put(open_store, id, 0, attempt=11)
    await put(open_store, id, 0, attempt=3)
    await put(open_store, other, 0, attempt=12)
    assert await reads.ledgers(id) == [11, 3, 1]
    assert await reads.ledgers(TransferId("t_none")) == []


async def test_only_ledgers_of_transfers_that_ended_long_ago_are_forgotten(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    old, young, live = world.transfer(), world.transfer(), world.transfer()
    async with open_store() as store:
        for transfer, end in ((old, NOW), (young, LATER), (live, None)):
            await store.transfers.add(transfer, Once())
            await store.ledgers.put(transfer.id, 1, 0, CHUNK, rows=1)
            if end is not None:
                ended = step(transfer, Succeeded(end, Result()))
                assert await store.transfers.save(ended, was=transfer, at=end)
    async with open_store() as store:
        assert await store.ledgers.prune(before=LATER) == 1
        assert await store.ledgers.prune(before=LATER) == 0
    kept = [await reads.ledgers(each.id) for each in (old, young, live)]
    assert kept == [[], [1], [1]]
    assert (await reads.transfer(old.id, account=None)).transfer.result == Result()


async def test_a_long_ledger_is_forgotten_a_part_at_a_time(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    transfer = world.transfer()
    async with open_store() as store:
        await store.transfers.add(transfer, Once())
        for number in range(450):
            await store.ledgers.put(transfer.id, 1, number, b"x", rows=1)
        ended = step(transfer, Succeeded(NOW, Result()))
        assert await store.transfers.save(ended, was=transfer, at=NOW)
    parts: list[int] = []
    while not parts or parts[-1]:
        async with open_store() as store:
            parts.append(await store.ledgers.prune(before=LATER))
    assert sum(parts) == 450
    assert max(parts) < 450
    assert await reads.ledgers(transfer.id) == []
