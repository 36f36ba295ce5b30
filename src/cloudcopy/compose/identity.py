"""Who this agent is: its machine id and its Ed25519 key, kept in its own directory.

The private key is made here and never leaves; the server knows its public half.
"""

import asyncio
import fcntl
import json
import os
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from cloudcopy.domain.errors import Conflict, Forbidden, Invalid, Unavailable
from cloudcopy.wire.agent import CHALLENGE_CONTEXT


@dataclass(frozen=True, slots=True)
class Identity:
    """A machine that has joined."""

    machine: int
    key: Ed25519PrivateKey = field(repr=False)

    def prove(self, nonce: bytes) -> bytes:
        """The signature that answers a login challenge."""
        return self.key.sign(CHALLENGE_CONTEXT + nonce)


def hold(directory: Path) -> int:
    """Keep every other agent off `directory`; returns the descriptor that does.

    Raises:
        Conflict: another agent runs from it.
    """
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Conflict(
            f"Another agent is running from {directory}.",
            code="already_running",
            next=("Stop it first, or give this one another --data-dir.",),
        ) from None
    return fd


async def identity(directory: Path, *, server: str, join: str | None, name: str) -> Identity:
    """The stored identity; without one, join `server` with the token.

    Safe to repeat: the key is stored before the token is used, and the same token with the
    same key joins as the same machine.

    Raises:
        Invalid: this agent has not joined yet and there is no token.
        Forbidden: the server refused the token.
        Unavailable: the server could not be reached.
    """
    key = await asyncio.to_thread(_key, directory / "machine.key")
    stored = directory / "machine.json"
    if stored.exists():
        return Identity(int(json.loads(stored.read_text())["machine"]), key)
    if not join:
        raise Invalid(
            "--join",
            "is needed the first time: this agent has not joined a server yet",
            next=("Make a token with: cloudcopy machine token",),
        )
    machine = await _enrol(server, join, name, key)
    await asyncio.to_thread(_store, stored, json.dumps({"machine": machine}).encode())
    return Identity(machine, key)


async def _enrol(server: str, join: str, name: str, key: Ed25519PrivateKey) -> int:
    public = b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    body = {"token": join, "name": name, "public_key": public}
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            reply = await client.post(f"{server}/v1/machines/enrol", json=body)
            answer = reply.json()
    except (httpx2.TransportError, ValueError) as error:
        raise Unavailable(f"{server} could not be reached: {type(error).__name__}.") from error
    if reply.status_code != httpx2.codes.CREATED:
        raise Forbidden(
            str(answer.get("detail", "The server refused.")), next=tuple(answer.get("next", ()))
        )
    return int(answer["machine"])


def _key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        fresh = Ed25519PrivateKey.generate()
        _store(path, fresh.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def _store(path: Path, content: bytes) -> None:
    """Write a whole file or none, readable by its owner only, on disk when this returns."""
    part = path.with_suffix(".part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
