"""A ledger on its way: compressed chunks of rows, sorted by path over all chunks.

A chunk is one gzip member of JSON lines, so the chunks of an attempt, put one behind the
other, are a gzip file as well.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from cloudcopy.domain.ledger import FileRow

ROWS: Final = 4096  # in one chunk, at most
MAX_RAW_BYTES: Final = 2 * 1024 * 1024  # of JSON in one chunk: a path is at most 4 KiB long
_GZIP: Final = 31  # zlib's window bits for a gzip member
_LEVEL: Final = 3  # faster than rclone can list, and a quarter of the size

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(FileRow)


class BadChunk(ValueError):
    """It is no chunk of a ledger, or larger than one may be."""


def line(row: FileRow) -> bytes:
    """One row as a JSON line with its end."""
    return _encoder.encode(row) + b"\n"


def pack(lines: Iterable[bytes]) -> bytes:
    """Lines as one chunk."""
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return packer.compress(b"".join(lines)) + packer.flush()


def lines(chunk: bytes) -> Sequence[bytes]:
    """The lines of one chunk, without their ends.

    Raises:
        BadChunk: it is damaged, or unpacks to more than `MAX_RAW_BYTES`.
    """
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        raw = unpacker.decompress(chunk, MAX_RAW_BYTES)
    except zlib.error as error:
        raise BadChunk("a chunk of the ledger is damaged") from error
    if not unpacker.eof or unpacker.unused_data:
        raise BadChunk("a chunk of the ledger is too large or cut short")
    return raw.splitlines()


def row(line: bytes) -> FileRow:
    """Raises BadChunk."""
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise BadChunk("a row of the ledger is not one") from error


def rows(chunk: bytes) -> list[FileRow]:
    """Raises BadChunk."""
    found = lines(chunk)
    if len(found) > ROWS:
        raise BadChunk("a chunk of the ledger has too many rows")
    return [row(each) for each in found]
