"""After a copy that was decided beforehand: only what was touched is looked at again."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloudcopy.adapters.rclone.catalogue import Catalogue
from cloudcopy.adapters.rclone.choice import Choice
from cloudcopy.adapters.rclone.names import askable
from cloudcopy.adapters.rclone.passes import LOOKS
from cloudcopy.adapters.rclone.spool import KNOWN
from cloudcopy.adapters.rclone.verdict import TOUCHED, Verdict
from cloudcopy.domain.compare import Level
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.progress import Verified

MAX_NAMED: Final = 50_000  # files that are looked at by name rather than in a listing
MAX_ASKED: Final = 2_000  # objects, each of which is a request
_MARKS: Final = ", ".join(f"'{each.value}'" for each in TOUCHED)
_TOUCHED: Final = f"outcome IN ({_MARKS}) AND path NOT LIKE '%/'"
_WHICH: Final = f"SELECT path FROM files WHERE {_TOUCHED}"  # noqa: S608
_SAME: Final = (
    "SELECT a.path FROM first a JOIN last b ON a.path = b.path AND a.size = b.size "
    "AND a.mtime = b.mtime AND a.inode = b.inode AND a.ctime = b.ctime"
)
# `first` is older than the listing: what changed between the two is in neither `_SAME`.
_KEEP: Final = "UPDATE files SET later_size = size, later_time = time, later_hash = hash"
_ODD: Final = (  # what changed, and what appeared
    "SELECT path FROM files WHERE size IS NOT NULL AND later_size IS NULL AND path NOT LIKE '%/' "
    "UNION "
    "SELECT path FROM last WHERE path NOT IN (SELECT path FROM files WHERE size IS NOT NULL)"
)
_FORGET: Final = (
    "UPDATE files SET there_size = NULL, there_time = NULL, there_hash = NULL "  # noqa: S608
    f"WHERE {_TOUCHED}"
)


@dataclass(kw_only=True)
class Afterwards:
    """Both sides of what a `Choice` has touched; the rest stays as it was listed before."""

    choice: Choice
    catalogue: Catalogue

    async def untouched(self) -> None:
        """Nothing was done, so the first listing is the last one."""
        await self._execute(f"{_KEEP} WHERE size IS NOT NULL")
        await self._execute("INSERT OR REPLACE INTO last SELECT * FROM first")

    async def source(self, hashes: Sequence[str]) -> None:
        """Raises RcError: it could not be listed."""
        catalogue = self.catalogue
        if not self.choice.upload:
            touched = await self._paths(_WHICH)
            if touched is None or not self._few(touched) or not all(map(askable, touched)):
                await catalogue.source_again(hashes=hashes)
                return
            await self._execute(f"{_KEEP} WHERE NOT ({_TOUCHED})")
            await catalogue.source_named(touched, hashes=hashes)
            # Asked for alone, an object's time is told in whole seconds.
            await self._execute(
                "UPDATE files SET later_time = time "
                "WHERE substr(later_time, 1, 19) = substr(time, 1, 19)"
            )
            return
        await self.choice.glance("last")
        await self._execute(f"{_KEEP} WHERE size IS NOT NULL AND path IN ({_SAME})")
        odd = await self._paths(_ODD)
        filtered = catalogue.sides.copy.flags.narrows
        many = odd is None or len(odd) * LOOKS > catalogue.spool.found + LOOKS * LOOKS
        if odd is None or many or filtered or not all(map(askable, odd)):
            await catalogue.source_again(hashes=hashes)
            await self._execute(
                "UPDATE files SET later_hash = hash WHERE later_hash IS NULL "
                "AND hash IS NOT NULL AND later_size = size AND later_time = time"
            )
        elif odd:
            await catalogue.source_named(odd, hashes=hashes)

    async def destination(self, hashes: Sequence[str]) -> None:
        """Raises RcError: it could not be listed."""
        catalogue = self.catalogue
        touched = await self._paths(_WHICH)
        if touched is not None and (self._few(touched) or not self.choice.upload):
            await self._execute(_FORGET)
            await catalogue.destination_named(touched, hashes=hashes)
        else:
            await catalogue.spool.forget_destination()
            await catalogue.destination(hashes=hashes, times=True)
        if not self.choice.upload:
            await self.choice.glance("last")

    def _few(self, objects: Sequence[str]) -> bool:
        """Whether asking for them is cheaper than listing."""
        return len(objects) <= min(MAX_ASKED, self.catalogue.spool.found // LOOKS)

    # The index

    async def learn(self, verdict: Verdict) -> None:
        """Tell the index what is proven now."""
        choice, spool = self.choice, self.catalogue.spool
        if choice.index is None or not verdict.proven or not choice.glanced:
            return
        rules = choice.rules
        times = rules.level is Level.MTIME and not rules.update
        news = False
        async for page in spool.facts(where=f"size IS NOT NULL AND code IS NOT '{KNOWN}'"):
            rows = [verdict.row(each) for each in page]
            proven = [
                (each.path, choice.glanced, each.verified is Verified.HASH)
                for each in rows
                if each is not None and _proven(each, times=times)
            ]
            news = news or bool(proven)
            await spool.do(
                lambda database, proven=proven: database.executemany(  # type: ignore[misc]
                    "INSERT INTO proven VALUES (?, ?, ?)", proven
                )
            )
        if news:
            await choice.index.learn(whole=not self.catalogue.sides.copy.flags.narrows)

    # SQL

    async def _execute(self, statement: str) -> None:
        await self.catalogue.spool.do(lambda database: database.execute(statement))

    async def _paths(self, statement: str) -> list[str] | None:
        """At most `MAX_NAMED`; None for more."""

        def found(database: sqlite3.Connection) -> list[str]:
            rows = database.execute(f"{statement} LIMIT {MAX_NAMED + 1}")
            return [path for (path,) in rows]

        paths = await self.catalogue.spool.do(found)
        return None if len(paths) > MAX_NAMED else paths


def _proven(row: FileRow, *, times: bool) -> bool:
    """Whether both sides of a file were found equal.

    Args:
        times: What counts as unchanged has the same size and time on both.
    """
    if row.code or row.verified is Verified.NOTHING:
        return False
    return row.outcome is Outcome.COPIED or (row.outcome is Outcome.UNCHANGED and times)
