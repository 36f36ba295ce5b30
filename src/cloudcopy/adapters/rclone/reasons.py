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
        fatal: Trying the same again cannot help.
    """

    code: str
    text: str
    cure: str
    fatal: bool = True


_KNOWN: Final[tuple[tuple[str, Reason], ...]] = (
    (
        r"SignatureDoesNotMatch|InvalidAccessKeyId|InvalidClientTokenId|AuthFailure|"
        r"invalid_client|bad_auth_token|AuthenticationFailed|InvalidSecretKey",
        Reason(
            "bad_credentials",
            "the store does not accept the connection's credentials",
            "Make a new connection with the right key and secret.",
        ),
    ),
    (
        r"ExpiredToken|TokenExpired|RequestExpired|token expired|invalid_grant|"
        r"expired_access_token",
        Reason(
            "expired_credentials",
            "the connection's credentials have expired",
            "Make a new connection with fresh credentials and copy again.",
        ),
    ),
    (
        r"NoSuchBucket|ContainerNotFound|(bucket|container).{0,40}does not exist",
        Reason("no_such_bucket", "the bucket does not exist", "Create it, or correct the path."),
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
        Reason("disk_full", "the instance's disk is full", "Free some space there and copy again."),
    ),
    (
        r"QuotaExceeded|storageQuotaExceeded|insufficient_space|InsufficientStorage|StorageFull",
        Reason("store_full", "the store is full", "Free some space in the store and copy again."),
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
        r"corrupted on transfer|hash(es)? differ|sizes differ",
        Reason(
            "corrupted",
            "a file arrived damaged and was removed",
            "Copy again; if it stays so, check the network and the disk.",
            fatal=False,
        ),
    ),
    (
        r"no such host|server misbehaving|dial tcp.*lookup",
        Reason(
            "unknown_host",
            "the store's host name is unknown",
            "Correct the connection's endpoint, or the machine's name resolution.",
        ),
    ),
    (
        r"connection refused|no route to host|network is unreachable",
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
        r"x509: |tls: ",
        Reason(
            "bad_certificate",
            "the store's TLS certificate is not trusted",
            "Correct the endpoint, or install its authority's certificate on the machine.",
        ),
    ),
    (
        r"timeout|i/o timeout|deadline exceeded|connection reset|unexpected EOF|broken pipe|EOF$",
        Reason(
            "connection_lost", "the connection to the store was lost", "Try again.", fatal=False
        ),
    ),
    (
        r"directory not found|object not found|NoSuchKey|no such file or directory",
        Reason("not_found", "it does not exist", "Correct the path."),
    ),
)
_PATTERNS: Final = tuple((re.compile(text, re.IGNORECASE), reason) for text, reason in _KNOWN)
# "open /data/run 401/x: permission denied": the operation, the path, what went wrong.
_LOCAL_PATH: Final = re.compile(r"(?<=\w )(/[^:]*)(?=: )")
_NOISE: Final = re.compile(r"(RequestID|HostID): [^,]*,? ?|https?://\S+")


def reason(text: str) -> Reason:
    """The plain reason in one of rclone's error texts. Names of files in it say nothing."""
    said = _LOCAL_PATH.sub("", text)
    for pattern, known in _PATTERNS:
        if pattern.search(said):
            return known
    words = shown(text) or "no reason was given"
    return Reason("error", f"rclone said: {words}", "Try again.", fatal=False)


def shown(text: str) -> str:
    """One of rclone's texts as it may be shown: short, without addresses and request ids."""
    return _NOISE.sub("", text).strip()[:MAX_SHOWN]
