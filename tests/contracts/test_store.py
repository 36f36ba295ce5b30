"""What every store promises; see `ports.store`."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import CurrentFile, Phase, Progress, Result, Verified
from cloudcopy.domain.transfer import (
    CancelRequested,
    Retried,
    Started,
    State,
    Stopped,
    Succeeded,
    Transfer,
    step,
)
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import Once, OpenStore
from tests.contracts.conftest import MINE, NOW, THEIRS, World

LATER = NOW + timedelta(minutes=5)
RESULT = Result(
    found=3,
    copied=2,
    skipped=(("symbolic link", 1),),
    bytes_copied=2**40,
    verified=Verified.HASH,
    hash="md5",
    notes=("one", "zwei ✓"),
)
PROGRESS = Progress(
    phase=Phase.TRANSFERRING,
    copied=1,
    bytes_to_copy=2**41,
    rate=1.5,
    eta_seconds=7,
    current=(CurrentFile("a/ü", 5, -1),),
)


class Broken(Exception):
    """Raised on purpose inside a transaction."""


async def added(open_store: OpenStore, transfer: Transfer, once: Once | None = None) -> Transfer:
    async with open_store() as store:
        return await store.transfers.add(transfer, once or Once())


async def saved(open_store: OpenStore, transfer: Transfer, *, was: Transfer) -> bool:
    async with open_store() as store:
        return await store.transfers.save(transfer, was=was, at=LATER)


async def got(open_store: OpenStore, id: TransferId) -> Transfer:
    async with open_store() as store:
        return await store.transfers.get(id)


# One transaction


async def test_what_was_written_is_there_after_a_clean_exit(
    open_store: OpenStore, world: World
) -> None:
    transfer = world.transfer()
    assert await added(open_store, transfer) == transfer
    assert await got(open_store, transfer.id) == transfer


async def test_an_exception_takes_back_everything(open_store: OpenStore, world: World) -> None:
    kept = await added(open_store, world.transfer())
    lost = world.transfer()

    async def break_off() -> None:
        async with open_store() as store:
            await store.transfers.add(lost, Once())
            await store.transfers.save(step(kept, Started(LATER)), was=kept, at=LATER)
            await store.connections.remove(world.connection.id)
            raise Broken

    with pytest.raises(Broken):
        await break_off()
    async with open_store() as store:
        assert await store.transfers.live(world.machine.id) == [kept]
        assert await store.connections.get(world.connection.id, account=MINE) == world.connection


async def test_a_transaction_sees_its_own_writes_and_readers_do_not(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    transfer = world.transfer()
    async with open_store() as store:
        await store.transfers.add(transfer, Once())
        assert await store.transfers.get(transfer.id) == transfer
        with pytest.raises(NotFound):
            await reads.transfer(transfer.id, account=None)
    assert (await reads.transfer(transfer.id, account=None)).transfer == transfer


async def test_a_transfer_that_was_read_is_held_against_other_writers(
    open_store: OpenStore, world: World
) -> None:
    transfer = await added(open_store, world.transfer())
    order: list[str] = []

    async def cancel() -> None:
        async with open_store() as store:
            was = await store.transfers.get(transfer.id)
            order.append(f"second saw {was.state}")

    async with open_store() as store:
        was = await store.transfers.get(transfer.id)
        second = asyncio.create_task(cancel())
        await store.transfers.save(step(was, Started(LATER)), was=was, at=LATER)
        order.append("first saved")
    await second
    assert order == ["first saved", "second saw running"]


async def test_many_writers_at_once_all_get_their_turn(open_store: OpenStore, world: World) -> None:
    transfers = [world.transfer() for _ in range(100)]
    await asyncio.gather(*(added(open_store, each) for each in transfers))
    async with open_store() as store:
        assert await store.transfers.live(world.machine.id) == transfers


# Transfers


async def test_times_come_back_aware_and_in_utc_to_the_microsecond(
    open_store: OpenStore, world: World
) -> None:
    transfer = await added(open_store, world.transfer())
    found = await got(open_store, transfer.id)
    assert (found.created_at, found.created_at.utcoffset()) == (NOW, timedelta(0))


async def test_every_part_of_a_result_comes_back(open_store: OpenStore, world: World) -> None:
    was = await added(open_store, world.transfer())
    ended = step(was, Succeeded(LATER, RESULT))
    assert await saved(open_store, ended, was=was)
    found = await got(open_store, was.id)
    assert found == ended
    assert found.result == RESULT


async def test_the_same_key_with_the_same_body_is_the_same_transfer(
    open_store: OpenStore, world: World
) -> None:
    first = await added(open_store, world.transfer(), Once(key="k", body="b"))
    assert await added(open_store, world.transfer(), Once(key="k", body="b")) == first
    async with open_store() as store:
        assert await store.transfers.live(world.machine.id) == [first]


async def test_a_key_stays_taken_after_its_transfer_ended(
    open_store: OpenStore, world: World
) -> None:
    first = await added(open_store, world.transfer(), Once(key="k", body="b"))
    ended = step(first, Succeeded(LATER, RESULT))
    await saved(open_store, ended, was=first)
    assert await added(open_store, world.transfer(), Once(key="k", body="b")) == ended


async def test_the_same_key_with_another_body_is_a_conflict(
    open_store: OpenStore, world: World
) -> None:
    first = await added(open_store, world.transfer(), Once(key="k", body="b"))
    with pytest.raises(Conflict) as refused:
        await added(open_store, world.transfer(), Once(key="k", body="another"))
    assert refused.value.code == "idempotency_key_reused"
    async with open_store() as store:
        assert await store.transfers.live(world.machine.id) == [first]


async def test_the_same_order_is_the_same_transfer_while_that_is_live(
    open_store: OpenStore, world: World
) -> None:
    once = Once(order="o", body="b")
    first = await added(open_store, world.transfer(), once)
    running = step(first, Started(LATER))
    await saved(open_store, running, was=first)
    assert await added(open_store, world.transfer(), once) == running


@pytest.mark.parametrize("end", [Succeeded(LATER, RESULT), Stopped(LATER)])
async def test_the_same_order_is_a_new_transfer_once_the_first_has_ended(
    open_store: OpenStore, world: World, end: Succeeded | Stopped
) -> None:
    once = Once(order="o", body="b")
    first = await added(open_store, world.transfer(), once)
    asked = step(first, CancelRequested(LATER))
    await saved(open_store, asked, was=first)
    await saved(open_store, step(asked, end), was=asked)
    second = world.transfer()
    assert await added(open_store, second, once) == second


async def test_a_retry_and_a_new_submission_of_its_order_can_both_be_live(
    open_store: OpenStore, world: World
) -> None:
    once = Once(order="o", body="b")
    first = await added(open_store, world.transfer(), once)
    asked = step(first, CancelRequested(LATER))
    stopped = step(asked, Stopped(LATER))
    await saved(open_store, asked, was=first)
    await saved(open_store, stopped, was=asked)
    second = await added(open_store, world.transfer(), once)
    again = step(stopped, Retried(LATER, "fence-2"))
    assert await saved(open_store, again, was=stopped)
    async with open_store() as store:
        assert await store.transfers.live(world.machine.id) == [again, second]


async def test_without_a_key_or_an_order_every_submission_is_new(
    open_store: OpenStore, world: World
) -> None:
    first = await added(open_store, world.transfer(), Once(body="b"))
    second = await added(open_store, world.transfer(), Once(body="b"))
    async with open_store() as store:
        assert await store.transfers.live(world.machine.id) == [first, second]


async def test_keys_and_orders_of_two_accounts_have_nothing_to_do_with_each_other(
    open_store: OpenStore, world: World, theirs: World
) -> None:
    once = Once(key="k", order="o", body="b")
    mine, other = world.transfer(), theirs.transfer()
    assert await added(open_store, mine, once) == mine
    assert await added(open_store, other, once) == other


@pytest.mark.parametrize("once", [Once(key="k", body="b"), Once(order="o", body="b")])
async def test_submitting_many_times_at_once_gives_one_transfer(
    open_store: OpenStore, world: World, once: Once
) -> None:
    answers = await asyncio.gather(*(added(open_store, world.transfer(), once) for _ in range(20)))
    assert len({each.id for each in answers}) == 1
    async with open_store() as store:
        assert await store.transfers.live(world.machine.id) == [answers[0]]


async def test_nobody_finds_another_accounts_transfer(open_store: OpenStore, world: World) -> None:
    transfer = await added(open_store, world.transfer())
    async with open_store() as store:
        assert await store.transfers.get(transfer.id, account=MINE) == transfer
        with pytest.raises(NotFound):
            await store.transfers.get(transfer.id, account=THEIRS)
        with pytest.raises(NotFound) as unknown:
            await store.transfers.get(TransferId("t_none"))
    assert unknown.value.code == "no_such_transfer"


@pytest.mark.parametrize(
    "stale",
    [{"state": State.RUNNING}, {"attempt": 2}, {"fence": "another"}],
    ids=["state", "attempt", "fence"],
)
async def test_a_save_over_what_is_no_longer_so_changes_nothing(
    open_store: OpenStore, world: World, stale: dict[str, object]
) -> None:
    transfer = await added(open_store, world.transfer())
    was = replace(transfer, **stale)  # type: ignore[arg-type]
    ended = step(transfer, Succeeded(LATER, RESULT))
    assert not await saved(open_store, ended, was=was)
    assert await got(open_store, transfer.id) == transfer


async def test_of_two_saves_over_the_same_state_one_wins(
    open_store: OpenStore, world: World
) -> None:
    was = await added(open_store, world.transfer())
    ended, asked = step(was, Succeeded(LATER, RESULT)), step(was, CancelRequested(LATER))
    won = await asyncio.gather(*(saved(open_store, each, was=was) for each in (ended, asked)))
    assert won == [True, False]
    assert await got(open_store, was.id) == ended


async def test_live_transfers_are_oldest_first_and_without_those_that_ended(
    open_store: OpenStore, world: World, theirs: World
) -> None:
    first, ended, third = [await added(open_store, world.transfer()) for _ in range(3)]
    elsewhere = await added(open_store, world.transfer(instance=world.spare))
    await added(open_store, theirs.transfer())
    await saved(open_store, step(ended, Succeeded(LATER, RESULT)), was=ended)
    cancelling = step(first, CancelRequested(LATER))
    await saved(open_store, cancelling, was=first)
    async with open_store() as store:
        live = store.transfers
        assert await live.live(world.machine.id) == [cancelling, third, elsewhere]
        assert await live.live_of(world.box.id) == [cancelling, third]
        assert await live.live_on(world.connection.id) == [cancelling, third, elsewhere]
        assert await live.live(MachineId(999)) == []


async def test_the_latest_numbers_of_a_live_attempt_are_kept(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    transfer = await added(open_store, world.transfer())
    async with open_store() as store:
        await store.transfers.note(
            transfer.id, transfer.fence, Progress(phase=Phase.PREPARING), at=NOW
        )
        await store.transfers.note(transfer.id, transfer.fence, PROGRESS, at=LATER)
    seen = await reads.transfer(transfer.id, account=MINE)
    assert (seen.progress, seen.transfer) == (PROGRESS, transfer)


async def test_numbers_with_a_stale_fence_or_after_the_end_change_nothing(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    transfer = await added(open_store, world.transfer())
    async with open_store() as store:
        await store.transfers.note(transfer.id, "another", PROGRESS, at=LATER)
    assert (await reads.transfer(transfer.id, account=MINE)).progress is None
    await saved(open_store, step(transfer, Succeeded(LATER, RESULT)), was=transfer)
    async with open_store() as store:
        await store.transfers.note(transfer.id, transfer.fence, PROGRESS, at=LATER)
    assert (await reads.transfer(transfer.id, account=MINE)).progress is None


async def test_a_new_attempt_begins_without_the_numbers_of_the_last(
    open_store: OpenStore, reads: Reads, world: World
) -> None:
    transfer = await added(open_store, world.transfer())
    asked = step(transfer, CancelRequested(LATER))
    stopped = step(asked, Stopped(LATER))
    async with open_store() as store:
        await store.transfers.note(transfer.id, transfer.fence, PROGRESS, at=LATER)
        await store.transfers.save(asked, was=transfer, at=LATER)
        await store.transfers.save(stopped, was=asked, at=LATER)
        await store.transfers.save(step(stopped, Retried(LATER, "fence-2")), was=stopped, at=LATER)
    assert (await reads.transfer(transfer.id, account=MINE)).progress is None
