"""The copying: over all files, and again over those that failed and may still succeed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloudcopy.adapters.rclone.ledger import Ledger, Part
from cloudcopy.adapters.rclone.names import Names, odd
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import Reason, fatal, reason
from cloudcopy.adapters.rclone.sides import Sides
from cloudcopy.adapters.rclone.spool import OPEN, Spool
from cloudcopy.adapters.rclone.trees import Patience
from cloudcopy.adapters.rclone.tuner import Tuner
from cloudcopy.domain.compare import Level, level_of
from cloudcopy.domain.ledger import Outcome

AT_ONCE: Final = 50_000  # names in one call: some 10 MB in rclone
_TO_COPY: Final = (Outcome.NEW, Outcome.UPDATE)
_SURE: Final = f"code IS NOT '{OPEN}'"
_UNSURE: Final = f"code = '{OPEN}'"
LOOKS: Final = 20  # one look costs about as much as listing so many
# With them rclone must see what the destination has when it comes to a file.
_LOOKING: Final = frozenset({"--ignore-existing", "--immutable", "--update"})


@dataclass(kw_only=True)
class Passes:
    """The passes of one copy.

    Attributes:
        name: The source is the single file of this name; empty for a directory.
        always: Copy what is named without looking whether the destination has it.
        surveyed: Both sides were listed before: what is marked as to be copied is copied without
            looking, but for what is marked as `OPEN`.
        fresh: And the destination has nothing of the source.
        left: Files that were found to be left as they are, before the first pass.
        group: Of rclone's statistics, for the pass that runs.
        sent_before, bytes_before: Files and bytes of the passes before that one.
        replaced_before: See `Ledger.replaced`.
        unreached: rclone may not have come to every file of the last pass.
    """

    sides: Sides
    spool: Spool
    ledger: Ledger
    names: Names
    patience: Patience
    tuner: Tuner
    name: str
    always: bool = False
    surveyed: bool = False
    fresh: bool = False
    left: int = 0
    group: str = ""
    sent_before: int = 0
    bytes_before: int = 0
    replaced_before: int = 0
    unreached: bool = False
    _refusals: int = field(default=0, init=False)  # in this pass, as far as told
    _refused: bool = field(default=False, init=False)  # one came in the last call
    _stats: dict[str, Any] = field(default_factory=dict, init=False)  # told after the last call

    async def all(self, *, named: bool) -> Reason | None:
        """Copy, and again what failed and may pass; why some of it did not, if so.

        Args:
            named: Only files that are marked as to be copied.
        """
        self.tuner.choose(await self.spool.sizes(_TO_COPY if named else ()))
        while True:
            trouble = await self._pass(named=named)
            failures = await self.spool.failures()
            # It goes on behind a directory of the source that it cannot read, but not behind
            # one of the destination.
            unsaid = bool(trouble) and not failures and not self.ledger.closed
            self.unreached = bool(self.ledger.hopeless or self.ledger.elsewhere or unsaid)
            if self.ledger.hopeless:
                return self.ledger.hopeless
            codes = [each for each in failures if not fatal(each)]
            if not trouble and not codes:
                return None
            known = reason(trouble)
            if failures:  # the call says again what was said of a file, its name in it
                known = replace(known, hopeless=False)
            if not codes and (known.fatal or failures):
                return known if trouble else None
            throttled = known.code == "throttled" or "throttled" in codes
            if throttled and known.code != "throttled":  # the calls told of something else
                self.tuner.called(files=0, bytes=0, seconds=0.0, throttled=True)
            if not await self.patience.wait(self.ledger.round, throttled=throttled, text=trouble):
                return known
            await self.spool.remark(Outcome.FAILED, Outcome.NEW, codes=codes, code=OPEN)
            self.fresh = False
            # What could not be listed is found by going over everything again.
            named = named or not self.ledger.errors

    async def appeared(self) -> None:
        """Bring the files that are marked as to be copied, once."""
        await self._pass(named=True)

    async def _pass(self, *, named: bool) -> str:
        """Go over the files once; rclone's last error text, empty when all went well."""
        before = self.ledger.sent
        self.ledger.begin(Part.COPY)
        self.group, self._refusals, self._stats = f"pass-{self.ledger.round}", 0, {}
        trouble = ""
        if self.name:
            trouble = await self._called(self._single(self.name))
        elif not named:
            sure = self.fresh and self._overwrites
            trouble = await self._called(
                self._tree({"_config": {"NoCheckDest": True}} if sure else {})
            )
        else:
            for which in (_SURE, _UNSURE) if self.surveyed else ("TRUE",):
                async for some in self._chunks(which):
                    if self.ledger.hopeless:
                        break
                    trouble = await self._named(some, self._config(which, len(some))) or trouble
        self.ledger.begin(Part.OTHER)
        stats = self._stats or await self.sides.rc.call("core/stats", group=self.group)
        self.group = ""
        self.sent_before += self.ledger.sent - before
        self.bytes_before += int(str(stats.get("bytes") or 0))
        self.replaced_before = self.ledger.replaced
        return trouble

    @property
    def _overwrites(self) -> bool:
        """Whether a file may be sent without looking for one in its place: the store keeps one
        of each name, and no flag says to leave some."""
        switches = self.sides.copy.flags.switches
        return self.surveyed and not switches & _LOOKING

    def _config(self, which: str, names: int) -> dict[str, bool]:
        """How rclone goes about files that are named."""
        if which == _SURE and self._overwrites:
            # Looking at each object of a store is dearer than listing, from some number on.
            few = self.sides.upload or names * LOOKS < self.spool.found
            return {"NoCheckDest": True, "NoTraverse": few}
        by_time = level_of(self.sides.copy.flags) is Level.MTIME
        if self.surveyed and not (which == _UNSURE and by_time):
            return {"NoTraverse": names * LOOKS < self.spool.found}  # a listing tells enough
        # One look for each file: a listing would show much that is not asked for.
        return {"NoTraverse": True, **({"IgnoreTimes": True} if self.always else {})}

    async def _named(self, names: Sequence[str], config: dict[str, bool]) -> str:
        trouble = ""
        plain = [each for each in names if not odd(each)]
        if plain:
            async with self.names.only(plain) as chosen:
                trouble = await self._called(self._tree({**chosen, "_config": config}))
        for name in names:
            if odd(name) and not self.ledger.hopeless:
                trouble = await self._called(self._single(name)) or trouble
        return trouble

    async def _chunks(self, which: str) -> AsyncIterator[Sequence[str]]:
        some: list[str] = []
        async for page in self.spool.facts(_TO_COPY, where=which):
            some.extend(each.path for each in page)
            if len(some) >= self.tuner.names_at_once(AT_ONCE):
                yield some
                some = []
        if some:
            yield some

    async def _called(self, parameters: tuple[str, dict[str, Any]]) -> str:
        """One call, and what went wrong in it."""
        method, values = parameters
        before = (self.ledger.sent, self.ledger.bytes_sent, self.tuner.monotonic())
        trouble = await self._tried(method, self._tuned(values))
        self.tuner.called(
            files=self.ledger.sent - before[0],
            bytes=self.ledger.bytes_sent - before[1],
            seconds=self.tuner.monotonic() - before[2],
            throttled=self._refused or (bool(trouble) and reason(trouble).code == "throttled"),
        )
        return trouble

    def _tuned(self, values: dict[str, Any]) -> dict[str, Any]:
        """The same call, with as much in flight as is best now."""
        sides = {side: self.tuner.opened(values[side]) for side in ("srcFs", "dstFs")}
        return {**values, **sides, "_config": {**self.tuner.config(), **values.get("_config", {})}}

    async def _tried(self, method: str, values: dict[str, Any]) -> str:
        trouble, self._refused, self._stats = "", False, {}
        try:
            try:
                await self._unless_doomed(method, values)
            except RcError as error:
                trouble = str(error)
                if not self.sides.rc.by_name:
                    return trouble
            stats = await self.sides.rc.call("core/stats", group=self.group)
            self._stats = stats
            # The second mover tells of refusals that it got over by itself; rclone does not.
            refusals = int(str(stats.get("throttled") or 0))
            self._refused = refusals > self._refusals
            self._refusals = refusals
        except RcError as error:
            return trouble or str(error)
        finally:
            await self.ledger.pour(self.spool)
            for directory, why in self.ledger.closed.items():
                await self.spool.close(directory, why.code, why.text)
        # rclone answers "done" although it could not read a directory; its statistics know.
        return trouble or (str(stats.get("lastError") or "error") if stats.get("errors") else "")

    async def _unless_doomed(self, method: str, values: dict[str, Any]) -> None:
        """Hanging up on the call stops what it does."""
        call = asyncio.ensure_future(self.sides.rc.call(method, _group=self.group, **values))
        doomed = asyncio.ensure_future(self.ledger.doomed.wait())
        try:
            await asyncio.wait({call, doomed}, return_when=asyncio.FIRST_COMPLETED)
            if call.done():
                call.result()
        finally:
            if not call.done():
                self.ledger.begin(Part.BROKEN_OFF)
            for each in (call, doomed):
                each.cancel()
            await asyncio.gather(call, doomed, return_exceptions=True)

    def _tree(self, chosen: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "sync/copy", {"srcFs": self.sides.source, "dstFs": self.sides.target, **chosen}

    def _single(self, name: str) -> tuple[str, dict[str, Any]]:
        sides = self.sides
        if self.name:
            fs, remote = sides.file_at_source(self.name)
        else:
            fs, remote = sides.source, name
        return "operations/copyfile", {
            "srcFs": fs,
            "srcRemote": remote,
            "dstFs": sides.target,
            "dstRemote": name,
        }
