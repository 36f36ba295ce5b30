"""Secrets at rest, and the small proofs that only this control plane can make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sealed:
    """Encrypted options of a connection, as stored.

    Attributes:
        key: The data key of this row, wrapped by the key-encryption key.
        box: The options, encrypted by that data key.
    """

    key: bytes = field(repr=False)
    box: bytes = field(repr=False)


class Vault(Protocol):
    def seal(self, secrets: Mapping[str, str], *, context: str) -> Sealed: ...

    def open(self, sealed: Sealed, *, context: str) -> dict[str, str]:
        """Raises Unavailable if it was tampered with, sealed under another master key, or
        sealed for another `context` (the connection's id): a row copied under another id
        does not open."""
        ...

    def digest(self, purpose: str, text: str) -> bytes:
        """A keyed hash, 32 bytes. Different purposes never give the same one."""
        ...

    def same(self, a: bytes, b: bytes) -> bool:
        """Compare in constant time."""
        ...

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the Ed25519 `signature` over `message` is that key's."""
        ...

    @property
    def public_key(self) -> bytes:
        """The Ed25519 key that `sign` signs for: 32 bytes, the same as long as the master key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The control plane's Ed25519 signature over `message`: 64 bytes."""
        ...

    def new_secret(self) -> str:
        """256 random bits in 43 characters of A-Z a-z 0-9 _ -."""
        ...
