"""What every store promises about keys; see `ports.store`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.keys import Key, KeyId
from cloudcopy.ports.store import OpenStore
from tests.contracts.conftest import MINE, NOW, THEIRS

LATER = NOW + timedelta(minutes=5)


KEY = Key(id=KeyId("abcdefghijkl"), account=MINE, name="ci", digest=b"\0" * 32, created_at=NOW)


async def test_a_key_is_found_by_its_id(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.keys.add(KEY)
        assert await store.keys.get(KEY.id) == KEY
        assert await store.keys.get(KeyId("another")) is None


async def test_revoking_twice_keeps_the_first_time(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.keys.add(KEY)
        await store.keys.revoke(KEY.id, account=MINE, at=NOW)
        await store.keys.revoke(KEY.id, account=MINE, at=LATER)
        assert await store.keys.get(KEY.id) == replace(KEY, revoked_at=NOW)


async def test_nobody_revokes_another_accounts_key(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.keys.add(KEY)
        with pytest.raises(NotFound) as refused:
            await store.keys.revoke(KEY.id, account=THEIRS, at=NOW)
        assert await store.keys.get(KEY.id) == KEY
    assert refused.value.code == "no_such_key"
