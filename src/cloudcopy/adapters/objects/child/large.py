"""Large files in pieces, several at once, in both directions.

Up: parts of `PART` bytes, each refused by the store unless it has the MD5 that we send with it.
An object in parts has a tag that is made of the parts' hashes; ours is made of what was read
here, and the two must be equal. The size of the parts goes into the object's metadata, so that
whoever fetches it can do the same.

Down: ranges of the same size, each only of the object with the tag that was seen first.
"""

import base64
import hashlib
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from cloudcopy.adapters.objects.child import local
from cloudcopy.adapters.objects.child.call import Call, Flying
from cloudcopy.adapters.objects.child.cloud import IN_PARTS, MD5, PART_BYTES, Object
from cloudcopy.adapters.objects.child.failing import Failure, answered, of_network
from cloudcopy.adapters.objects.child.moving import Between, arrived, attributes, damaged
from cloudcopy.adapters.objects.child.names import plain
from cloudcopy.adapters.objects.child.signed import tried

PART: Final = 16 << 20
MOST_PARTS: Final = 10_000
_NO_CONTENT: Final = "Content-Type"

Work = Callable[[memoryview], Any]


class Pieces:
    """Threads that carry out pieces of work, each with a buffer of `PART` bytes."""

    def __init__(self, count: int) -> None:
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Work] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for each in self._threads:
            each.start()

    def add(self, work: Work) -> "Future[Any]":
        future: Future[Any] = Future()
        self._waiting.put((future, work))
        return future

    def close(self) -> None:
        for _ in self._threads:
            self._waiting.put(None)

    def _run(self) -> None:
        buffer = memoryview(bytearray(PART))
        while (item := self._waiting.get()) is not None:
            future, work = item
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(buffer))
                except BaseException as error:  # noqa: BLE001 - it is the waiting one's
                    future.set_exception(error)


def part_bytes(size: int) -> int:
    """Of a file of `size` bytes: so that it has no more parts than a store takes."""
    wanted = PART
    while wanted * MOST_PARTS < size:
        wanted *= 2
    return wanted


def _ranges(size: int, step: int) -> list[tuple[int, int]]:
    return [(start, min(step, size - start)) for start in range(0, size, step)] or [(0, 0)]


def _results(futures: "list[Future[Any]]") -> list[Any]:
    """All of them; after the first that failed, the rest is not begun, but waited for."""
    try:
        return [each.result() for each in futures]
    except BaseException:
        for each in futures:
            each.cancel()
        for each in futures:
            if not each.cancelled():
                each.exception()
        raise


# Up


