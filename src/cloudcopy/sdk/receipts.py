"""Receipts: fetched from a server, and verified without one.

    checked = verify(Path("receipt.json").read_bytes(), key=known_key, rows=lines)
    print(checked.receipt.state, checked.fingerprint)

The errors of `verify`, in one tree:

CloudCopyError
    BadReceipt
        Unreadable      it is no receipt
        Forged          it was changed after it was signed
        AnotherKey      it was signed with another key than the one that was given
        OtherFiles      the list of files is not the one it was made for
"""

import binascii
import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.merkle import Tree
from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.errors import CloudCopyError
from cloudcopy.wire.receipt import ALGORITHM, VERSION, Receipt, signed_part
from cloudcopy.wire.v1 import FileView, ReceiptKey

__all__ = [
    "AnotherKey",
    "BadReceipt",
    "Checked",
    "Forged",
    "OtherFiles",
    "Receipt",
    "Unreadable",
    "fetch",
    "fetch_key",
    "fingerprint",
    "verify",
]

MAX_BYTES: Final = 4 * 1024 * 1024  # an order has 64 KiB of flags at most
KEY_BYTES: Final = 32


class BadReceipt(CloudCopyError):
    """The receipt does not prove what it says."""


class Unreadable(BadReceipt):
    """It is no receipt, or of a version that is not known here."""


class Forged(BadReceipt):
    """It was changed after it was signed."""


class AnotherKey(BadReceipt):
    """It was signed with another key than the one that was given, or that one is no key."""


class OtherFiles(BadReceipt):
    """The list of files is not the one it was made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A receipt that was not changed after it was signed.

    Attributes:
        fingerprint: Names the key that it was signed with.
        key_known: That key is the one that was given. Without, anybody may have signed it.
        files: How many files of the list its Merkle root was recomputed over; None without
            a list.
    """

    receipt: Receipt
    fingerprint: str
    key_known: bool
    files: int | None


async def fetch(calls: Calls, path: str) -> Receipt:
    """The receipt of the transfer whose address on the server is `path`."""
    return await calls.get(f"{path}/receipt", Receipt)


async def fetch_key(calls: Calls) -> str:
    """The key that the server signs with, in base64. Trust it as far as the connection."""
    return (await calls.get("/v1/receipt-key", ReceiptKey)).public_key


def verify(
    receipt: bytes | str | Receipt,
    *,
    key: str | None = None,
    rows: Iterable[bytes | str | FileView] | None = None,
) -> Checked:
    """Check a receipt offline.

    Args:
        receipt: As it was fetched or stored; white space and order do not matter.
        key: The control plane's public key in base64, got in another way than with it.
        rows: The transfer's list of files, as `/files` gives it (JSON lines): all of it, or
            its outcomes ``copied`` and ``unchanged``. Read once, not kept.

    Raises:
        BadReceipt: one of its kinds says what is wrong.
    """
    raw = receipt.model_dump_json() if isinstance(receipt, Receipt) else receipt
    found = _parsed(raw)
    read = _read(found)
    signer = _bytes(read.key)
    _check_signature(found, read, signer)
    if key is not None and _key(key) != signer:
        raise AnotherKey(
            f"The receipt was signed with the key {fingerprint(signer)}, not with "
            f"{fingerprint(_key(key))}.",
            code="receipt_other_key",
            next=("Ask for the key that the control plane had when the transfer ended.",),
        )
    return Checked(
        receipt=read,
        fingerprint=fingerprint(signer),
        key_known=key is not None,
        files=None if rows is None else _check_files(read, rows),
    )


def fingerprint(key: bytes) -> str:
    """A short name of a public key: its SHA-256, as ssh writes it."""
    return f"SHA256:{b64encode(hashlib.sha256(key).digest()).decode().rstrip('=')}"


def _parsed(raw: bytes | str) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise _unreadable("is larger than any receipt")
    try:
        found = json.loads(raw, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _unreadable("is not JSON that can be signed") from error
    if not isinstance(found, dict) or found.get("format") != "cloudcopy receipt":
        raise _unreadable("is not one of cloudcopy")
    if found.get("version") != VERSION:
        raise _unreadable(f"has a version that is not known here, which is {VERSION}")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that stands twice, two readers might believe different values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _read(found: Mapping[str, Any]) -> Receipt:
    try:
        return Receipt.model_validate(found, strict=True)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _unreadable(f"has no valid {place}") from error


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable("has a key or a signature that is not base64") from error


def _key(text: str) -> bytes:
    try:
        raw = b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise AnotherKey(
            f"The key that was given is none: it must be {KEY_BYTES} bytes in base64.",
            code="receipt_other_key",
            next=("GET /v1/receipt-key of the control plane answers with it.",),
        )
    return raw


def _check_signature(found: Mapping[str, Any], read: Receipt, signer: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(signer).verify(_bytes(read.signature), _signed(found))
    except (InvalidSignature, ValueError) as error:
        raise Forged(
            "The receipt was changed after it was signed: the signature does not fit.",
            code="receipt_forged",
            next=("Get it again from the control plane, and do not rely on this one.",),
        ) from error


def _signed(found: Mapping[str, Any]) -> bytes:
    try:
        return signed_part(found)
    except ValueError as error:
        raise _unreadable("has a number or a text that canonical JSON cannot write") from error


def _check_files(read: Receipt, rows: Iterable[bytes | str | FileView]) -> int:
    """How many arrived. Raises OtherFiles."""
    if read.merkle.algorithm != ALGORITHM:
        raise _unreadable(f"has a Merkle root of a kind that is not known: {ALGORITHM} is")
    tree = Tree()
    for number, line in enumerate(rows, 1):
        row = _row(line, number)
        if row is not None and Outcome(row.outcome).arrived:
            tree.add(row.path, row.size, row.hash)
    if (len(tree), tree.root()) != (read.merkle.leaves, read.merkle.root):
        told = (
            f"it has {len(tree)} that arrived, the receipt is about {read.merkle.leaves}"
            if len(tree) != read.merkle.leaves
            else "a path, a size or a hash differs, or the order does"
        )
        raise OtherFiles(
            f"The list of files is not the one of the receipt: {told}.",
            code="receipt_other_files",
            next=(
                f"Get the list of attempt {read.attempt} of {read.transfer}, unsorted and whole.",
            ),
        )
    return len(tree)


def _row(line: bytes | str | FileView, number: int) -> FileView | None:
    if isinstance(line, FileView):
        return line
    if not line.strip():
        return None
    try:
        return FileView.model_validate_json(line)
    except ValidationError as error:
        raise OtherFiles(
            f"Line {number} of the list of files is not one.", code="receipt_other_files"
        ) from error


def _unreadable(what: str) -> Unreadable:
    return Unreadable(f"The receipt {what}.", code="receipt_unreadable")
