"""Files that are named one by one: told to rclone in a file, since there may be many."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from pathlib import Path
from typing import IO, Any, Final

from cloudcopy.adapters.rclone.listing import (
    EVERYTHING,
    NAMELESS,
    Listed,
    by_arrival,
    hashed,
    listed,
    look,
    parameters,
)
from cloudcopy.adapters.rclone.process import Daemon

# rclone writes what a store or a disk cannot name with other characters: a control character as
# its picture, and others behind U+201B. Not all of that finds the way back.
_ASKABLE: Final = re.compile(rf"[^\x00-\x1f\x7f\u201b\u2400-\u2421{NAMELESS}]*")
AT_ONCE: Final = 1000  # in one listing, whose answer comes in one piece
MAX_BYTES: Final = 256 << 20  # of files in one that reads them: so the numbers move
_READABLE: Final = 0o644  # by rclone, which runs as another user; the directory is private


class Names:
    """Lists of names in the directory that rclone shares with us."""

    def __init__(self, rc: Daemon, *, at_once: int | None = None) -> None:
        """`at_once`: files that are asked for at the same time; by default rclone's own number."""
        self._rc = rc
        self._own = {} if at_once is None else {"Checkers": at_once}
        self._numbers = count(1)

    @asynccontextmanager
    async def only(self, names: Sequence[str]) -> AsyncIterator[Mapping[str, Any]]:
        """Parameters that make a call of rclone about these files and no others.

        None of the names may be `odd`.
        """
        name = f"names-{next(self._numbers)}"
        path = self._rc.run_dir / name
        await asyncio.to_thread(_write, path, names)
        inside = f"{self._rc.inside.run}/{name}" if self._rc.inside.run else name
        try:
            yield {"_filter": {**EVERYTHING, "FilesFromRaw": [inside]}}
        finally:
            path.unlink()

    async def look_up(
        self,
        fs: str,
        names: Sequence[str],
        *,
        hashes: Sequence[str] = (),
        times: bool = False,
        server_times: bool = False,
        singly: bool = False,
    ) -> Sequence[Listed]:
        """Those of the files that are there, at most `AT_ONCE` of them.

        Args:
            singly: Ask for each of them; else the directories that they are in are listed.

        Raises:
            RcError: it could not be listed.
        """
        found: list[Listed] = []
        store = by_arrival(fs) if server_times else fs
        store = hashed(store) if hashes else store
        plain = [each for each in names if not odd(each)]
        if plain:
            asked = parameters(
                hashes, times=times or server_times, everything=True, server_times=server_times
            )
            asked["opt"] |= {"recurse": True, "filesOnly": True}
            if singly:
                asked["_config"] = {**asked.get("_config", {}), "NoTraverse": True, **self._own}
            async with self.only(plain) as chosen:
                answer = await self._rc.call(
                    "operations/list", fs=store, remote="", **{**asked, **chosen}
                )
            found += [listed(each) for each in answer["list"]]
        for name in names:
            if odd(name):
                seen = await look(
                    self._rc.call, store, name, hashes=hashes, times=times or server_times
                )
                found += [seen] if seen else []
        return found


def askable(name: str) -> bool:
    """Whether rclone finds a file again by the name that it has listed."""
    return _ASKABLE.fullmatch(name) is not None


def odd(name: str) -> bool:
    """Whether a line of a file cannot hold the name: Go ends a line at both of these."""
    return "\n" in name or name.endswith("\r")


async def lines(path: Path) -> AsyncIterator[Sequence[bytes]]:
    """The lines of a file, `AT_ONCE` at once."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while batch := await asyncio.to_thread(_some, file):
            yield batch
    finally:
        file.close()


def _some(file: IO[bytes]) -> Sequence[bytes]:
    return list(islice(file, AT_ONCE))


def _write(path: Path, names: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{each}\n" for each in names)
    path.chmod(_READABLE)
