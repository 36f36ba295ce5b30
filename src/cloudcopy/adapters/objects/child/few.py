"""A few small files, over the connections that a listing has left open.

obstore has connections of its own and would have to open them, which over a far line takes as
long as to send a small file. For many files it takes less of the processor.
"""

from email.utils import parsedate_to_datetime
from typing import Final

from cloudcopy.adapters.objects.child.cloud import answered
from cloudcopy.adapters.objects.child.failing import Failure
from cloudcopy.adapters.objects.child.moving import (
    SMALL,
    Between,
    Got,
    TooLarge,
    as_headers,
    checksum,
)

MOST: Final = 4  # a listing leaves two or three


def put(between: Between, place: str, data: bytes, told: dict[str, str], digest: str) -> str:
    """See `moving.Put`. The MD5 is signed, instead of the content."""
    headers = {**as_headers(told), **checksum(bytes.fromhex(digest))}
    found, _ = between.cloud.signed.whole(between.call, "PUT", place, headers=headers, body=data)
    return found.get("etag", "")


def get(between: Between, place: str) -> Got:
    """See `moving.Get`."""
    with between.cloud.signed.answer(between.call, "GET", place) as response:
        headers = {name.lower(): value for name, value in response.getheaders()}
        found = answered(headers)
        if found.size > SMALL:
            raise TooLarge
        data = memoryview(response.read())
    if len(data) != found.size:
        raise Failure("unexpected EOF", passing=True)
    mtime = found.mtime
    if mtime is None:
        mtime = int(parsedate_to_datetime(headers["last-modified"]).timestamp()) * 10**9
    return found.tag, mtime, data
