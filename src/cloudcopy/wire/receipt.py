"""A receipt: what this control plane says became of one transfer, signed.

Its canonical form is RFC 8785. The signature is Ed25519 over the canonical form of everything
else, so a field that a verifier does not know is covered, too. Whole numbers are below 2⁵³
and times are RFC 3339 in UTC.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, Literal

import rfc8785
from pydantic import ConfigDict

from cloudcopy.wire.v1.shape import View
from cloudcopy.wire.v1.transfers import (
    DirectionName,
    LevelName,
    ModeName,
    ScopeName,
    VerifyName,
)

FORMAT: Final = "cloudcopy receipt"
VERSION: Final = 1
ALGORITHM: Final = "rfc6962-sha256"
MAX_NUMBER: Final = 2**53 - 1


class Part(View):
    """What a later version adds is kept: it is signed, too."""

    model_config = ConfigDict(frozen=True, extra="allow")


class OrderPart(Part):
    """What was asked for."""

    work: Literal["transfer"]
    mode: ModeName
    direction: DirectionName
    instance: int
    instance_label: str
    connection: int
    connection_name: str
    cloud_type: str
    src: str
    dst: str
    flags: list[str]
    compare: LevelName
    verify: VerifyName
    scope: ScopeName
    plan: str | None


class CountersPart(Part):
    """Files, and bytes."""

    found: int
    copied: int
    unchanged: int
    kept: int
    skipped: dict[str, int]
    failed: int
    deleted: int
    retried: int
    changed: int
    bytes_found: int
    bytes_copied: int
    bytes_verified: int


class TimesPart(Part):
    created_at: str
    started_at: str | None
    ended_at: str


class RecheckPart(Part):
    """What the control plane saw in the store itself; `why_not` where it could not look."""

    files: int
    hashed: int
    why_not: str


class VerificationPart(Part):
    """How the destination was proven: by the host, and by the control plane itself."""

    level: Literal["nothing", "size", "hash"]
    hash: str
    by_hash: int
    by_size_only: int
    recheck: RecheckPart


class MerklePart(Part):
    """The root over (path, size, hash) of every file that is at the destination."""

    algorithm: str
    root: str
    leaves: int


class Receipt(Part):
    """`key` and `signature` are in base64."""

    format: Literal["cloudcopy receipt"]
    version: int
    transfer: str
    attempt: int
    state: Literal["succeeded", "partial"]
    reason: str
    order: OrderPart
    counters: CountersPart
    times: TimesPart
    verification: VerificationPart
    merkle: MerklePart
    key: str
    signature: str


def canonical(receipt: Mapping[str, Any]) -> bytes:
    """The bytes of a receipt. Raises ValueError for what canonical JSON cannot write."""
    return rfc8785.dumps(dict(receipt))


def signed_part(receipt: Mapping[str, Any]) -> bytes:
    """The bytes that the signature is over. Raises ValueError."""
    return canonical({name: value for name, value in receipt.items() if name != "signature"})


def text(raw: bytes) -> str:
    """Bytes as a receipt writes them."""
    return b64encode(raw).decode()
