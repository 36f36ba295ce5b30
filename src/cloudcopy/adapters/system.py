"""The machine's own clock and randomness, in the shapes of `ports.clock`."""

import secrets
from datetime import UTC, datetime

from ulid import ULID


def utc_now() -> datetime:
    """Aware, UTC."""
    return datetime.now(UTC)


def new_ulid() -> str:
    """26 characters of Crockford base32, lower case; sortable by creation to the millisecond.

    Lower case because ids appear in commands that people type.
    """
    return str(ULID()).lower()


def new_fence() -> str:
    """128 random bits in 22 characters."""
    return secrets.token_urlsafe(16)


def new_secret() -> str:
    """256 random bits in 43 characters."""
    return secrets.token_urlsafe(32)


def new_nonce() -> bytes:
    """256 random bits for a login challenge."""
    return secrets.token_bytes(32)
