"""That agents are there is stored together, and not lost where it cannot be stored."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from cloudcopy.control import machines
from cloudcopy.domain.errors import Unavailable
from tests.control.conftest import Plane


async def test_what_is_heard_while_one_is_stored_is_stored_together(plane: Plane):
    begun, go_on, transactions = asyncio.Event(), asyncio.Event(), []

    @asynccontextmanager
    async def opened():
        transactions.append(1)
        begun.set()
        await go_on.wait()
        async with plane.machines.open_store() as store:
            yield store

    desk = replace(plane.machines, open_store=opened, hearing=asyncio.Lock(), heard={})
    async with asyncio.TaskGroup() as group:
        group.create_task(machines.heard(plane.machine, desk=desk))
        await begun.wait()
        later = [group.create_task(machines.heard(plane.machine, desk=desk)) for _ in range(5)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in later)
        go_on.set()
    assert len(transactions) == 2
    assert desk.heard == {}


async def test_what_could_not_be_stored_is_stored_with_the_next(plane: Plane):
    @asynccontextmanager
    async def broken():
        raise Unavailable("gone")
        yield

    desk = replace(plane.machines, open_store=broken, hearing=asyncio.Lock(), heard={})
    with pytest.raises(Unavailable):
        await machines.heard(plane.machine, desk=desk)
    assert list(desk.heard) == [plane.machine]
