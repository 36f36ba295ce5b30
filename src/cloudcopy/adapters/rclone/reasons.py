"""rclone's error texts as plain reasons, with the cure.

Exit codes and HTTP statuses of rclone do not tell a wrong key from a full disk, so the
text decides. The first pattern that matches wins; what matches none is shown as rclone
said it, shortened and stripped of request ids.
"""

import re
from dataclasses import dataclass
from typing import Final

MAX_SHOWN: Final = 300  # characters of an unknown text


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something failed.

    Attributes:
        code: Stable machine name.
        text: For people, one sentence.
        cure: What to do now, one imperative sentence.
        fatal: Trying the same file again cannot help.
        hopeless: Nor can trying any other file: it is the same for all of them.
    """

    code: str
    text: str
    cure: str
    fatal: bool = True
    hopeless: bool = False

    def __str__(self) -> str:
        return f"{self.text}. {self.cure}"


_KNOWN: Final[tuple[tuple[str, Reason], ...]] = (
    (
        r"SignatureDoesNotMatch|InvalidAccessKeyId|InvalidClientTokenId|AuthFailure|"
        r"invalid_client|bad_auth_token|AuthenticationFailed|InvalidSecretKey",
        Reason(
            "bad_credentials",
            "the store does not accept the connection's credentials",
            "Make a new connection with the right key and secret.",
            hopeless=True,
        ),
    ),
    (
        r"ExpiredToken|TokenExpired|RequestExpired|token expired|invalid_grant|"
        r"expired_access_token",
        Reason(
            "expired_credentials",
            "the connection's credentials have expired",
            "Make a new connection with fresh credentials and copy again.",
            hopeless=True,
        ),
    ),
    (
        r"NoSuchBucket|ContainerNotFound|(bucket|container).{0,40}does not exist",
        Reason(
            "no_such_bucket",
            "the bucket does not exist",
            "Create it, or correct the path.",
            hopeless=True,
        ),
    ),
    (
        r"AccessDenied|AllAccessDisabled|StatusCode: 403|AuthorizationFailure|Forbidden|"
        r"insufficientPermissions|StatusCode: 401|\b40[13] (Unauthorized|Forbidden)",
        Reason(
            "access_denied",
            "the store refused: the connection's credentials may not do this",
            "Give them read (download) or read and write (upload) rights on this path.",
        ),
    ),
    (
        r"no space left|file too big|disk quota exceeded|disk full",
        Reason(
            "disk_full",
            "the instance's disk is full",
            "Free some space there and copy again.",
            hopeless=True,
        ),
    ),
    (
        r"QuotaExceeded|storageQuotaExceeded|insufficient_space|InsufficientStorage|StorageFull",
        Reason(
            "store_full",
            "the store is full",
            "Free some space in the store and copy again.",
            hopeless=True,
        ),
    ),
    (
        r"permission denied|operation not permitted|read-only file system",
        Reason(
            "permission_denied",
            "a file or directory of the instance may not be read or written",
            "Check its owner and mode, or links that leave the instance, and copy again.",
        ),
    ),
    (
        r"is a directory|can't move object|not a directory",
        Reason(
            "not_a_file",
            "a directory stands where a file should go, or a file where a directory should",
            "Move it away, or copy to another place.",
        ),
    ),
    (
        r"max transfer limit reached|MaxTransfer",
        Reason(
            "max_transfer",
            "the limit set by --max-transfer was reached",
            "Copy again to go on from here, or raise the limit.",
            hopeless=True,
        ),
    ),
    (
        r"immutable file modified",
        Reason(
            "immutable",
            "a file differs at the destination and --immutable forbids to change it",
            "Copy without --immutable, or to another place.",
        ),
    ),
    (
        r"source file is being updated|can't copy - source",
        Reason(
            "source_changed",
            "a file changed while it was copied",
            "Copy again when nothing writes to it.",
            fatal=False,
        ),
    ),
    (
        r"corrupted on transfer|hash(es)? differ|sizes differ|BadDigest|InvalidDigest|"
        r"ContentSHA256Mismatch",
        Reason(
            "corrupted",
            "a file was damaged on its way, and what had arrived was removed",
            "Copy again; if it stays so, check the network and the disk.",
            fatal=False,
        ),
    ),
    (
        r"no such host",
        Reason(
            "unknown_host",
            "the store's host name is unknown",
            "Correct the connection's endpoint, or the machine's name resolution.",
            hopeless=True,
        ),
    ),
    (
        r"connection refused|no route to host|network is unreachable|host is down|"
        r"server misbehaving|dial tcp.{0,200}lookup",
        Reason(
            "unreachable",
            "the store cannot be reached",
            "Check that it runs and that its address and port are right.",
            fatal=False,
        ),
    ),
    (
        r"SlowDown|TooManyRequests|RequestLimitExceeded|rateLimitExceeded|"
        r"StatusCode: (429|503)|\b(429 Too Many|503 Service)",
        Reason("throttled", "the store asked us to slow down", "Try again later.", fatal=False),
    ),
    (
        r"x509: |tls: .{0,60}(certificate|handshake failure|protocol version)",
        Reason(
            "bad_certificate",
            "the store's TLS certificate is not trusted",
            "Correct the endpoint, or install its authority's certificate on the machine.",
            hopeless=True,
        ),
    ),
    (
        r"timeout|deadline exceeded|connection reset|unexpected EOF|broken pipe|EOF$|tls: |"
        r"malformed HTTP|server closed|closed (idle|network) connection|connection was forcibly",
        Reason(
            "connection_lost", "the connection to the store was lost", "Try again.", fatal=False
        ),
    ),
    (
        r"StatusCode: 5[0-9][0-9]|InternalError|ServiceUnavailable|"
        r"\b50[0-9] (Internal|Bad Gateway|Service|Gateway)",
        Reason(
            "store_error",
            "the store had an error of its own",
            "Try again; if it stays so, ask those who run the store.",
            fatal=False,
        ),
    ),
    (
        r"directory not found|object not found|NoSuchKey|no such file or directory",
        Reason("not_found", "it does not exist", "Correct the path."),
    ),
)

STOPPED: Final = Reason(
    "stopped", "the copy was stopped before it came to this file", "Resume it, or copy again."
)
ABSENT: Final = Reason(
    "did_not_arrive",
    "it is not at the destination, though no error was told",
    "Copy again; if it stays so, the store may have changed its name.",
)
DAMAGED: Final = Reason(
    "differs_after",
    "it differs at the destination after the copy",
    "Copy again; if it stays so, check what else writes there, the network and the disk.",
)
NOT_UPDATED: Final = Reason(
    "not_updated",
    "it differs at the destination although it counted as unchanged",
    "Copy again with --checksum.",
)
CHANGED: Final = Reason(
    "source_changed", "it changed during the copy", "Copy again when nothing writes to it."
)
VANISHED: Final = Reason(
    "source_vanished", "it vanished from the source during the copy", "Copy again."
)
BAD_NAME: Final = Reason(
    "bad_name",
    "its name is not UTF-8, or has a character that rclone keeps for itself, so it cannot be "
    "asked for, and whether it arrived is not proven",
    "Rename it, and copy again.",
)
NOT_DELETED: Final = Reason(
    "not_deleted",
    "it was not deleted, because not everything else succeeded",
    "Mend what failed, and make a new plan.",
)
AT_SOURCE_NOW: Final = Reason(
    "changed_since_plan", "the source has it now, so it was not deleted", "Make a new plan."
)
NEW_THERE: Final = Reason(
    "changed_since_plan",
    "it is another file than the plan saw, so it was not deleted",
    "Make a new plan.",
)
_OURS: Final = (
    STOPPED,
    ABSENT,
    DAMAGED,
    NOT_UPDATED,
    CHANGED,
    VANISHED,
    BAD_NAME,
    NOT_DELETED,
    NEW_THERE,
)
# What a check finds (`domain.ledger.Outcome`).
_FOUND: Final = {
    "differs": "Copy again, with --checksum where the times are equal.",
    "missing": "Copy, to bring what is missing.",
    "extra": "Leave it, or mirror the source to take it away.",
    "unread": "Check the rights to read it, and check again.",
}
_PATTERNS: Final = tuple((re.compile(text, re.IGNORECASE), reason) for text, reason in _KNOWN)
# "open /data/run 401/x: permission denied": the operation, the path, what went wrong.
_LOCAL_PATH: Final = re.compile(r"(?<=\w )(/[^:]*)(?=: )")
_ADDRESS: Final = re.compile(r"https?://[^\s\"]+")
_NOISE: Final = re.compile(r"(RequestID|HostID): [^,]*,? ?|https?://\S+")
_CURES: Final = {
    each.code: each.cure for each in (*_OURS, *(known for _, known in _KNOWN))
} | _FOUND
_PASSING: Final = frozenset({"error", *(known.code for _, known in _KNOWN if not known.fatal)})


def reason(text: str) -> Reason:
    """The plain reason in one of rclone's error texts. Names of files in it say nothing."""
    said = _LOCAL_PATH.sub("", _ADDRESS.sub("", text))
    for pattern, known in _PATTERNS:
        if pattern.search(said):
            return known
    words = shown(text) or "no reason was given"
    return Reason("error", f"rclone said: {words}", "Try again.", fatal=False)


def cure(code: str) -> str:
    """What to do about failures with this code."""
    return _CURES.get(code, "Try again.")


def fatal(code: str) -> bool:
    """Whether trying a file again, which failed with this code, cannot help."""
    return code not in _PASSING


def shown(text: str) -> str:
    """One of rclone's texts as it may be shown: short, without addresses and request ids."""
    return _NOISE.sub("", text).strip()[:MAX_SHOWN]
