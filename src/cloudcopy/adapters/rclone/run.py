"""The steps of one attempt inside a running rclone: prove, list, copy, compare, judge."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudcopy.adapters.rclone import ending, survey
from cloudcopy.adapters.rclone.account import account
from cloudcopy.adapters.rclone.afterwards import Afterwards
from cloudcopy.adapters.rclone.catalogue import Catalogue
from cloudcopy.adapters.rclone.choice import Choice, Unseen, can_choose, chosen
from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.listing import MANY, Side, shared_hash
from cloudcopy.adapters.rclone.names import Names
from cloudcopy.adapters.rclone.pairs import decided, surveyed
from cloudcopy.adapters.rclone.passes import Passes
from cloudcopy.adapters.rclone.process import Daemon
from cloudcopy.adapters.rclone.proof import Proof
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import MAX_TRANSFER, Reason, reason
from cloudcopy.adapters.rclone.sides import NOT_THERE, Sides
from cloudcopy.adapters.rclone.spool import Spool
from cloudcopy.adapters.rclone.trees import Patience
from cloudcopy.adapters.rclone.tuner import Tuner
from cloudcopy.adapters.rclone.verdict import Verdict, keeps, rehearsed
from cloudcopy.adapters.rclone.walk import top
from cloudcopy.domain.compare import Level, Rules, level_of
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.order import Mode, Work
from cloudcopy.domain.progress import Phase, Result
from cloudcopy.ports.engine import Broken, Copy, Done, End


@dataclass(kw_only=True)
class Run:
    """One attempt. `whole` does it; the rest may be looked at meanwhile (`gauge`).

    Attributes:
        index: The directory of all indexes (`rclone.index`).
    """

    rc: Daemon
    copy: Copy
    ledger: Ledger
    spool: Spool
    patience: Patience
    tuner: Tuner
    pace: Callable[[], Awaitable[None]]
    index: Path
    phase: Phase = Phase.PREPARING
    passes: Passes | None = None
    proof: Proof | None = None
    choice: Choice | None = None
    listed: bool = False
    verified: int = 0
    bytes_verified: int = 0

    async def whole(self) -> End:
        """Raises RcError where it could not even begin, Gone when rclone ended."""
        sides = Sides(self.rc, self.copy)
        try:
            return await self._whole(sides)
        finally:
            await sides.ahead.leave()

    async def _whole(self, sides: Sides) -> End:
        began = self.tuner.monotonic()
        if self.rc.by_name and not self.rc.single_file and can_choose(self.copy, ""):
            # As `choice` lists it; what the second mover's sides are is known.
            first = top(sides.there, hashes=("md5",), server_times=True, everything=sides.upload)
            sides.ahead.begin("operations/list", **first)
        name = await sides.single_file()
        self.ledger.name = name
        if name and self.copy.flags.narrows:
            return ending.refused(_FILTERS_ON_FILE)
        missing = await sides.bucket_missing()
        took = self.tuner.monotonic() - began
        if not sides.upload or await _quick(sides):
            self.tuner.asked(took)
        if missing:
            return ending.refused(missing)
        if self.copy.work is Work.PLAN:
            return await survey.plan(sides, self.spool, self.ledger, self._told, name=name)
        if self.copy.work is Work.CHECK:
            return await survey.check(sides, self.spool, self.ledger, self._told, name=name)
        return await self._transfer(sides, name)

    def _told(self, files: int, size: int) -> None:
        self.phase = Phase.VERIFYING
        self.verified += files
        self.bytes_verified += size

    async def _transfer(self, sides: Sides, name: str) -> End:
        here, there = await sides.kinds()
        asked = "--checkers" in dict(self.copy.flags.values)
        names = Names(self.rc, at_once=None if asked else MANY)
        catalogue = Catalogue(
            sides=sides,
            spool=self.spool,
            ledger=self.ledger,
            names=names,
            patience=self.patience,
            name=name,
            only=self.copy.only,
            here=here,
            there=there,
        )
        self.passes = Passes(
            sides=sides,
            spool=self.spool,
            ledger=self.ledger,
            names=names,
            patience=self.patience,
            tuner=self.tuner,
            name=name,
            always=self.copy.agreed is not None,
        )
        refused = await self._prepare(sides, catalogue)
        if refused:
            return refused
        self.listed = True
        if self.rc.by_name and self.copy.agreed is None:
            await self._decide(sides, catalogue)
        choice = self.choice
        self.phase = Phase.TRANSFERRING
        await self.pace()
        trouble = None
        if choice:
            self.passes.surveyed = True
            self.passes.fresh, self.passes.left = choice.fresh, choice.left
        if choice.touched if choice else self.spool.found:
            named = self.rc.by_name or self.copy.only is not None or self.copy.agreed is not None
            trouble = await self.passes.all(named=named or bool(choice and not choice.fresh))
        if self.copy.flags.dry_run:
            sums = await account(self.spool, rehearsed, self.copy.ledger)
            return ending.end(ending.rehearsal(sums, self.ledger), trouble)
        return await self._judge(sides, catalogue, self.passes, trouble)

    async def _decide(self, sides: Sides, catalogue: Catalogue) -> None:
        """Mark what is to be copied, and what is left: the mover copies what is named."""
        here, there = catalogue.here, catalogue.there
        if self.choice:
            both = surveyed(sides, self.spool, self.ledger, here, there, by_hash=True)
            await self.choice.close(both)
            return
        by_hash = level_of(self.copy.flags) is Level.CHECKSUM
        both = surveyed(
            sides, self.spool, self.ledger, here, there, name=catalogue.name, by_hash=by_hash
        )
        await catalogue.destination(hashes=(self.spool.kind,) if by_hash else (), times=True)
        await both.mark(Rules.of(self.copy.flags, window=both.window), decided, _untold)
        await self.spool.forget_destination()

    # Prepare

    async def _prepare(self, sides: Sides, catalogue: Catalogue) -> End | None:
        """List what the copy is about; the end, if it cannot be done."""
        one, other = catalogue.here, catalogue.there
        local, cloud = (one, other) if sides.upload else (other, one)
        self.spool.kind = shared_hash(local, cloud)
        if self.copy.agreed and not self.copy.only:
            return await self._disagreement(sides, self.copy.agreed, name=catalogue.name)
        try:
            await self._list(sides, catalogue)
        except RcError as error:
            known = reason(str(error))
            absent = await sides.source_missing() if known.code in NOT_THERE else None
            return ending.refused(absent or known)
        if self.spool.found or self.copy.only:
            return None
        absent = await sides.source_missing()
        return ending.refused(absent) if absent else None

    async def _list(self, sides: Sides, catalogue: Catalogue) -> None:
        """Raises RcError: the source could not be listed."""
        if not can_choose(self.copy, catalogue.name):
            await catalogue.source()
            return
        both = surveyed(sides, self.spool, self.ledger, catalogue.here, catalogue.there)
        choice = chosen(catalogue, self.index, self.rc.run_dir.parent, both.window)
        with contextlib.suppress(Unseen):  # rclone looks, then
            await choice.look()
            self.choice = choice

    async def _disagreement(
        self, sides: Sides, agreed: tuple[str, str], *, name: str
    ) -> End | None:
        """Plan again; the end, if that comes to anything else than what was agreed to."""
        end = await survey.plan(sides, self.spool, self.ledger, _in_silence, name=name)
        await asyncio.to_thread(self.copy.ledger.unlink, missing_ok=True)
        if not isinstance(end, Done):
            return end
        digests = (end.result.digests.source, end.result.digests.destination)
        both = zip(("source", "destination"), digests, agreed, strict=True)
        changed = [side for side, now, then in both if now != then]
        if not changed:
            return None
        if self.copy.again:
            return ending.refused(_HALF_DONE)
        # What is to become of a file is in both digests.
        which = f"the {changed[0]}" if len(changed) == 1 else "one side or both"
        return ending.refused(
            Reason(
                "plan_outdated",
                f"{which} changed since the plan was made; nothing was done",
                "Make a new plan.",
            )
        )

    # Judge

    async def _judge(
        self, sides: Sides, catalogue: Catalogue, passes: Passes, trouble: Reason | None
    ) -> End:
        self.phase = Phase.VERIFYING
        copy = self.copy
        self.proof = Proof(
            catalogue=catalogue,
            passes=passes,
            verify=copy.verify,
            again=copy.again,
            afterwards=Afterwards(choice=self.choice, catalogue=catalogue) if self.choice else None,
        )
        named = bool(catalogue.name) or copy.only is not None or copy.agreed is not None
        proven = True
        try:
            if copy.agreed:
                await self.spool.forget_destination()
            await self.proof.gather(bring=trouble is None and not named)
            await catalogue.unnamed()
            if passes.unreached and not _helpless(trouble):
                here, there = catalogue.here, catalogue.there
                both = surveyed(sides, self.spool, self.ledger, here, there, name=catalogue.name)
                await both.settle(Rules.of(copy.flags, window=both.window))
        except RcError as error:
            proven = False
            trouble = trouble or reason(str(error))
        verdict = Verdict(
            proven=proven,
            verify=copy.verify,
            keeps=keeps(copy.flags),
            planned=copy.agreed is not None or self.choice is not None,
            trouble=trouble,
            unreached=passes.unreached,
            content=level_of(copy.flags) in (Level.MTIME, Level.CHECKSUM),
        )
        if copy.mode is Mode.MIRROR and copy.agreed and trouble is None:
            await self._delete(sides, catalogue.there, verdict)
        sums = await account(self.spool, verdict.row, copy.ledger)
        if self.proof.afterwards:
            await self.proof.afterwards.learn(verdict)
        done = ending.result(sums, self.ledger, kind=self.spool.kind, there=self.spool.there)
        return ending.end(done, trouble)

    async def _delete(self, sides: Sides, there: Side, verdict: Verdict) -> None:
        """What only the destination has, once everything else is there and proven."""
        sums = await account(self.spool, verdict.row, None)
        if sums.wrong - sums.codes["not_deleted"]:
            return
        async for page in self.spool.facts([Outcome.DELETE]):
            failed = await survey.delete(sides, there, page)
            rows = []
            for each in page:
                why = failed.get(each.path)
                size = -1 if each.marked_size is None else each.marked_size
                rows.append(
                    FileRow(each.path, Outcome.FAILED, size, why.code, why.text)
                    if why
                    else FileRow(each.path, Outcome.DELETED, size)
                )
            await self.spool.mark(rows)

    # Cut short

    async def unfinished(self, trouble: Reason | None) -> Result:
        """What was done when the attempt was cut short.

        Its ledger is written only where the source had been listed whole: the files that
        failed must be all there is left to do.
        """
        await self.ledger.pour(self.spool)
        if not self.spool.found:
            return Result(log=self.ledger.log)
        if self.copy.work is not Work.TRANSFER or self.copy.flags.dry_run:
            sums = await account(self.spool, lambda facts: facts.marked(), self.copy.ledger)
        else:
            verdict = Verdict(proven=False, verify=self.copy.verify, trouble=trouble)
            ledger = self.copy.ledger if self.listed else None
            sums = await account(self.spool, verdict.row, ledger)
        return ending.result(sums, self.ledger, kind=self.spool.kind)

    async def broken(self, why: Reason) -> Broken:
        """The end of an attempt that broke off for a reason outside of single files."""
        done = await self.unfinished(why)
        return Broken(str(why), done) if done.found else ending.refused(why)


async def _quick(sides: Sides) -> bool:
    """Whether the store had hardly anything to do for its first answer."""
    told = await sides.ahead.answer()
    return told is None or (bool(told.get("whole")) and len(told["list"]) <= _QUICK)


def _untold(files: int, size: int) -> None:
    """What is compared before a copy is no proof of anything after it."""


def _helpless(trouble: Reason | None) -> bool:
    """Whether nothing more can be asked of the store."""
    return trouble is not None and trouble.hopeless and trouble.code != MAX_TRANSFER


def _in_silence(files: int, size: int) -> None:
    """What is compared before a plan is carried out is no proof of anything after it."""


_QUICK: Final = 100  # entries of a listing
_HALF_DONE: Final = Reason(
    "plan_outdated",
    "an earlier attempt carried out a part of the plan, or one side changed since; a plan is "
    "carried out in one go, and this attempt did nothing",
    "Make a new plan: it lists what is left.",
)
_FILTERS_ON_FILE: Final = Reason(
    "filters_on_file",
    "the source is a single file, and filters choose among files of a directory",
    "Leave the filters out, or name the directory.",
)
