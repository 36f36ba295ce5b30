"""What goes wrong, in the words that `adapters.rclone.reasons` knows: rclone's and Go's."""

import errno
import os
import re
import socket
import ssl
from typing import Final

NOT_FOUND: Final = 404
SERVER: Final = 500
TOO_MANY: Final = 429
_SLOWER: Final = (503, TOO_MANY)
_SLOW_DOWN: Final = ("SlowDown", "RequestLimitExceeded", "ThrottlingException")
# Another address, region or version of the protocol: rclone may know what to do.
_ELSEWHERE: Final = (301, 302, 307, 308, 501)
_DEBUG: Final = "\n\nDebug source:"
_CODE: Final = re.compile(r"<Code>([^<]{1,80})</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3})")
# What of a Rust error says which kind it is; the first that is there decides.
_KINDS: Final = (
    (r"dns error|failed to lookup address", "no such host"),
    (r"connection refused|ConnectionRefused", "connect: connection refused"),
    (r"[Uu]nreachable", "connect: network is unreachable"),
    (r"certificate|UnknownIssuer", "tls: failed to verify certificate: x509: not trusted"),
    (r"TimedOut|timed out", "i/o timeout"),
)


class Failure(Exception):
    """The call, or the file, failed; the text is what is told.

    Attributes:
        status: As in rclone's answers.
        passing: Asking again at once may help.
        throttled: The store is asked too much.
    """

    def __init__(
        self, text: str, status: int = SERVER, *, passing: bool = False, throttled: bool = False
    ) -> None:
        super().__init__(text)
        self.status = status
        self.passing = passing
        self.throttled = throttled


class Unsupported(Failure):
    """This program does not do that, and has done nothing yet: rclone must."""


class Stopped(Exception):
    """The caller has hung up."""


def answered(method: str, status: int, code: str, message: str = "") -> Failure:
    """A store's answer that is an error."""
    text = f"operation error S3: {method}, https response error StatusCode: {status}, {code}"
    if status == NOT_FOUND and code != "NoSuchBucket":
        text += ": object not found"
    if status in _ELSEWHERE:
        return Unsupported(f"unsupported: {text}", status)
    passing = status >= SERVER or status == TOO_MANY
    throttled = status in _SLOWER or code in _SLOW_DOWN
    return Failure(
        f"{text}: {message}" if message else text, status, passing=passing, throttled=throttled
    )


def of_store(error: Exception) -> Failure:
    """An error of obstore's."""
    short, _, long = str(error).partition(_DEBUG)
    status = _STATUS.search(short)
    if status:
        code = _CODE.search(short)
        number = int(status[1])
        return answered("request", number, code[1] if code else _word(number))
    kind = next((text for pattern, text in _KINDS if re.search(pattern, short + long)), None)
    if isinstance(error, FileNotFoundError):
        return answered("request", NOT_FOUND, "NotFound")
    return Failure(f"request failed: {kind or 'connection reset by peer'}", passing=True)


def _word(status: int) -> str:
    return {403: "Forbidden", 401: "Unauthorized", 429: "TooManyRequests"}.get(status, "Error")


def of_network(error: Exception) -> Failure:
    """An error of a connection of our own."""
    match error:
        case ssl.SSLCertVerificationError():
            return Failure("tls: failed to verify certificate: x509: not trusted")
        case socket.gaierror():
            return Failure("dial tcp: lookup: no such host")
        case TimeoutError():
            text = "i/o timeout"
        case OSError(errno=int(number)):
            text = f"dial tcp: {os.strerror(number).lower()}"
        case _:
            text = "unexpected EOF"
    return Failure(text, passing=True)


def of_file(what: str, name: str, error: OSError) -> Failure:
    """An error of the instance's file system, as Go writes one."""
    words = os.strerror(error.errno or errno.EIO).lower()
    return Failure(f"{what} /{name}: {words}", NOT_FOUND if error.errno == errno.ENOENT else SERVER)
