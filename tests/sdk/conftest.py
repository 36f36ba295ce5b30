from collections.abc import AsyncIterator

import httpx2
import pytest

from cloudcopy.sdk import Client
from tests.sdk.scripted import Scripted

KEY = "cck_AbCdEfGhIjKl_very-secret-indeed_0badcafe"


class Pauses(list[float]):
    """Stands in for sleep: remembers how long was asked for, and does not wait."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def server() -> Scripted:
    return Scripted()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def client(server: Scripted, pauses: Pauses) -> AsyncIterator[Client]:
    drawn = iter(f"idem-{number}" for number in range(100))
    transport = httpx2.ASGITransport(app=server)
    async with Client(
        "http://server.test",
        KEY,
        transport=transport,
        sleep=pauses,
        chance=lambda: 0.0,
        new_idempotency_key=lambda: next(drawn),
    ) as client:
        yield client
