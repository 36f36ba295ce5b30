"""Lists that are too long for one frame, in parts that fit."""

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from cloudcopy.wire.agent import MAX_FRAME_BYTES

ROOM: Final = MAX_FRAME_BYTES - 4096  # of a frame; the rest is for what is around the list

T = TypeVar("T", bound=msgspec.Struct)

_encoder = msgspec.msgpack.Encoder()


def size_bytes(item: msgspec.Struct) -> int:
    """What it takes of a frame.

    Raises:
        ValueError: it fits no frame, or has a text that cannot be sent: an unpaired surrogate.
    """
    size = len(_encoder.encode(item))
    if size > ROOM:
        raise ValueError(f"{size} bytes are more than a frame holds")
    return size


def parts(items: Iterable[T]) -> list[list[T]]:
    """All, in their order, as many in each part as fit. Raises ValueError as `size_bytes`."""
    made: list[list[T]] = []
    left = 0
    for each in items:
        size = size_bytes(each)
        if size > left:
            made.append([])
            left = ROOM
        made[-1].append(each)
        left -= size
    return made
