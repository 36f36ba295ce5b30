"""Secrets at rest: an AES-256-GCM envelope under one master key in a file.

Each row has a data key of its own, wrapped by a key derived from the master key, so the
master can be replaced by re-wrapping data keys alone. Both boxes are bound to the row's
context: copied under another id, they do not open. Every derived key is HKDF-SHA256 of
the master with its purpose (RFC 5869), so no two purposes share one.
"""

import contextlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cloudcopy.domain.errors import Unavailable
from cloudcopy.ports.vault import Sealed

MASTER_BYTES: Final = 32
_NONCE_BYTES: Final = 12  # NIST SP 800-38D, section 5.2.1.1


class FileVault:
    """The vault of one master key."""

    def __init__(self, master: bytes) -> None:
        if len(master) != MASTER_BYTES:
            raise Unavailable(f"the master key must be {MASTER_BYTES} bytes, not {len(master)}")
        self._derived = lru_cache(maxsize=16)(lambda purpose: _derive(master, purpose))

    @classmethod
    def at(cls, path: Path) -> "FileVault":
        """Read the master key at `path`; make it, mode 0600, if there is none.

        Raises:
            Unavailable: it cannot be read, or others can read it.
        """
        try:
            return cls(_read_or_make(path))
        except OSError as error:
            raise Unavailable(f"the master key {path} cannot be used: {error.strerror}") from error

    def seal(self, secrets_: Mapping[str, str], *, context: str) -> Sealed:
        key = AESGCM.generate_key(256)
        box = _encrypt(key, json.dumps(dict(secrets_)).encode(), context)
        return Sealed(key=_encrypt(self._derived("wrap"), key, context), box=box)

    def open(self, sealed: Sealed, *, context: str) -> dict[str, str]:
        try:
            key = _decrypt(self._derived("wrap"), sealed.key, context)
            plain: dict[str, str] = json.loads(_decrypt(key, sealed.box, context))
        except (InvalidTag, ValueError) as error:
            raise Unavailable(
                "The stored credentials do not open: changed, or sealed under another key.",
                next=(
                    "Restore the server's master.key, or remove the connection and add it again.",
                ),
            ) from error
        return plain

    def digest(self, purpose: str, text: str) -> bytes:
        return hmac.digest(self._derived(f"digest:{purpose}"), text.encode(), "sha256")

    def same(self, a: bytes, b: bytes) -> bool:
        return hmac.compare_digest(a, b)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    @property
    def public_key(self) -> bytes:
        return self._signer().public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._signer().sign(message)

    def _signer(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._derived("sign receipts"))

    def new_secret(self) -> str:
        return secrets.token_urlsafe(32)


def _derive(master: bytes, purpose: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"cloudcopy {purpose}".encode())
    return hkdf.derive(master)


def _encrypt(key: bytes, plain: bytes, context: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context.encode())


def _decrypt(key: bytes, box: bytes, context: str) -> bytes:
    return AESGCM(key).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], context.encode())


def _read_or_make(path: Path) -> bytes:
    """The key, made whole or not at all: a crash must not leave an empty one for ever."""
    if not path.exists():
        part = path.with_suffix(f".{secrets.token_hex(4)}")
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(MASTER_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key it is
            path.hardlink_to(part)
        part.unlink()
    if path.stat().st_mode & 0o077:
        raise Unavailable(
            f"the master key {path} can be read by others", next=(f"chmod 600 {path}",)
        )
    return path.read_bytes()
