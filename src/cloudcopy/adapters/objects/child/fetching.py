"""Large files from the store: ranges, several at once, each only of the object that was seen.

The hash is computed on the way: of each part in its own thread where the object was sent in parts
whose size is known, else of the whole, behind the ranges as they come.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from cloudcopy.adapters.objects.child import local
from cloudcopy.adapters.objects.child.call import Flying
from cloudcopy.adapters.objects.child.cloud import IN_PARTS, Object
from cloudcopy.adapters.objects.child.failing import NOT_FOUND, Failure
from cloudcopy.adapters.objects.child.moving import Between, checked, damaged
from cloudcopy.adapters.objects.child.pieces import PIECE, Pieces, ranges, results
from cloudcopy.adapters.objects.child.signed import tried

AT_ONCE: Final = 8
LONGEST: Final = 64 << 20  # bytes of a range


def download(between: Between, place: str, file: Flying, pieces: Pieces) -> int:
    """Fetch the object into the file that `file` names. Returns its size.

    Raises:
        Failure, Stopped
    """
    found = between.cloud.head(between.call, checked(place))
    if found is None:
        raise Failure("object not found", NOT_FOUND)
    file.size = found.size
    step = found.part_bytes if IN_PARTS.fullmatch(found.tag) else 0
    with local.writing(between.root, file.name, between.unfinished) as target:
        target.reserve(found.size)
        fetching = _Fetching(between, found, place, target, file)
        stretches = ranges(found.size, step or _range_bytes(found.size))
        futures = [
            pieces.add(partial(fetching.range, start, length, bool(step)))
            for start, length in stretches
        ]
        if step:
            hashes = results(futures)
            whole = hashlib.md5(b"".join(hashes), usedforsecurity=False).hexdigest()
            told, wanted = f"{whole}-{len(hashes)}", found.tag
        else:
            # What cannot be held against anything is not computed.
            wanted = found.md5
            told = _behind(futures, target.fd, stretches) if wanted else ""
            results(futures)
        if wanted and wanted != told:
            raise damaged(wanted, told)
        status = target.finish(found.mtime)
    if step:
        between.sums.in_parts(place, told)
    if told:
        between.sums.keep(status, told, read=False)
    return found.size


@dataclass(frozen=True, slots=True)
class _Fetching:
    """One file on its way."""

    between: Between
    found: Object
    place: str
    target: local.Writing
    file: Flying

    def range(self, start: int, length: int, hashed: bool, buffer: memoryview) -> bytes:
        """Fetch one; its hash, if that is wanted."""
        headers = {"range": f"bytes={start}-{start + length - 1}"} if length else {}
        headers |= {"if-match": f'"{self.found.tag}"'} if self.found.tag else {}
        between, block = self.between, buffer[: local.BLOCK]

        def once() -> bytes:
            digest = hashlib.md5(usedforsecurity=False)
            gone = 0
            try:
                with between.cloud.signed.answer(
                    between.call, "GET", self.place, headers=headers
                ) as answer:
                    while gone < length:
                        count = answer.readinto(block[: length - gone])
                        if not count:
                            raise Failure("unexpected EOF", passing=True)
                        between.moved(self.file, count)
                        self.target.write(block[:count], start + gone)
                        if hashed:
                            digest.update(block[:count])
                        gone += count
                    answer.read()
            except BaseException:
                between.counts.moved(self.file, -gone)
                raise
            return digest.digest()

        return tried(between.call, once)


def _range_bytes(size: int) -> int:
    """Long ranges cost a store the least; but several are to be fetched at once."""
    return min(LONGEST, max(PIECE, size // AT_ONCE))


def _behind(futures: "Sequence[Future[Any]]", fd: int, stretches: Sequence[tuple[int, int]]) -> str:
    """The MD5 of all of it, computed behind the pieces as they come."""
    digest = hashlib.md5(usedforsecurity=False)
    block = memoryview(bytearray(local.BLOCK))
    done = 0
    try:
        for each, (start, length) in zip(futures, stretches, strict=True):
            each.result()
            while done < start + length:
                count = os.preadv(fd, [block[: start + length - done]], done)
                if not count:
                    raise Failure("unexpected EOF")
                digest.update(block[:count])
                done += count
    except BaseException:
        for each in futures:
            each.cancel()
        with suppress(Exception):
            results(futures)
        raise
    return digest.hexdigest()
