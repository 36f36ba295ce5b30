"""Group commit: who is in a group, and that nobody in it suffers from the others."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from cloudcopy.adapters.bus.local import LocalBus
from cloudcopy.adapters.sql.database import Database, open_database
from cloudcopy.adapters.sql.intake import GroupCommit
from cloudcopy.adapters.sql.reads import SqlReads
from cloudcopy.adapters.sql.store import open_store
from cloudcopy.control import accepting, transfers
from cloudcopy.domain.errors import Conflict, Forbidden, NotFound, Unavailable
from cloudcopy.domain.keys import Caller, KeyId
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.paths import RemotePath
from cloudcopy.domain.permissions import Ids
from cloudcopy.domain.transfer import Transfer
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.intake import Outcomes, Wanted
from cloudcopy.ports.reads import TransferFilter
from cloudcopy.ports.store import Store
from tests.contracts.conftest import MINE, NOW, World, settle

ME = Caller(MINE, KeyId("mine"))


class Desk:
    """The intake under test, and how large its groups were."""

    def __init__(self, database: Database, world: World, most: int = 128) -> None:
        self.world = world
        self.groups: list[int] = []
        self.broken: set[str] = set()  # destinations that a defect of ours fails on
        self.reads = SqlReads(database)
        self.desk = transfers.Desk(
            partial(open_store, database),
            self.reads,
            LocalBus(),
            lambda: NOW,
            world.new_id,
            lambda: "fence",
            Limits(account=3),
            GroupCommit(database, self._accept, most=most),
        )

    def _accept(self, wanted: Sequence[Wanted], store: Store) -> Outcomes:
        self.groups.append(len(wanted))
        return self._accepted(wanted, store)

    async def _accepted(self, wanted: Sequence[Wanted], store: Store):
        outcomes = await accepting.accept_all(wanted, store, desk=self.desk)
        if self.broken & {each.order.remote.value for each in wanted}:
            raise ZeroDivisionError
        return outcomes

    async def submit(self, remote: str, caller: Caller = ME, **rest) -> Transfer:
        order = self.world.transfer().order
        instance = rest.pop("instance", order.instance)
        order = replace(order, remote=RemotePath(remote), instance=instance)
        return await transfers.submit(order, caller=caller, desk=self.desk, **rest)

    async def together(self, *asked) -> list[Transfer | BaseException]:
        return await asyncio.gather(*asked, return_exceptions=True)

    async def stored(self) -> dict[TransferId, str]:
        found = await self.reads.transfers(MINE, TransferFilter(limit=1000))
        return {each.transfer.id: each.transfer.order.remote.value for each in found}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "cloudcopy.db", busy_seconds=0.1) as opened:
        yield opened


@pytest.fixture
async def desk(database: Database) -> Desk:
    numbers = count(1)
    world = await settle(partial(open_store, database), MINE, lambda: f"{next(numbers):026}")
    return Desk(database, world)


async def test_what_comes_together_is_committed_together_in_the_order_it_came(desk: Desk) -> None:
    answered = await desk.together(*(desk.submit(f"b/{n}") for n in range(50)))
    assert desk.groups == [50]
    assert await desk.stored() == {each.id: f"b/{n}" for n, each in enumerate(answered)}
    assert [each.admitted for each in answered] == [n < 3 for n in range(50)]  # the oldest first
    history = await desk.reads.history(answered[-1].id)
    assert [(each.number, each.state.value) for each in history] == [(1, "queued")]


async def test_a_group_has_a_bound_and_the_rest_goes_into_the_next(
    database: Database, desk: Desk
) -> None:
    small = Desk(database, desk.world, most=4)
    await small.together(*(small.submit(f"b/{n}") for n in range(10)))
    assert small.groups == [4, 4, 2]


async def test_one_alone_waits_for_nobody(desk: Desk) -> None:
    made = await desk.submit("b/alone")
    assert desk.groups == [1]
    assert await desk.stored() == {made.id: "b/alone"}


async def test_the_same_key_many_times_at_once_is_one_transfer(desk: Desk) -> None:
    asked = (desk.submit("b/same", idempotency_key="k") for _ in range(40))
    answered = await desk.together(*asked)
    again = await desk.together(*(desk.submit("b/same", idempotency_key="k") for _ in range(2)))
    assert len({each.id for each in (*answered, *again)}) == 1
    assert list((await desk.stored()).values()) == ["b/same"]


async def test_the_same_order_many_times_at_once_is_one_transfer_while_it_is_live(
    desk: Desk,
) -> None:
    first = await desk.together(*(desk.submit("b/x", once_while_live=True) for _ in range(9)))
    await transfers.cancel(first[0].id, caller=ME, desk=desk.desk)
    then = await desk.together(*(desk.submit("b/x", once_while_live=True) for _ in range(9)))
    assert len({each.id for each in first}) == len({each.id for each in then}) == 1
    assert first[0].id != then[0].id


async def test_a_key_with_two_orders_in_one_group_is_the_first_ones(desk: Desk) -> None:
    one, other = await desk.together(
        desk.submit("b/one", idempotency_key="k"), desk.submit("b/other", idempotency_key="k")
    )
    assert isinstance(other, Conflict)
    assert other.code == "idempotency_key_reused"
    assert await desk.stored() == {one.id: "b/one"}


async def test_a_bad_order_among_good_ones_is_refused_alone(desk: Desk) -> None:
    elsewhere = replace(ME, instances=Ids(least=10**6))
    one, missing, limited, other = await desk.together(
        desk.submit("b/one"),
        desk.submit("b/bad", instance=InstanceId(404)),
        desk.submit("b/bad", caller=elsewhere),
        desk.submit("b/other"),
    )
    assert isinstance(missing, NotFound)
    assert isinstance(limited, Forbidden)
    assert desk.groups == [4]
    assert await desk.stored() == {one.id: "b/one", other.id: "b/other"}


async def test_a_defect_fails_the_one_it_is_about_and_no_other(desk: Desk) -> None:
    desk.broken = {"b/broken"}
    one, broken, other = await desk.together(
        desk.submit("b/one"), desk.submit("b/broken"), desk.submit("b/other")
    )
    assert isinstance(broken, ZeroDivisionError)
    assert desk.groups == [3, 1, 1, 1]
    assert await desk.stored() == {one.id: "b/one", other.id: "b/other"}


async def test_who_leaves_while_waiting_is_missed_by_nobody(desk: Desk) -> None:
    asking = [asyncio.create_task(desk.submit(f"b/{n}")) for n in range(3)]
    await asyncio.sleep(0)  # all have asked, none is answered
    asking[1].cancel()
    one, left, other = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(left, asyncio.CancelledError)
    assert {one.id: "b/0", other.id: "b/2"}.items() <= (await desk.stored()).items()


async def test_a_locked_database_refuses_each_and_stores_none(desk: Desk, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "cloudcopy.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answered = await desk.together(*(desk.submit(f"b/{n}") for n in range(3)))
    assert [type(each) for each in answered] == [Unavailable] * 3
    assert len({id(each) for each in answered}) == 3
    assert await desk.stored() == {}
