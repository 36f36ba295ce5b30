"""Both sides listed into the spool, before and after a copy."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloudcopy.adapters.rclone.ledger import Ledger, Part
from cloudcopy.adapters.rclone.listing import (
    NAMELESS,
    Listed,
    Side,
    Unlisted,
    look,
    look_at,
)
from cloudcopy.adapters.rclone.names import AT_ONCE, Names, lines
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import BAD_NAME, VANISHED, reason
from cloudcopy.adapters.rclone.sides import NOT_THERE, Sides
from cloudcopy.adapters.rclone.spool import Spool
from cloudcopy.adapters.rclone.trees import Patience, Put, tree
from cloudcopy.adapters.rclone.walk import SMALL, Chosen
from cloudcopy.domain.ledger import FileRow, Outcome

_FEW: Final = AT_ONCE  # named files that are asked for one by one rather than by directory


@dataclass(kw_only=True)
class Catalogue:
    """What is listed, where from, and how much of each file is asked for.

    Attributes:
        name: The source is the single file of this name; empty for a directory.
        only: See `ports.engine.Copy.only`.
        sides_of: What the source and the destination can say.
    """

    sides: Sides
    spool: Spool
    ledger: Ledger
    names: Names
    patience: Patience
    name: str
    only: Path | None
    here: Side
    there: Side

    def __post_init__(self) -> None:
        self.likely: Sequence[str] = ()  # directories of the source, if they are few
        self._unread: set[str] = set()  # directories of the source that may not be listed

    # The source

    async def source(self, *, hashes: Sequence[str] = ()) -> None:
        """Before anything is done: every file that the copy is about.

        Raises:
            RcError: it could not be listed at all.
        """
        self.ledger.begin(Part.SOURCE)
        if self.name:
            await self._one(self.spool.source)
        elif self.only:
            await self._chosen(self.only)
        else:
            await self._tree(
                self.sides.source,
                self.spool.source,
                hashes=() if self.here.slow_hash else hashes,
                must_exist=True,
                unread=self._failed,
            )
        await self.ledger.pour(self.spool)

    async def source_again(self, *, hashes: Sequence[str]) -> None:
        """After the copy, the same files, and those that came meanwhile.

        Raises:
            RcError: it could not be listed.
        """
        self.ledger.begin(Part.SOURCE)
        free = () if self.here.slow_hash else hashes
        if self.name:
            await self._one(self.spool.again, hashes=free)
        elif self.only:
            await self._known(self.sides.source, self.spool.again, hashes=free, source=True)
        else:
            await self._tree(
                self.sides.source,
                self.spool.again,
                hashes=free,
                directories=lambda each: each not in self._unread,
                small=self.spool.found <= SMALL,
            )
        await self.ledger.pour(self.spool)

    async def _one(self, put: Put, *, hashes: Sequence[str] = ()) -> None:
        found = await look(
            self.sides.rc.call,
            *self.sides.file_at_source(self.name),
            hashes=hashes,
            times=not self.here.slow_time,
        )
        if found:
            await put([Listed(self.name, found.size, found.time, found.hashes)])

    async def _chosen(self, only: Path) -> None:
        """The files named in `only`, and all files below a directory named there."""
        async for batch in lines(only):
            wanted = [str(json.loads(each)) for each in batch]
            for directory in wanted:
                if directory.endswith("/"):
                    await self._tree(
                        self.sides.source,
                        self._wanted,
                        below=directory.rstrip("/"),
                        times=False,  # asked for one by one later, they may be rounded otherwise
                        unread=self._failed,
                    )
            files = [each for each in wanted if each and not each.endswith("/")]
            found = await self._named(self.sides.source, files, source=True)
            await self._wanted(found)
            known = {each.path for each in found}
            await self.spool.mark(
                FileRow(each, Outcome.FAILED, -1, VANISHED.code, "it is no longer at the source")
                for each in files
                if each not in known
            )

    async def _wanted(self, batch: Sequence[Listed]) -> None:
        await self.spool.source(batch)
        await self.spool.mark(FileRow(each.path, Outcome.NEW, each.size) for each in batch)

    async def _failed(self, error: Unlisted) -> None:
        known = error.why
        self._unread.add(error.directory)
        await self.spool.mark(
            [FileRow(f"{error.directory}/", Outcome.FAILED, -1, known.code, known.text)]
        )

    async def source_named(self, paths: Sequence[str], *, hashes: Sequence[str]) -> None:
        """After the copy: these files of the source.

        Raises:
            RcError: one could not be asked for.
        """
        self.ledger.begin(Part.OTHER)
        free = () if self.here.slow_hash else hashes
        for first in range(0, len(paths), AT_ONCE):
            some = paths[first : first + AT_ONCE]
            fs = self.sides.source
            await self.spool.again(
                await self._named(fs, some, hashes=free, source=True, singly=True)
            )

    # The destination

    async def destination_before(self, directories: Chosen, *, hashes: Sequence[str]) -> None:
        """Before the copy: what is in `directories`, with the times that the listing tells.

        Raises:
            RcError: it could not be listed.
        """

        async def put(batch: Sequence[Listed]) -> None:
            await self.spool.destination(batch, known_only=False)

        await self._tree(
            self.sides.target,
            put,
            hashes=() if self.there.slow_hash else hashes,
            everything=True,
            directories=directories,
            likely=self.likely,
            slow_time=self.there.slow_time,
            unread=self._closed,
        )

    async def destination_named(self, paths: Sequence[str], *, hashes: Sequence[str]) -> None:
        """After the copy: these files of the destination.

        Raises:
            RcError: one could not be asked for.
        """
        self.ledger.begin(Part.OTHER)
        free = () if self.there.slow_hash else hashes
        for first in range(0, len(paths), AT_ONCE):
            some = paths[first : first + AT_ONCE]
            fs = self.sides.target
            found = await self._named(
                fs,
                some,
                hashes=free,
                source=False,
                singly=True,
                times=not self.there.slow_time,
                server_times=self.there.slow_time,
            )
            await self._arrived(found)

    async def destination(self, *, hashes: Sequence[str] = (), times: bool = False) -> None:
        """After the copy: the files that the source has, too.

        Args:
            times: With the times that the listing tells.

        Raises:
            RcError: it could not be listed.
        """
        self.ledger.begin(Part.OTHER)
        free = () if self.there.slow_hash else hashes
        if self.name:
            await self.destination_named([self.name], hashes=hashes)
            return
        if self.only and self.spool.found <= _FEW:
            await self._known(self.sides.target, self._arrived, hashes=free, source=False)
            return
        await self._tree(
            self.sides.target,
            self._arrived,
            hashes=free,
            everything=True,
            directories=self.spool.has_directory,
            small=self.spool.found <= SMALL,
            likely=self.likely,
            times=times,
            slow_time=self.there.slow_time,
            unread=self._closed,
        )

    async def _closed(self, error: Unlisted) -> None:
        """What lies in a directory that may not be listed cannot be said to have arrived."""

    async def _arrived(self, batch: Sequence[Listed]) -> None:
        await self.spool.destination(batch, known_only=True)

    async def read(self, paths: Sequence[str], *, hash: str, destination: bool) -> Sequence[Listed]:
        """Files with their hashes, at most `names.AT_ONCE`, where a side must read them for it.

        Raises:
            RcError: the side could not be listed.
        """
        if self.name and not destination:
            found = await look(
                self.sides.rc.call, *self.sides.file_at_source(self.name), hashes=(hash,)
            )
            return [Listed(self.name, found.size, "", found.hashes)] if found else []
        fs = self.sides.target if destination else self.sides.source
        return await self._named(fs, paths, hashes=(hash,), source=False)

    async def unnamed(self) -> None:
        """Mark the files that cannot be asked for by the name that a listing shows.

        rclone's answers have the same sign for every byte that is not UTF-8, so such names are
        only looks; but a name may really have that sign in it.
        Whether another file looks the same is known only where all were listed.

        Raises:
            RcError: the source could not be asked.
        """
        async for page in self.spool.like(NAMELESS):
            found = await look_at(self.sides.rc.call, self.sides.source, page)
            await self.spool.mark(
                FileRow(path, Outcome.FAILED, -1, BAD_NAME.code, BAD_NAME.text)
                for path in page
                if found[path] is None or self.only or self.spool.ambiguous(path)
            )

    # Listing

    async def _known(self, fs: str, put: Put, *, hashes: Sequence[str], source: bool) -> None:
        async for page in self.spool.facts():
            wanted = [each.path for each in page if not each.path.endswith("/")]
            for first in range(0, len(wanted), AT_ONCE):
                some = wanted[first : first + AT_ONCE]
                await put(await self._named(fs, some, hashes=hashes, source=source))

    async def _named(
        self,
        fs: str,
        names: Sequence[str],
        *,
        hashes: Sequence[str] = (),
        source: bool,
        singly: bool = False,
        times: bool = False,
        server_times: bool = False,
    ) -> Sequence[Listed]:
        done = 0
        while True:
            done += 1
            try:
                return await self.names.look_up(
                    fs,
                    names,
                    hashes=hashes,
                    times=times or (source and not self.here.slow_time),
                    server_times=server_times or (source and self.here.slow_time),
                    singly=singly,
                )
            except RcError as error:
                known = reason(str(error))
                if known.code in NOT_THERE:
                    return []
                if known.fatal or not await self.patience.again(done, error):
                    raise

    async def _tree(
        self, fs: str, put: Put, *, slow_time: bool | None = None, **options: Any
    ) -> None:
        """`trees.tree` with the source's kind of times, unless told otherwise."""
        slow = self.here.slow_time if slow_time is None else slow_time
        await tree(self.sides.ahead.call, fs, put, self.patience, slow_time=slow, **options)
