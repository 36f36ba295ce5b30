"""API keys: their written form, and who a caller is.

``cck_<id: 12 characters>_<secret: 43>_<crc32: 8 hex digits>``. The id finds the row, the
secret (256 random bits) proves it, and the checksum lets secret scanners recognise a
leaked key and lets us refuse a mistyped one without asking the database.
"""

import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

from cloudcopy.domain.errors import Unauthenticated
from cloudcopy.domain.machine import AccountId

KeyId = NewType("KeyId", str)

PREFIX: Final = "cck"
_FORM = re.compile(r"cck_([A-Za-z0-9]{12})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as stored: a keyed hash of the secret, never the secret. Times are aware, UTC."""

    id: KeyId
    account: AccountId
    name: str
    digest: bytes
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request, once their key has been proven."""

    account: AccountId
    key: KeyId


def written(id: KeyId, secret: str) -> str:
    """The key as its owner sees it, once."""
    return f"{PREFIX}_{id}_{secret}_{_crc(id, secret)}"


def parse(text: str) -> tuple[KeyId, str]:
    """The id and the secret in a written key. Proves nothing.

    Raises:
        Unauthenticated: it is not one of our keys, or it was mistyped.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None or match[3] != _crc(KeyId(match[1]), match[2]):
        raise unknown_key()
    return KeyId(match[1]), match[2]


def unknown_key() -> Unauthenticated:
    """One answer for every wrong key.

    The text differs from 'Invalid user key' on purpose: that one makes the vastai client
    delete the user's two-factor key file (contract.md, section 1).
    """
    return Unauthenticated(
        "This API key is unknown, revoked or mistyped.",
        next=("Make a new one on the server: cloudcopy key create, or cloudcopy up --print-key.",),
    )


def missing_key() -> Unauthenticated:
    return Unauthenticated(
        "No API key was sent.",
        next=("Send it as 'Authorization: Bearer KEY'; the CLI reads CLOUDCOPY_API_KEY.",),
    )


def _crc(id: KeyId, secret: str) -> str:
    return f"{zlib.crc32(f'{id}_{secret}'.encode()):08x}"
