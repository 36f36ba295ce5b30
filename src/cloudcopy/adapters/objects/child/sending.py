"""Large files to the store: in one piece up to `PIECE` bytes, in parts beyond.

Each body is refused by the store unless it has the MD5 that we send, and sign, with it. An object
in parts has a tag that is made of the parts' hashes; ours is made of what was read here, and the
two must be equal. The size of the parts goes into the object's metadata, so that whoever fetches
it can do the same.
"""

import hashlib
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from cloudcopy.adapters.objects.child import local
from cloudcopy.adapters.objects.child.call import Call, Flying
from cloudcopy.adapters.objects.child.cloud import IN_PARTS, MD5, META, PART_BYTES
from cloudcopy.adapters.objects.child.failing import Failure, answered
from cloudcopy.adapters.objects.child.moving import (
    Between,
    arrived,
    as_headers,
    attributes,
    checked,
    checksum,
    damaged,
)
from cloudcopy.adapters.objects.child.pieces import PIECE, Pieces, piece_bytes, ranges, results
from cloudcopy.adapters.objects.child.signed import tried


class Unfinished:
    """Uploads in parts that were begun and not ended."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._begun: dict[str, _Sending] = {}

    def add(self, id: str, sending: "_Sending") -> None:
        with self._turn:
            self._begun[id] = sending

    def forget(self, id: str) -> None:
        with self._turn:
            self._begun.pop(id, None)

    def abort(self) -> None:
        """All of them, for the end of this program."""
        with self._turn:
            begun = dict(self._begun)
        for id, sending in begun.items():
            with suppress(Failure):
                sending.abort(id)


def upload(between: Between, place: str, file: Flying, pieces: Pieces, begun: Unfinished) -> int:
    """Send the file of the instance that `file` names. Returns its size.

    Raises:
        Failure, Stopped
    """
    checked(place)
    with local.reading(between.root, file.name) as source:
        size = source.status.st_size
        sending = _Sending(between, source, place, file)
        if size <= PIECE:
            pieces.add(lambda buffer: sending.whole(buffer[:size])).result()
        else:
            sending.parts(pieces, begun)
        return size


@dataclass(frozen=True, slots=True)
class _Sending:
    """One file on its way."""

    between: Between
    source: local.Reading
    place: str
    file: Flying

    def whole(self, data: memoryview) -> None:
        self.source.part(0, data)
        digest = hashlib.md5(data, usedforsecurity=False)
        tag = self._sent({}, {**self._headers(), **checksum(digest.digest())}, data)
        arrived(self.between, self.place, digest.hexdigest(), tag)
        self.between.sums.keep(self.source.check(), digest.hexdigest(), read=True)

    def parts(self, pieces: Pieces, begun: Unfinished) -> None:
        between, size = self.between, self.source.status.st_size
        step = piece_bytes(size)
        id = tried(between.call, lambda: self._begin(step))
        begun.add(id, self)
        try:
            hashes = results(
                [
                    pieces.add(partial(self._part, id, number, start, length))
                    for number, (start, length) in enumerate(ranges(size, step), 1)
                ]
            )
            status = self.source.check()
            tag = _tag(hashes)
            self._complete(id, hashes, tag)
        except BaseException:
            with suppress(Failure):
                self.abort(id)
            raise
        finally:
            begun.forget(id)
        between.sums.in_parts(self.place, tag)
        between.sums.keep(status, tag, read=True)

    def _begin(self, step: int) -> str:
        headers = {**self._headers(), f"{META}{PART_BYTES}": str(step)}
        _, body = self.between.cloud.signed.whole(
            self.between.call, "POST", self.place, query={"uploads": ""}, headers=headers
        )
        id = _inner(body, "UploadId")
        if not id:
            raise Failure("InternalError: an upload in parts without a name", passing=True)
        return id

    def _part(self, id: str, number: int, start: int, length: int, buffer: memoryview) -> bytes:
        """Send one; its hash."""
        self.between.call.check()
        data = buffer[:length] if length <= len(buffer) else memoryview(bytearray(length))
        self.source.part(start, data)
        digest = hashlib.md5(data, usedforsecurity=False)
        query = {"partNumber": str(number), "uploadId": id}
        tag = self._sent(query, checksum(digest.digest()), data)
        if MD5.fullmatch(tag) and tag != digest.hexdigest():
            raise damaged(digest.hexdigest(), tag)
        return digest.digest()

    def _sent(self, query: Mapping[str, str], headers: Mapping[str, str], data: memoryview) -> str:
        """The tag that the store gives it."""
        between = self.between

        def once() -> str:
            gone = 0

            def count(bytes_: int) -> None:
                nonlocal gone
                between.moved(self.file, bytes_)
                gone += bytes_

            try:
                told, _ = between.cloud.signed.whole(
                    between.call,
                    "PUT",
                    self.place,
                    query=query,
                    headers=headers,
                    body=data,
                    sent=count,
                )
            except BaseException:
                between.counts.moved(self.file, -gone)
                raise
            return told.get("etag", "").strip('"').lower()

        return tried(between.call, once)

    def _complete(self, id: str, hashes: list[bytes], tag: str) -> None:
        """Make one object of the parts. Where the answer was lost, the object says whether it is.

        Raises:
            Failure: it has another tag than its parts make up.
        """
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{each.hex()}&quot;</ETag></Part>"
            for number, each in enumerate(hashes, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        between = self.between

        def once() -> str:
            _, told = between.cloud.signed.whole(
                between.call, "POST", self.place, query={"uploadId": id}, body=body
            )
            if b"<Error>" in told:  # S3 may say 200 first, and then that it could not
                raise answered("POST", 500, _inner(told, "Code"))
            found = _inner(told, "ETag").replace("&quot;", "").replace("&#34;", "")
            return found.strip('"').lower()

        try:
            found = tried(between.call, once)
        except Failure:
            now = between.cloud.head(between.call, self.place)
            if now is None or now.tag != tag:
                raise
            found = tag
        if IN_PARTS.fullmatch(found) and found != tag:
            between.cloud.delete(between.call, self.place)
            raise damaged(tag, found)

    def abort(self, id: str) -> None:
        """Though the caller may have hung up. Raises Failure."""
        call = Call()
        signed = self.between.cloud.signed
        tried(call, lambda: signed.whole(call, "DELETE", self.place, query={"uploadId": id}))

    def _headers(self) -> dict[str, str]:
        return as_headers(attributes(self.place, self.source.status.st_mtime_ns))


def _tag(hashes: list[bytes]) -> str:
    whole = hashlib.md5(b"".join(hashes), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(hashes)}"


def _inner(body: bytes, name: str) -> str:
    return body.decode().partition(f"<{name}>")[2].partition(f"</{name}>")[0]
