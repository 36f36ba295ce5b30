"""Single files, small ones in one request, in both directions.

Every file is read, or written, once; its MD5 is computed on the way and held against what the
store says of it.
"""

import base64
import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import obstore
from obstore.exceptions import BaseError

from cloudcopy.adapters.objects.child import local
from cloudcopy.adapters.objects.child.call import Call, Counts, Flying, Limit
from cloudcopy.adapters.objects.child.cloud import MD5, META, MTIME, Cloud
from cloudcopy.adapters.objects.child.failing import Failure, of_store
from cloudcopy.adapters.objects.child.names import as_metadata, from_metadata, plain
from cloudcopy.adapters.objects.child.signed import tried
from cloudcopy.adapters.objects.child.sums import Sums

SMALL: Final = 1 << 20  # bytes; up to here a file goes in one piece
_TYPE: Final = "Content-Type"
_STORE_ERRORS: Final = (BaseError, FileNotFoundError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The two sides of one call, and what is counted while it runs."""

    call: Call
    cloud: Cloud
    root: str  # a directory of the instance
    below: str  # bucket/key
    counts: Counts
    limit: Limit
    sums: Sums
    unfinished: local.Unfinished

    def place(self, name: str) -> str:
        return f"{self.below}/{name}" if self.below else name

    def moved(self, file: Flying, count: int) -> None:
        """Wait until so many bytes may go, and count them."""
        self.limit.take(count, self.call)
        self.counts.moved(file, count)


class TooLarge(Exception):
    """The object must go in several pieces."""


Put = Callable[[Between, str, bytes, dict[str, str], str], str]
"""Sends a small object to a place with its attributes and the MD5 of its content, and gives its
tag. Tried once."""

Got = tuple[str, int, memoryview]
"""A tag, a time in nanoseconds, and the content."""

Get = Callable[[Between, str], Got]
"""Fetches a small object from a place, once. Raises TooLarge, too."""


def upload(between: Between, place: str, file: Flying, put: Put) -> int:
    """A file of at most `SMALL` bytes. Returns its size.

    Raises:
        Failure, Stopped
        TooLarge: it has become larger.
    """
    with local.reading(between.root, file.name) as source:
        size = source.status.st_size
        if size > SMALL:
            raise TooLarge
        data = source.content()
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        between.moved(file, size)
        told = attributes(checked(place.partition("/")[2]), source.status.st_mtime_ns)
        tag = tried(between.call, lambda: put(between, place, data, told, digest))
        arrived(between, place, digest, tag)
        between.sums.keep(source.check(), digest, read=True)
        return size


def download(between: Between, place: str, file: Flying, get: Get) -> int:
    """The same the other way."""
    checked(place.partition("/")[2])
    tag, mtime, data = tried(between.call, lambda: get(between, place))
    between.moved(file, len(data))
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if MD5.fullmatch(tag) and tag != digest:
        raise damaged(tag, digest)
    with local.writing(between.root, file.name, between.unfinished) as target:
        target.write(data, 0)
        between.sums.keep(target.finish(mtime), digest, read=False)
    return len(data)


def put(between: Between, place: str, data: bytes, told: dict[str, str], digest: str) -> str:
    """Through obstore, which signs the content."""
    bucket, _, key = place.partition("/")
    between.call.check()
    try:
        answer = between.cloud.bucket(bucket).put(key, data, attributes=told, use_multipart=False)
    except _STORE_ERRORS as error:
        raise of_store(error) from None
    return answer.get("e_tag") or ""


def get(between: Between, place: str) -> Got:
    """Through obstore."""
    bucket, _, key = place.partition("/")
    between.call.check()
    try:
        answer = obstore.get(between.cloud.bucket(bucket), key)
        meta = answer.meta
        if meta["size"] > SMALL:
            raise TooLarge
        data = memoryview(answer.bytes())
    except _STORE_ERRORS as error:
        raise of_store(error) from None
    if len(data) != meta["size"]:
        raise Failure("unexpected EOF", passing=True)
    told = answer.attributes.get(MTIME)
    mtime = from_metadata(told) if told else None
    if mtime is None:
        mtime = int(meta["last_modified"].timestamp()) * 10**9
    return (meta["e_tag"] or "").strip('"').lower(), mtime, data


def arrived(between: Between, place: str, digest: str, tag: str) -> None:
    """Hold the tag of a new object against the hash of what was sent; take it away again if it
    is another one. Raises Failure."""
    tag = tag.strip('"').lower()
    if MD5.fullmatch(tag) and tag != digest:
        between.cloud.delete(between.call, place)
        raise damaged(digest, tag)


def damaged(source: str, destination: str) -> Failure:
    hashes = f"src {source!r} vs dst {destination!r}"
    return Failure(f"corrupted on transfer: md5 hashes differ {hashes}")


def attributes(key: str, mtime: int) -> dict[str, str]:
    return {_TYPE: _kind(key.rpartition(".")[2].lower()), MTIME: as_metadata(mtime)}


def as_headers(attributes: Mapping[str, str]) -> dict[str, str]:
    """The same for a request of our own."""
    return {
        (name if name == _TYPE else f"{META}{name}").lower(): text
        for name, text in attributes.items()
    }


def checksum(digest: bytes) -> dict[str, str]:
    """A header with an MD5: the store refuses a body that has another."""
    return {"content-md5": base64.b64encode(digest).decode()}


@lru_cache(1024)
def _kind(ending: str) -> str:
    return mimetypes.types_map.get(f".{ending}", "application/octet-stream")


def checked(key: str) -> str:
    """The same key, or place. Raises Failure: the name is written in ways of their own."""
    if not plain(key):
        raise Failure("the name cannot be asked for: object not found", 404)
    return key
