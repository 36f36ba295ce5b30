"""Public SSH keys: those of an account, and those in an instance."""

import re
import struct
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import AccountId

SshKeyId = NewType("SshKeyId", int)

MAX_KEYS: Final = 100  # of one account
MAX_KEY: Final = 4_096  # characters; RSA with 16384 bits has some 2,800
TYPES: Final = frozenset(
    {"ssh-ed25519", "ssh-rsa", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"}
    | {f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)}
)
_COMMENT: Final = re.compile(r"[^\x00-\x1f\x7f]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey:
    """Times are aware, UTC."""

    id: SshKeyId
    account: AccountId
    public_key: str
    created_at: datetime


def public_key(text: str, *, field: str) -> str:
    """One line of an ``authorized_keys`` file: type, key, and perhaps a comment. No options.

    Raises:
        Invalid: it is something else; a private key above all is told apart.
    """
    line = text.strip()
    if "PRIVATE KEY" in line:
        raise Invalid(
            field,
            "is a private key; it was not stored",
            code="private_key",
            next=("Send the public one, whose file ends in .pub.",),
        )
    kind, _, rest = line.partition(" ")
    key, _, comment = rest.strip().partition(" ")
    if len(line) > MAX_KEY or kind not in TYPES or not _COMMENT.fullmatch(comment):
        raise _none(field)
    try:
        raw = b64decode(key, validate=True)
    except ValueError:  # also for what is not ASCII
        raise _none(field) from None
    name = kind.encode()
    if not raw.startswith(struct.pack(">I", len(name)) + name):
        raise _none(field)
    return f"{kind} {key} {comment.strip()}".strip()


def _none(field: str) -> Invalid:
    return Invalid(
        field,
        "is no public SSH key",
        code="bad_ssh_key",
        next=("Send one line as it stands in ~/.ssh/id_ed25519.pub.",),
    )
