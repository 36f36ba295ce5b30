"""API keys: their written form, and who a caller is.

``cck_<id: 12 characters>_<secret: 43>_<crc32: 8 hex digits>``. The id finds the row, the
secret (256 random bits) proves it, and the checksum lets secret scanners recognise a
leaked key and lets us refuse a mistyped one without asking the database.
"""

import re
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NewType

from cloudcopy.domain.errors import Forbidden, Invalid, Unauthenticated
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.permissions import ANY, FULL, Category, Ids, Permissions
from cloudcopy.domain.rates import Rate

KeyId = NewType("KeyId", str)

PREFIX: Final = "cck"
_FORM = re.compile(r"cck_([A-Za-z0-9]{12})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a key may do, until when (aware, UTC; None: for ever) and how often.

    The default is everything: what a key without any limits may do.
    """

    permissions: Permissions = FULL
    expires_at: datetime | None = None
    rate: Rate | None = None

    def pass_on(self, wanted: "Rights") -> "Rights":
        """The rights of a key that is made with a key of these. An expiry or a rate that is
        not named is taken over.

        Raises:
            Forbidden: ``stronger_key``: the new key could do more, for longer, or more often.
        """
        if not self.permissions.covers(wanted.permissions):
            raise _stronger(
                "would have permissions that this key has not",
                "Name permissions that this key has itself, or make it with a stronger key.",
            )
        expires_at, rate = wanted.expires_at or self.expires_at, wanted.rate or self.rate
        if self.expires_at and expires_at and expires_at > self.expires_at:
            raise _stronger(
                "would outlive this key",
                f"Let it expire by {self.expires_at:%Y-%m-%dT%H:%M:%SZ}, as this one does.",
            )
        if self.rate and rate and not self.rate.covers(rate):
            raise _stronger(
                "could be used more often than this key",
                f"Limit it to {self.rate.per_second:g} a second and bursts of {self.rate.burst}.",
            )
        return replace(wanted, expires_at=expires_at, rate=rate)


EVERYTHING: Final = Rights()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as stored: a keyed hash of the secret, never the secret. Times are aware, UTC.

    Attributes:
        number: What the compatible API calls it by; given by the store, never used again.
        last_used_at: Up to about a minute old.
        made_with: The key that it was made with; None for one made on the server itself.
    """

    id: KeyId
    account: AccountId
    name: str
    digest: bytes
    created_at: datetime
    revoked_at: datetime | None = None
    number: int = 0
    rights: Rights = EVERYTHING
    last_used_at: datetime | None = None
    made_with: KeyId | None = None

    def expired(self, at: datetime) -> bool:
        return self.rights.expires_at is not None and at >= self.rights.expires_at


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request, once their key has been proven.

    Attributes:
        operator: The account's; see `domain.accounts`.
        instances: The instances that this request may be about.
    """

    account: AccountId
    key: KeyId
    rights: Rights = EVERYTHING
    operator: bool = False
    instances: Ids = ANY

    def asking(
        self, category: Category, endpoint: str | None = None, *, operator: bool = False
    ) -> "Caller":
        """The caller with the instances that they may do this to.

        Args:
            operator: It is for operators only.

        Raises:
            Forbidden: ``missing_permission``, ``not_operator``.
        """
        reach = self.rights.permissions.reach(category, endpoint)
        if reach is None:
            what = f"{category} ({endpoint})" if endpoint else category
            raise Forbidden(
                f"This API key may not do this: it has not the permission {what}.",
                code="missing_permission",
                next=(f"Use a key that has it: cloudcopy key create NAME --permission {category}",),
            )
        if operator and not self.operator:
            raise Forbidden(
                "This is for operators only, and this key's account is not one.",
                code="not_operator",
                next=("Ask whoever runs this server.",),
            )
        return replace(self, instances=reach)

    def must_reach(self, instance: int) -> None:
        """Raises Forbidden: the key is limited to other instances."""
        if instance not in self.instances:
            raise Forbidden(
                f"This API key may not do this to instance {instance}: its permission is limited "
                f"to the ids {self.instances}.",
                code="missing_permission",
                next=("Use a key that is not limited so.",),
            )


def checked_expiry(expires_at: datetime | None, *, now: datetime) -> datetime | None:
    """In UTC.

    Raises:
        Invalid: it has passed, has no time zone, or lies behind the end of the calendar.
    """
    if expires_at is None:
        return None
    if expires_at.tzinfo is None or expires_at <= now:
        raise Invalid("expires_at", "must be in the future and have a time zone, as in ...Z")
    try:
        return expires_at.astimezone(UTC)
    except OverflowError:
        raise Invalid("expires_at", "lies behind the year 9999; leave it out") from None


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


def expired_key(at: datetime) -> Unauthenticated:
    """For a key whose secret was right: whoever has it may know."""
    return Unauthenticated(
        f"This API key expired at {at:%Y-%m-%d %H:%M:%S} UTC.",
        next=("Make a new one: cloudcopy key create NAME",),
    )


def missing_key() -> Unauthenticated:
    return Unauthenticated(
        "No API key was sent.",
        next=("Send it as 'Authorization: Bearer KEY'; the CLI reads CLOUDCOPY_API_KEY.",),
    )


def _crc(id: KeyId, secret: str) -> str:
    return f"{zlib.crc32(f'{id}_{secret}'.encode()):08x}"


def _stronger(problem: str, next: str) -> Forbidden:
    return Forbidden(f"The new key {problem}.", code="stronger_key", next=(next,))
