"""What a copy has to do, decided before it: both sides listed once, and compared here.

What the listing and the index tell is decided by `domain.compare.decide`. What they do not,
rclone compares by itself, file by file (`spool.OPEN`): the times of objects cost a request each.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cloudcopy.adapters.rclone.catalogue import Catalogue
from cloudcopy.adapters.rclone.facts import Facts, pair
from cloudcopy.adapters.rclone.glance import glances
from cloudcopy.adapters.rclone.index import Index, place
from cloudcopy.adapters.rclone.ledger import Part
from cloudcopy.adapters.rclone.listing import Listed, written
from cloudcopy.adapters.rclone.names import AT_ONCE, MAX_BYTES
from cloudcopy.adapters.rclone.pairs import Eye, Survey, surveyed
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.remotes import has_buckets
from cloudcopy.adapters.rclone.spool import DOUBTFUL, OPEN, PAGE
from cloudcopy.adapters.rclone.walk import LIKELY
from cloudcopy.domain.compare import Decision, Level, Rules, Seen, decide
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.order import Work
from cloudcopy.ports.engine import Copy

_TO_COPY: Final = (Outcome.NEW, Outcome.UPDATE)
_WHERE_DOUBTFUL: Final = f"code = '{DOUBTFUL}'"


def can_choose(copy: Copy, name: str) -> bool:
    """Whether a copy is of the kind that is decided beforehand."""
    flags = copy.flags
    return (
        copy.work is Work.TRANSFER
        and copy.source is None
        and has_buckets(copy.backend)
        and not (name or copy.only or copy.agreed or copy.again)
        and not flags.dry_run
        # It asks for no listing of the destination; and these do not choose by name alone.
        and "--no-traverse" not in flags.switches
        and not flags.chooses
    )


@dataclass(kw_only=True)
class Choice:
    """What was decided.

    Attributes:
        glanced: When the instance's files were looked at last, by the clock that sets their
            times; 0 for never.
        fresh: The destination has nothing of the source.
        open: Files that rclone is to compare.
        touched: Files that are to be copied, or to be compared.
        left: Files that stay as they are.
    """

    catalogue: Catalogue
    rules: Rules
    index: Index | None
    work_dir: Path
    glanced: int = 0
    fresh: bool = False
    open: int = 0
    touched: int = 0
    left: int = 0

    @property
    def upload(self) -> bool:
        return self.catalogue.sides.upload

    async def glance(self, table: str, *, mark: bool = False) -> bool:
        """Look at the instance's files; see `glance`. Whether nothing was left out.

        Args:
            mark: As skipped what cannot be copied.
        """
        spool = self.catalogue.spool
        now = self.work_dir / "now"
        await asyncio.to_thread(now.touch)
        self.glanced = now.stat().st_mtime_ns

        below: list[str] = []
        by_name = self.catalogue.sides.rc.by_name

        def enter(name: str) -> bool:
            if self.upload and by_name and len(below) <= LIKELY:
                below.append(name)
            return self.upload or spool.soon(name)

        found = glances(self.catalogue.sides.rc.shown, enter)
        statement = f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)"  # noqa: S608
        whole = True
        while batch := await asyncio.to_thread(next, found, None):
            whole = whole and batch.whole
            files = batch.files
            await spool.do(lambda database, rows=files: database.executemany(statement, rows))  # type: ignore[misc]
            if mark:
                await spool.mark(
                    FileRow(path, Outcome.SKIPPED, -1, *why) for path, why in batch.others
                )
        self.catalogue.likely = below if len(below) <= LIKELY else ()
        return whole

    async def _source(self, hashes: Sequence[str], *, whole: bool) -> None:
        """List the source, unless the glances have everything of it.

        Raises:
            RcError: it could not be listed.
        """
        spool = self.catalogue.spool
        if not whole:
            await self.catalogue.source(hashes=hashes)
            return
        after = ""
        while True:
            page = await spool.do(
                lambda database, after=after: database.execute(  # type: ignore[misc]
                    "SELECT path, size, mtime FROM first WHERE path > ? ORDER BY path LIMIT ?",
                    (after, PAGE),
                ).fetchall()
            )
            if not page:
                return
            await spool.source(
                [Listed(path, size, written(mtime), {}) for path, size, mtime in page]
            )
            after = page[-1][0]

    # Listing

    async def look(self) -> None:
        """List both sides, and decide.

        Raises:
            RcError: the source could not be listed.
            Unseen: the destination could not be; it is as if nobody had looked.
        """
        catalogue, spool = self.catalogue, self.catalogue.spool
        hashes = (spool.kind,) if spool.kind else ()

        async def known(name: str) -> bool:
            return await spool.has_directory(name, table="first" if self.upload else "files")

        if self.upload:
            plain = not catalogue.sides.copy.flags.narrows
            whole = await self.glance("first", mark=plain) and plain
        else:
            await catalogue.source(hashes=hashes)
            catalogue.ledger.begin(Part.OTHER)
        there = asyncio.create_task(catalogue.destination_before(known, hashes=hashes))
        try:
            if self.upload:
                await self._source(hashes, whole=whole)
            else:
                await self.glance("first")
            await asyncio.wait({there})
        finally:
            there.cancel()
            unseen = (await asyncio.gather(there, return_exceptions=True))[0]
        if isinstance(unseen, RcError):
            await spool.forget_destination()
            raise Unseen from unseen
        if unseen is not None:
            raise unseen
        spool.there = 0  # what the destination has besides was not counted
        catalogue.ledger.begin(Part.OTHER)
        catalogue.ledger.take()
        await self._decide()

    async def _decide(self) -> None:
        spool, rules = self.catalogue.spool, self.rules
        if self.index and rules.level is Level.MTIME:
            await self.index.tell(doubts=not rules.update)
        if self.index and rules.level is Level.CHECKSUM and not rules.update:
            near, far = ("size", "there_") if self.upload else ("there_size", "")
            await spool.do(
                lambda database: database.execute(
                    "UPDATE files SET outcome = ?, code = ? WHERE outcome IS NULL "  # noqa: S608
                    f"AND {near} = {far}size AND {far}hash <> ''",
                    (Outcome.UPDATE, DOUBTFUL),
                )
            )
        await self._read()
        both = surveyed(
            self.catalogue.sides,
            spool,
            self.catalogue.ledger,
            self.catalogue.here,
            self.catalogue.there,
            by_hash=True,
        )
        async for page in spool.facts(where="outcome IS NULL AND size IS NOT NULL"):
            await spool.mark(self._row(each, both.source, both.destination) for each in page)
        await self._count()

    async def close(self, both: Survey) -> None:
        """Decide what is left to rclone, too, for a mover that compares nothing.

        Raises:
            RcError: a side could not be asked.
        """
        if self.open:
            await both.close(self.rules)
            await self._count()

    async def _count(self) -> None:
        spool = self.catalogue.spool
        counts = await spool.do(
            lambda database: {
                (outcome, code): count
                for outcome, code, count in database.execute(
                    "SELECT outcome, code, count(*) FROM files WHERE outcome IS NOT NULL "
                    "GROUP BY outcome, code"
                )
            }
        )
        new = counts.get((Outcome.NEW, ""), 0)
        self.open = counts.get((Outcome.UPDATE, OPEN), 0)
        self.touched = sum(n for (outcome, _), n in counts.items() if outcome in _TO_COPY)
        self.left = sum(
            n for (outcome, _), n in counts.items() if outcome in (Outcome.UNCHANGED, Outcome.KEPT)
        )
        self.fresh = new == spool.found

    def _row(self, facts: Facts, source: Eye, destination: Eye) -> FileRow:
        both = pair(facts, self.catalogue.spool.kind)
        ours, theirs = both.source, both.destination
        size = -1 if facts.size is None else facts.size
        there = destination.seen(theirs) if theirs else None
        answer = decide(source.seen(ours) if ours else Seen(size), there, self.rules)
        if isinstance(answer, Decision):
            return FileRow(facts.path, answer.outcome, size, answer.code, answer.why)
        return FileRow(facts.path, Outcome.UPDATE, size, OPEN)

    # Reading

    async def _read(self) -> None:
        """Decide what is doubtful: read the instance's files, and compare their hashes."""
        catalogue, spool = self.catalogue, self.catalogue.spool
        catalogue.ledger.begin(Part.HASH)
        async for some in self._doubtful():
            paths = [each.path for each in some]
            try:
                read = await catalogue.read(paths, hash=spool.kind, destination=not self.upload)
            except RcError:
                read = ()
            hashes = {each.path: each.hashes.get(spool.kind, "") for each in read}
            await spool.hashes(
                [each for each in hashes.items() if each[1]], destination=not self.upload
            )
            await spool.mark(self._compared(each, hashes.get(each.path, "")) for each in some)
        catalogue.ledger.begin(Part.OTHER)
        catalogue.ledger.take()  # a file that cannot be read is told by the copy

    def _compared(self, facts: Facts, hash: str) -> FileRow:
        size = -1 if facts.size is None else facts.size
        listed = facts.there_hash if self.upload else facts.hash
        if not hash:
            return FileRow(facts.path, Outcome.UPDATE, size, OPEN)
        rules = replace(self.rules, level=Level.CHECKSUM)
        answer = decide(Seen(size, hash=hash), Seen(size, hash=listed or ""), rules)
        if not isinstance(answer, Decision):
            raise TypeError(answer)  # it was told both hashes
        return FileRow(facts.path, answer.outcome, size, answer.code, answer.why)

    async def _doubtful(self) -> AsyncIterator[Sequence[Facts]]:
        some: list[Facts] = []
        size = 0
        async for page in self.catalogue.spool.facts([Outcome.UPDATE], where=_WHERE_DOUBTFUL):
            for facts in page:
                if some and (len(some) == AT_ONCE or size + (facts.size or 0) > MAX_BYTES):
                    yield some
                    some, size = [], 0
                some.append(facts)
                size += facts.size or 0
        if some:
            yield some


class Unseen(Exception):
    """The destination could not be listed before the copy."""


def chosen(catalogue: Catalogue, directory: Path, work_dir: Path, window: int | None) -> Choice:
    """A choice that nothing was looked at for yet.

    Args:
        directory: Of all indexes.
        work_dir: Private to this copy.
    """
    copy, kind = catalogue.sides.copy, catalogue.spool.kind
    listed = kind and not (catalogue.there if catalogue.sides.upload else catalogue.here).slow_hash
    index = (
        Index(
            path=place(directory, copy, kind),
            spool=catalogue.spool,
            upload=catalogue.sides.upload,
        )
        if listed
        else None
    )
    rules = Rules.of(copy.flags, window=window)
    return Choice(catalogue=catalogue, rules=rules, index=index, work_dir=work_dir)
