"""What can go wrong between rclone and a store, and when it does.

A plan decides about each request. Plans draw no chance of their own: the same request, seen
for the same time, is always answered the same way, in whatever order requests come in. Only
`Between` counts over all requests, for what begins at a moment.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit


class Call(StrEnum):
    """What a request asks of S3."""

    GET = "get"
    HEAD = "head"
    LIST = "list"
    PUT = "put"
    BEGIN = "begin"  # of a multipart upload
    PART = "part"
    COMPLETE = "complete"
    ABORT = "abort"
    DELETE = "delete"
    OTHER = "other"


EVERY: Final = frozenset(Call)
SENDING: Final = frozenset({Call.PUT, Call.PART})

# Drawn anew for each upload, or for each signature: they do not make it another request.
_FLEETING: Final = ("uploadid", "x-amz-")


@dataclass(frozen=True)
class Request:
    """`nth` counts from 1: how often a request that is the `same` has been seen."""

    method: str
    target: str
    nth: int = 1

    @cached_property
    def same(self) -> str:
        """Method, path and query without what changes from one try to the next."""
        url = urlsplit(self.target)
        kept = [
            each
            for each in parse_qsl(url.query, keep_blank_values=True)
            if not each[0].lower().startswith(_FLEETING)
        ]
        return f"{self.method} {url.path} {urlencode(kept)}"

    @cached_property
    def call(self) -> Call:
        url = urlsplit(self.target)
        key = url.path.strip("/").partition("/")[2]
        asked = {name for name, _ in parse_qsl(url.query, keep_blank_values=True)}
        match self.method:
            case "GET" if not key or "uploadId" in asked:
                return Call.LIST
            case "GET":
                return Call.GET
            case "HEAD":
                return Call.HEAD
            case "PUT" if "partNumber" in asked:
                return Call.PART
            case "PUT" if key:
                return Call.PUT
            case "POST" if "uploads" in asked:
                return Call.BEGIN
            case "POST" if "uploadId" in asked:
                return Call.COMPLETE
            case "POST" if "delete" in asked:
                return Call.DELETE
            case "DELETE":
                return Call.ABORT if "uploadId" in asked else Call.DELETE
        return Call.OTHER


@dataclass
class Requests:
    """Numbers requests; remembers each that was different, and so grows with them."""

    _times: Counter[str] = field(default_factory=Counter)

    def number(self, method: str, target: str) -> Request:
        same = Request(method, target).same
        self._times[same] += 1
        return Request(method, target, self._times[same])


class Break(StrEnum):
    """How a connection is spoiled. Those of an answer come after the store did the work."""

    RESET = "reset"  # before anything is passed on
    RESET_IN_REQUEST = "reset in the request's body"
    RESET_IN_ANSWER = "reset in the answer's body"
    TRUNCATE = "answer cut short"
    CORRUPT_REQUEST = "a byte of the request flipped"
    CORRUPT_ANSWER = "a byte of the answer flipped"
    LORIS = "an answer that drips"
    STALL = "no answer"
    LOST = "the answer is lost"


@dataclass(frozen=True)
class Refusal:
    """An answer of the proxy's own, in the store's form; the store never sees the request."""

    status: int
    code: str
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.status} {self.code}"


Fault = Break | Refusal
Plan = Callable[[Request], Fault | None]

SLOW_DOWN: Final = Refusal(503, "SlowDown")
INTERNAL: Final = Refusal(500, "InternalError")
DENIED: Final = Refusal(403, "AccessDenied")
EXPIRED: Final = Refusal(403, "ExpiredToken")
NO_BUCKET: Final = Refusal(404, "NoSuchBucket")


def too_many(seconds: int) -> Refusal:
    """429, and when to come again."""
    return Refusal(429, "TooManyRequests", (("Retry-After", str(seconds)),))


TOO_MANY: Final = too_many(1)


def nothing(_: Request) -> Fault | None:
    return None


def always(fault: Fault, calls: Iterable[Call] = EVERY) -> Plan:
    among = frozenset(calls)
    return lambda request: fault if request.call in among else None


def first(times: int, fault: Fault, calls: Iterable[Call] = EVERY) -> Plan:
    """Each request fails so the first `times` times it is made."""
    among = frozenset(calls)
    return lambda request: fault if request.call in among and request.nth <= times else None


def share(seed: int, part: float, faults: Iterable[Fault], calls: Iterable[Call] = EVERY) -> Plan:
    """That part of all requests, between 0 and 1; each time one of `faults`."""
    among, choice = frozenset(calls), tuple(faults)

    def plan(request: Request) -> Fault | None:
        if request.call not in among:
            return None
        drawn = random.Random(f"{seed} {request.same} {request.nth}")
        return drawn.choice(choice) if drawn.random() < part else None

    return plan


def either(*plans: Plan) -> Plan:
    """The fault of the first plan that has one."""

    def plan(request: Request) -> Fault | None:
        return next((fault for each in plans if (fault := each(request))), None)

    return plan


@dataclass
class Between:
    """Among `calls`, those from number `begin` on, counted from 1, and up to `end`.

    An open end is "from then on": credentials that expire, a bucket that is deleted.
    """

    begin: int
    fault: Fault
    end: int | None = None
    calls: frozenset[Call] = EVERY
    seen: int = field(default=0, init=False)

    def __call__(self, request: Request) -> Fault | None:
        if request.call not in self.calls:
            return None
        self.seen += 1
        return self.fault if self.begin <= self.seen <= (self.end or self.seen) else None
