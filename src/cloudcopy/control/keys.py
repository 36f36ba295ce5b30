"""API keys: made, shown once, proven on every request, counted, revoked."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from cloudcopy.domain import rates
from cloudcopy.domain.accounts import checked_name
from cloudcopy.domain.errors import NotFound, TooMany
from cloudcopy.domain.keys import (
    EVERYTHING,
    Caller,
    Key,
    KeyId,
    Rights,
    checked_expiry,
    expired_key,
    missing_key,
    parse,
    unknown_key,
    written,
)
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.rates import Bucket, Rate
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault

_PURPOSE: Final = "api-key"
_ID_CHARACTERS: Final = 12
_NOBODY: Final = b"\0" * 32
BUCKETS: Final = 10_000  # kept; those that are full need not be


@dataclass(slots=True)
class Memory:
    """What this process knows of keys beside the store.

    Attributes:
        buckets: Of the keys that have a rate.
        used: When a key was last used, until that is stored.
        revoked: The keys that were revoked here.
    """

    buckets: dict[KeyId, Bucket] = field(default_factory=dict)
    used: dict[KeyId, datetime] = field(default_factory=dict)
    revoked: set[KeyId] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once.

    Attributes:
        rate: What each key may do at most, whatever rate of its own it has.
    """

    open_store: OpenStore
    reads: Reads
    vault: Vault
    now: Clock
    rate: Rate | None = None
    memory: Memory = field(default_factory=Memory)


async def create(
    name: str,
    *,
    account: AccountId,
    desk: Desk,
    rights: Rights = EVERYTHING,
    made_with: KeyId | None = None,
) -> tuple[Key, str]:
    """A new key and its written form, which exists nowhere else.

    Raises:
        Invalid: the name is empty, too long or unprintable, or the expiry has passed.
        Unauthenticated: the key that it is made with was revoked meanwhile.
    """
    checked_name(name)
    now = desk.now()
    rights = replace(rights, expires_at=checked_expiry(rights.expires_at, now=now))
    letters = (char for char in desk.vault.new_secret() if char.isalnum())
    id = KeyId("".join(letters)[:_ID_CHARACTERS].ljust(_ID_CHARACTERS, "0"))
    secret = desk.vault.new_secret()
    key = Key(
        id=id,
        account=account,
        name=name,
        digest=desk.vault.digest(_PURPOSE, secret),
        created_at=now,
        rights=rights,
        made_with=made_with,
    )
    async with desk.open_store() as store:
        maker = await store.keys.get(made_with) if made_with else None
        if maker is not None and maker.revoked_at is not None:
            raise unknown_key()
        key = await store.keys.add(key)
    return key, written(id, secret)


async def delegate(name: str, wanted: Rights, *, caller: Caller, desk: Desk) -> tuple[Key, str]:
    """A new key of the caller's account, with which nothing can be done that the caller's own
    key does not allow.

    Raises:
        Invalid: as for `create`.
        Forbidden: ``stronger_key``.
    """
    rights = caller.rights.pass_on(wanted)
    return await create(
        name, account=caller.account, desk=desk, rights=rights, made_with=caller.key
    )


async def prove(text: str | None, *, desk: Desk) -> Caller:
    """Who sent this key; counts as one use of it.

    The work is the same whether the id is known or not, so that time tells nothing.

    Raises:
        Unauthenticated: there is none, or it is unknown, revoked, expired or mistyped.
        TooMany: ``rate_limited``: the key is used too often. Nothing was done yet.
    """
    if not text:
        raise missing_key()
    id, secret = parse(text)
    seen = await desk.reads.key(id)
    digest = seen.key.digest if seen else _NOBODY
    proven = desk.vault.same(desk.vault.digest(_PURPOSE, secret), digest)
    if seen is None or not proven or seen.key.revoked_at is not None:
        raise unknown_key()
    key, now = seen.key, desk.now()
    if key.rights.expires_at is not None and key.expired(now):
        raise expired_key(key.rights.expires_at)
    desk.memory.used[id] = now
    _count(key, now, desk)
    return Caller(key.account, id, key.rights, seen.operator)


def _count(key: Key, now: datetime, desk: Desk) -> None:
    rate = rates.tightest(key.rights.rate, desk.rate)
    if rate is None:
        return
    buckets = desk.memory.buckets
    buckets[key.id], wait_seconds = rates.take(buckets.get(key.id), rate, now)
    if len(buckets) > BUCKETS:
        for each in [id for id, held in buckets.items() if rates.full(held, rate, now)]:
            del buckets[each]
    if wait_seconds:
        raise TooMany(
            f"This API key may be used {rate.per_second:g} times a second, and {rate.burst} times "
            "at once after a pause.",
            code="rate_limited",
            wait_seconds=wait_seconds,
            next=(f"Wait {wait_seconds} s, or ask less often.",),
        )


async def still_good(caller: Caller, *, desk: Desk, look: bool) -> bool:
    """Whether the key may still be used, for what goes on after its request was let in.

    Args:
        look: Ask the store, too: a key may have been revoked by another process.
    """
    expires_at = caller.rights.expires_at
    if caller.key in desk.memory.revoked or (expires_at and desk.now() >= expires_at):
        return False
    if not look:
        return True
    seen = await desk.reads.key(caller.key)
    return seen is not None and seen.key.revoked_at is None


async def revoke(id: KeyId, *, caller: Caller, desk: Desk) -> Sequence[KeyId]:
    """Refuse the key from now on, and every key that was made with it, or with one of those:
    whoever had a key that leaked may have made others. Revoking twice is the same as once.

    The caller's own key stays, with what was made with it, where it was made with the one that
    is revoked: so a key is replaced by its successor.

    Returns:
        All that are revoked now.

    Raises:
        NotFound: no such key.
    """
    async with desk.open_store() as store:
        revoked = await store.keys.revoke(
            id, account=caller.account, at=desk.now(), spared=caller.key
        )
    desk.memory.revoked.update(revoked)
    return revoked


async def numbered(number: int, *, caller: Caller, desk: Desk) -> Key:
    """The account's key with this number.

    Raises:
        NotFound: there is none, or it was revoked.
    """
    for key in await desk.reads.keys(caller.account):
        if key.number == number and key.revoked_at is None:
            return key
    raise NotFound("key", number)


async def note_uses(*, desk: Desk) -> int:
    """Store when keys were last used, all in one transaction, and return of how many.

    Raises:
        Unavailable: the database cannot be written; they are kept for the next time.
    """
    used = dict(desk.memory.used)
    if used:
        async with desk.open_store() as store:
            await store.keys.used(used)
    for id, at in used.items():
        if desk.memory.used.get(id) == at:
            del desk.memory.used[id]
    return len(used)