class Unfinished:
    """Uploads in parts that were begun and not ended."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._begun: dict[str, tuple[Between, str]] = {}

    def add(self, id: str, between: Between, place: str) -> None:
        with self._turn:
            self._begun[id] = (between, place)

    def forget(self, id: str) -> None:
        with self._turn:
            self._begun.pop(id, None)

    def abort(self) -> None:
        """All of them, for the end of this program."""
        with self._turn:
            begun = dict(self._begun)
        for id, (between, place) in begun.items():
            with suppress(Exception):
                _abort(between, place, id)


def upload(
    between: Between, name: str, place: str, file: Flying, pieces: Pieces, begun: Unfinished
) -> int:
    """Returns the size. Raises Failure, Stopped."""
    key = place.partition("/")[2]
    if not plain(key):
        raise Failure("the name cannot be asked for: object not found", 404)
    with local.reading(between.root, name) as source:
        size = source.status.st_size
        if size <= PART:
            pieces.add(lambda buffer: _whole(between, source, place, file, buffer[:size])).result()
        else:
            _parts(between, source, place, file, pieces, begun)
        return size


def _whole(
    between: Between, source: local.Reading, place: str, file: Flying, data: memoryview
) -> None:
    source.part(0, data)
    digest = hashlib.md5(data, usedforsecurity=False)
    headers = {
        **_headers(place, source),
        "content-md5": base64.b64encode(digest.digest()).decode(),
    }
    told = _sent(between, file, "PUT", place, {}, headers, data)
    arrived(between, place, digest.hexdigest(), told)
    between.sums.keep(source.check(), digest.hexdigest(), read=True)


def _parts(
    between: Between,
    source: local.Reading,
    place: str,
    file: Flying,
    pieces: Pieces,
    begun: Unfinished,
) -> None:
    size = source.status.st_size
    step = part_bytes(size)
    headers = {**_headers(place, source), f"x-amz-meta-{PART_BYTES}": str(step)}
    id = tried(between.call, lambda: _begin(between, place, headers))
    begun.add(id, between, place)
    try:
        hashes = _results(
            [
                pieces.add(
                    lambda buffer, number=number, start=start, length=length: _part(
                        between, source, place, id, file, number, start, _room(buffer, length)
                    )
                )
                for number, (start, length) in enumerate(_ranges(size, step), 1)
            ]
        )
        status = source.check()
        tag = f"{hashlib.md5(b''.join(hashes), usedforsecurity=False).hexdigest()}-{len(hashes)}"
        _complete(between, place, id, hashes, tag)
    except BaseException:
        with suppress(Failure):
            _abort(between, place, id)
        begun.forget(id)
        raise
    begun.forget(id)
    between.sums.in_parts(place, tag)
    between.sums.keep(status, tag, read=True)


def _room(buffer: memoryview, length: int) -> memoryview:
    return buffer[:length] if length <= len(buffer) else memoryview(bytearray(length))


def _headers(place: str, source: local.Reading) -> dict[str, str]:
    told = attributes(place, source.status.st_mtime_ns)
    kind = told.pop(_NO_CONTENT)
    return {"content-type": kind, **{f"x-amz-meta-{name}": text for name, text in told.items()}}


def _begin(between: Between, place: str, headers: dict[str, str]) -> str:
    signed = between.cloud.signed
    _, body = signed.whole(between.call, "POST", place, query={"uploads": ""}, headers=headers)
    id = body.decode().partition("<UploadId>")[2].partition("</UploadId>")[0]
    if not id:
        raise Failure("InternalError: an upload in parts without a name", passing=True)
    return id


def _part(
    between: Between,
    source: local.Reading,
    place: str,
    id: str,
    file: Flying,
    number: int,
    start: int,
    data: memoryview,
) -> bytes:
    between.call.check()
    source.part(start, data)
    digest = hashlib.md5(data, usedforsecurity=False)
    query = {"partNumber": str(number), "uploadId": id}
    headers = {"content-md5": base64.b64encode(digest.digest()).decode()}
    tag = _sent(between, file, "PUT", place, query, headers, data)
    if MD5.fullmatch(tag) and tag != digest.hexdigest():
        raise damaged(digest.hexdigest(), tag)
    return digest.digest()


def _sent(
    between: Between,
    file: Flying,
    method: str,
    place: str,
    query: dict[str, str],
    headers: dict[str, str],
    data: memoryview,
) -> str:
    """The tag that the store gives it."""

    def once() -> str:
        gone = 0

        def count(bytes_: int) -> None:
            nonlocal gone
            between.moved(file, bytes_)
            gone += bytes_

        try:
            told, _ = between.cloud.signed.whole(
                between.call, method, place, query=query, headers=headers, body=data, sent=count
            )
        except BaseException:
            between.counts.moved(file, -gone)
            raise
        return told.get("etag", "").strip('"').lower()

    return tried(between.call, once)


def _complete(between: Between, place: str, id: str, hashes: list[bytes], tag: str) -> None:
    """Make one object of the parts. Where the answer was lost, the object says whether it was.

    Raises:
        Failure: it has another tag than its parts make up.
    """
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{each.hex()}&quot;</ETag></Part>"
        for number, each in enumerate(hashes, 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()

    def once() -> bytes:
        signed = between.cloud.signed
        _, told = signed.whole(between.call, "POST", place, query={"uploadId": id}, body=body)
        if b"<Error>" in told:  # S3 may say 200 first, and then that it could not
            code = told.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()
            raise answered("POST", 500, code)
        return told

    try:
        told = tried(between.call, once)
        found = told.decode().partition("<ETag>")[2].partition("</ETag>")[0]
        found = found.replace("&quot;", "").replace("&#34;", "").strip('"').lower()
    except Failure:
        now = between.cloud.head(between.call, place)
        if now is None or now.tag != tag:
            raise
        found = tag
    if IN_PARTS.fullmatch(found) and found != tag:
        between.cloud.delete(between.call, place)
        raise damaged(tag, found)


def _abort(between: Between, place: str, id: str) -> None:
    """Though the caller may have hung up."""
    tried(
        call := Call(),
        lambda: between.cloud.signed.whole(call, "DELETE", place, query={"uploadId": id}),
    )


# Down


def download(between: Between, name: str, place: str, file: Flying, pieces: Pieces) -> int:
    """Returns the size. Raises Failure, Stopped."""
    if not plain(place):
        raise Failure("the name cannot be asked for: object not found", 404)
    found = between.cloud.head(between.call, place)
    if found is None:
        raise Failure("object not found", 404)
    file.size = found.size
    step = found.part_bytes if IN_PARTS.fullmatch(found.tag) else 0
    with local.writing(between.root, name, between.unfinished) as target:
        target.reserve(found.size)
        futures = [
            pieces.add(
                lambda buffer, start=start, length=length: _range(
                    between, found, place, target, file, start, length, buffer, hash=bool(step)
                )
            )
            for start, length in _ranges(found.size, step or PART)
        ]
        if step:
            hashes = _results(futures)
            digest = hashlib.md5(b"".join(hashes), usedforsecurity=False).hexdigest()
            told = f"{digest}-{len(hashes)}"
            wanted = found.tag
        else:
            told, wanted = _in_order(futures, target, found), found.md5
        if wanted and told and wanted != told:
            raise damaged(wanted, told)
        status = target.finish(found.mtime)
    if step:
        between.sums.in_parts(place, told)
    if told:
        between.sums.keep(status, told, read=False)
    return found.size


def _range(
    between: Between,
    found: Object,
    place: str,
    target: local.Writing,
    file: Flying,
    start: int,
    length: int,
    buffer: memoryview,
    *,
    hash: bool,
) -> bytes:
    headers = {"range": f"bytes={start}-{start + length - 1}"} if length else {}
    headers |= {"if-match": f'"{found.tag}"'} if found.tag else {}
    block = buffer[: local.BLOCK]

    def once() -> bytes:
        digest = hashlib.md5(usedforsecurity=False)
        gone = 0
        try:
            with between.cloud.signed.answer(between.call, "GET", place, headers=headers) as answer:
                while gone < length:
                    try:
                        count = answer.readinto(block[: length - gone])
                    except ValueError as error:
                        raise of_network(error) from None
                    if not count:
                        raise Failure("unexpected EOF", passing=True)
                    between.moved(file, count)
                    target.write(block[:count], start + gone)
                    gone += count
                    if hash:
                        digest.update(block[:count])
                answer.read()
        except BaseException:
            between.counts.moved(file, -gone)
            raise
        return digest.digest()

    return tried(between.call, once)


def _in_order(futures: "list[Future[Any]]", target: local.Writing, found: Object) -> str:
    """The MD5 of all of it, computed behind the pieces as they come."""
    digest = hashlib.md5(usedforsecurity=False)
    block = memoryview(bytearray(local.BLOCK))
    done = 0
    try:
        for each, (start, length) in zip(futures, _ranges(found.size, PART), strict=True):
            each.result()
            while done < start + length:
                some = block[: min(len(block), start + length - done)]
                count = os.preadv(target.fd, [some], done)
                if not count:
                    raise Failure("unexpected EOF")
                digest.update(some[:count])
                done += count
    except BaseException:
        for each in futures:
            each.cancel()
        with suppress(BaseException):
            _results(futures)
        raise
    return digest.hexdigest()
