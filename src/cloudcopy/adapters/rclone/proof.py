"""After the copy: what both sides have now, and the hashes of what was sent."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cloudcopy.adapters.rclone.afterwards import Afterwards
from cloudcopy.adapters.rclone.catalogue import Catalogue
from cloudcopy.adapters.rclone.facts import Facts
from cloudcopy.adapters.rclone.ledger import Part
from cloudcopy.adapters.rclone.names import AT_ONCE, MAX_BYTES
from cloudcopy.adapters.rclone.passes import Passes
from cloudcopy.adapters.rclone.spool import OPEN
from cloudcopy.adapters.rclone.verdict import TOUCHED
from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.order import Verify

PARALLEL: Final = 4  # listings that read files for their hashes, at once
_LEFT_ALONE: Final = (Outcome.SKIPPED, Outcome.KEPT, Outcome.DELETE)


@dataclass(kw_only=True)
class Proof:
    """Gathers the facts of a proof; `verdict` judges them.

    Attributes:
        again: Files that count as unchanged are proven, too: an earlier try of this copy may
            have sent them, and did not live to prove them.
        afterwards: Of a copy that was decided beforehand.
        verified, bytes_verified: Files that were looked at, so far.
    """

    catalogue: Catalogue
    passes: Passes
    verify: Verify
    again: bool = False
    afterwards: Afterwards | None = None
    verified: int = field(default=0, init=False)
    bytes_verified: int = field(default=0, init=False)

    async def gather(self, *, bring: bool) -> None:
        """List both sides again.

        Args:
            bring: Files that appeared during the copy are copied, too, in one more pass.
                What comes even later is left for the next copy.

        Raises:
            RcError: a side could not be listed.
        """
        catalogue, spool = self.catalogue, self.catalogue.spool
        touched = bring or self.again or await self._any_touched()
        wanted = self.verify is Verify.HASH and bool(spool.kind) and touched
        hashes = (spool.kind,) if wanted else ()
        chosen = self.afterwards
        if chosen and not await self._any_touched():
            await chosen.untouched()
            return
        await (chosen.source(hashes) if chosen else catalogue.source_again(hashes=hashes))
        if bring and await spool.appeared():
            await self.passes.appeared()
        await (chosen.destination(hashes) if chosen else catalogue.destination(hashes=hashes))
        if not wanted:
            return
        catalogue.ledger.begin(Part.HASH)
        if catalogue.there.slow_hash:
            await self._read(destination=True)
        if catalogue.here.slow_hash:
            await self._read(destination=False)
        catalogue.ledger.begin(Part.OTHER)
        await catalogue.ledger.pour(spool)

    async def _any_touched(self) -> bool:
        async for _ in self.catalogue.spool.facts(TOUCHED):
            return True
        return False

    async def _read(self, *, destination: bool) -> None:
        """Have one side's files read, those for which the other side may have a hash."""
        turns = asyncio.Semaphore(PARALLEL)

        async def one(some: Sequence[Facts]) -> None:
            try:
                await self._hash(some, destination=destination)
            finally:
                turns.release()

        try:
            async with asyncio.TaskGroup() as group:
                async for some in self._chunks(destination=destination):
                    await turns.acquire()
                    group.create_task(one(some))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _chunks(self, *, destination: bool) -> AsyncIterator[Sequence[Facts]]:
        catalogue = self.catalogue
        other_is_slow = catalogue.here.slow_hash if destination else False
        some: list[Facts] = []
        size = 0
        async for page in catalogue.spool.facts(() if self.again else TOUCHED):
            for facts in page:
                if facts.outcome in _LEFT_ALONE or (facts.code == OPEN and not facts.tries):
                    continue
                other = facts.later_hash if destination else facts.there_hash
                if facts.later_size is None or facts.there_size != facts.later_size:
                    continue  # wrong already
                if not other and not other_is_slow:
                    continue  # nothing to compare it with
                if some and (len(some) == AT_ONCE or size + facts.there_size > MAX_BYTES):
                    yield some
                    some, size = [], 0
                some.append(facts)
                size += facts.there_size
        if some:
            yield some

    async def _hash(self, some: Sequence[Facts], *, destination: bool) -> None:
        catalogue, kind = self.catalogue, self.catalogue.spool.kind
        found = await catalogue.read(
            [each.path for each in some], hash=kind, destination=destination
        )
        await catalogue.spool.hashes(
            [(each.path, each.hashes[kind]) for each in found if kind in each.hashes],
            destination=destination,
            later=not destination,
        )
        self.verified += len(some)
        self.bytes_verified += sum(max(0, each.there_size or 0) for each in some)
