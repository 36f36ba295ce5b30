"""API keys: made, shown once, proven on every request, revoked."""

from dataclasses import dataclass
from typing import Final

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.keys import Caller, Key, KeyId, missing_key, parse, unknown_key, written
from cloudcopy.domain.machine import AccountId
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault

_PURPOSE: Final = "api-key"
_ID_CHARACTERS: Final = 12
_NOBODY: Final = b"\0" * 32
MAX_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once."""

    open_store: OpenStore
    reads: Reads
    vault: Vault
    now: Clock


async def create(name: str, *, account: AccountId, desk: Desk) -> tuple[Key, str]:
    """A new key and its written form, which exists nowhere else.

    Raises:
        Invalid: the name is empty, too long or unprintable.
    """
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise Invalid("name", f"must be 1 to {MAX_NAME} printable characters")
    letters = (char for char in desk.vault.new_secret() if char.isalnum())
    id = KeyId("".join(letters)[:_ID_CHARACTERS].ljust(_ID_CHARACTERS, "0"))
    secret = desk.vault.new_secret()
    key = Key(
        id=id,
        account=account,
        name=name,
        digest=desk.vault.digest(_PURPOSE, secret),
        created_at=desk.now(),
    )
    async with desk.open_store() as store:
        await store.keys.add(key)
    return key, written(id, secret)


async def prove(text: str | None, *, desk: Desk) -> Caller:
    """Who sent this key.

    The work is the same whether the id is known or not, so that time tells nothing.

    Raises:
        Unauthenticated: there is none, or it is unknown, revoked or mistyped.
    """
    if not text:
        raise missing_key()
    id, secret = parse(text)
    key = await desk.reads.key(id)
    proven = desk.vault.same(desk.vault.digest(_PURPOSE, secret), key.digest if key else _NOBODY)
    if key is None or not proven or key.revoked_at is not None:
        raise unknown_key()
    return Caller(key.account, key.id)


async def revoke(id: KeyId, *, caller: Caller, desk: Desk) -> None:
    """Refuse the key from now on. Revoking twice is the same as once.

    Raises:
        NotFound: no such key.
    """
    async with desk.open_store() as store:
        await store.keys.revoke(id, account=caller.account, at=desk.now())
