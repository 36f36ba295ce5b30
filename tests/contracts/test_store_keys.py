"""What every store promises about keys; see `ports.store`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cloudcopy.domain.errors import NotFound
from cloudcopy.domain.keys import Key, KeyId, Rights
from cloudcopy.domain.permissions import Permissions
from cloudcopy.domain.rates import Rate
from cloudcopy.ports.store import OpenStore
from tests.contracts.conftest import MINE, NOW, THEIRS

LATER = NOW + timedelta(minutes=5)


KEY = Key(id=KeyId("abcdefghijkl"), account=MINE, name="ci", digest=b"\0" * 32, created_at=NOW)


async def test_a_key_is_found_by_its_id(open_store: OpenStore) -> None:
    async with open_store() as store:
        added = await store.keys.add(KEY)
        assert added == replace(KEY, number=1)
        assert await store.keys.get(KEY.id) == added
        assert await store.keys.get(KeyId("another")) is None


async def test_everything_about_a_key_is_kept_and_numbers_count_up(open_store: OpenStore) -> None:
    rights = Rights(
        permissions=Permissions.parse(
            {"api": {"instance_read": {"constraints": {"id": {"eq": 7}}}, "misc": {}}}
        ),
        expires_at=LATER,
        rate=Rate(0.5, 20),
    )
    limited = replace(KEY, id=KeyId("z" * 12), account=THEIRS, rights=rights, made_with=KEY.id)
    async with open_store() as store:
        await store.keys.add(KEY)
        await store.keys.revoke(KEY.id, account=MINE, at=NOW)
        await store.keys.add(limited)
        assert await store.keys.get(limited.id) == replace(limited, number=2)


async def test_a_use_is_noted_and_an_earlier_one_changes_nothing(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.keys.add(KEY)
        await store.keys.used({KEY.id: LATER, KeyId("unknown"): NOW})
        await store.keys.used({KEY.id: NOW})
        await store.keys.used({})
        assert await store.keys.get(KEY.id) == replace(KEY, number=1, last_used_at=LATER)


async def test_revoking_twice_keeps_the_first_time(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.keys.add(KEY)
        await store.keys.revoke(KEY.id, account=MINE, at=NOW)
        await store.keys.revoke(KEY.id, account=MINE, at=LATER)
        assert await store.keys.get(KEY.id) == replace(KEY, number=1, revoked_at=NOW)


async def test_nobody_revokes_another_accounts_key(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.keys.add(KEY)
        with pytest.raises(NotFound) as refused:
            await store.keys.revoke(KEY.id, account=THEIRS, at=NOW)
        assert await store.keys.get(KEY.id) == replace(KEY, number=1)
    assert refused.value.code == "no_such_key"
