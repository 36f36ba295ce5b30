"""Queries that are done together: each is asked after its asker, and fails alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, event, select, text, update
from sqlalchemy.exc import OperationalError

from cloudcopy.adapters.sql.database import READERS, Database, open_database
from cloudcopy.adapters.sql.tables import accounts
from cloudcopy.domain.errors import Unavailable

NAME = select(accounts.c.name).where(accounts.c.id == bindparam("id"))
BROKEN = select(text("nothing FROM nowhere"))


class Asked:
    """What reaches the database, one entry for each statement."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.statements: list[str] = []

        @event.listens_for(database._gathering._engine, "before_cursor_execute")
        def count(conn, cursor, statement, *rest) -> None:
            self.statements.append(statement)

    async def name(self, id: int = 1) -> str | None:
        found = await self.database.fetch(NAME, {"id": id})
        return found[0]["name"] if found else None


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    async with open_database(tmp_path / "cloudcopy.db") as database:
        yield Asked(database)


async def test_equal_queries_of_one_moment_are_one(asked: Asked) -> None:
    assert await asyncio.gather(*(asked.name() for _ in range(200))) == ["default"] * 200
    assert len(asked.statements) <= READERS + 4  # the first ones find the readers free


async def test_other_values_are_another_query(asked: Asked) -> None:
    found = await asyncio.gather(*(asked.name(id) for id in (1, 2, 1, 2, 1, 2, 1, 2)))
    assert found == ["default", None] * 4


async def test_a_query_never_tells_what_was_before_it_was_asked(asked: Asked) -> None:
    async def change_and_look(n: int) -> None:
        async with asked.database.write() as connection:
            await connection.execute(update(accounts).values(name=f"n{n}"))
        told = await asked.name()
        assert told is not None
        assert int(told.removeprefix("n")) >= n

    await asyncio.gather(
        *(asked.name() for _ in range(50)), *(change_and_look(n) for n in range(9))
    )


async def test_one_that_fails_fails_alone(asked: Asked) -> None:
    several = [asked.name() if n % 2 else asked.database.fetch(BROKEN) for n in range(20)]
    told = await asyncio.gather(*several, return_exceptions=True)
    assert told[1::2] == ["default"] * 10
    assert [type(each) for each in told[::2]] == [Unavailable] * 10
    assert isinstance(told[0].__cause__, OperationalError)


async def test_who_leaves_holds_up_nobody(asked: Asked) -> None:
    asking = [asyncio.create_task(asked.name()) for _ in range(20)]
    await asyncio.sleep(0)
    for each in asking[::2]:
        each.cancel()
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert told[1::2] == ["default"] * 10
    assert await asked.name() == "default"
