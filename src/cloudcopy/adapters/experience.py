"""What was learnt about stores, in one small file that may be deleted at any time."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec
import structlog

from cloudcopy.domain.experience import Learnt

log = structlog.get_logger()

MAX_STORES: Final = 200  # the ones that were learnt about last
_decode: Final = msgspec.json.Decoder(dict[str, Learnt]).decode
_encode: Final = msgspec.json.Encoder().encode


class FileExperience:
    """See `ports.experience.Experience`. One agent at a time has the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()

    async def recall(self, place: str) -> Learnt:
        return (await asyncio.to_thread(self._read)).get(place) or Learnt()

    async def learn(self, place: str, learnt: Learnt) -> None:
        async with self._turn:
            await asyncio.to_thread(self._add, place, learnt)

    def _add(self, place: str, learnt: Learnt) -> None:
        kept = self._read()
        kept.pop(place, None)
        kept[place] = learnt
        newest = dict(list(kept.items())[-MAX_STORES:])
        fresh = self._path.with_suffix(".new")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(_encode(newest))
            fresh.replace(self._path)
        except OSError as error:
            log.warning("what was learnt about a store is not kept", reason=str(error))

    def _read(self) -> dict[str, Learnt]:
        """Empty for a file that is not there, or that is damaged: it is written anew then."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return _decode(self._path.read_bytes())
        return {}
