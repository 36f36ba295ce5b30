"""The steps of one copy inside a running rclone: prove, copy, compare."""

import asyncio
from dataclasses import replace
from typing import Any, Final

from cloudcopy.adapters.rclone import comparison
from cloudcopy.adapters.rclone.comparison import Comparison
from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.process import Daemon
from cloudcopy.adapters.rclone.rc import Gone, RcError
from cloudcopy.adapters.rclone.reasons import Reason, reason
from cloudcopy.adapters.rclone.sides import Sides
from cloudcopy.adapters.rclone.verdict import judge, rehearsed
from cloudcopy.domain.progress import CurrentFile, Phase, Progress, Result
from cloudcopy.ports.engine import Broken, Copy, Done, End

PASSES: Final = 3  # over the files that failed; rclone's own default for --retries
MAX_CURRENT: Final = 8  # files in flight that are shown
LIVE_LOG: Final = 10  # lines of the log that go with the numbers
ANSWER_SECONDS: Final = 1.0  # for a look at the numbers; an rclone that hangs has none


class Run:
    """One copy. `whole` does it; `progress` may be asked at any time meanwhile."""

    def __init__(self, started: Daemon, copy: Copy, ledger: Ledger) -> None:
        self._rc = started
        self._sides = Sides(started, copy)
        self._flags = copy.flags
        self._ledger = ledger
        self._phase = Phase.PREPARING
        self._group = ""

    async def whole(self) -> End:
        """Raises RcError where the copy could not even begin, Gone when rclone ended."""
        name = await self._sides.single_file()
        if name and self._flags.narrows:
            return failed(_FILTERS_ON_FILE)
        missing = await self._sides.bucket_missing()
        if missing:
            return failed(missing)
        self._phase = Phase.TRANSFERRING
        trouble = await self._transfer(name)
        if self._flags.dry_run:
            return await self._present(await self._rehearsed(trouble))
        if trouble and not self._ledger.sent:
            # Without a file there is nothing to compare; is there a source at all?
            absent = await self._sides.source_missing()
            if absent:
                return failed(absent)
        self._phase = Phase.VERIFYING
        compared = await (comparison.file(self._sides, name) if name else self._compare())
        return await self._present(
            judge(self._ledger, compared, flags=self._flags, trouble=trouble)
        )

    async def _present(self, end: End) -> End:
        if not isinstance(end, Done) or end.result.listed:
            return end
        absent = await self._sides.source_missing()
        return failed(absent) if absent else end

    # Copy

    async def _transfer(self, name: str) -> str:
        """Copy, and again what failed; rclone's last error text, empty when all went well."""
        trouble = ""
        for _ in range(PASSES):
            trouble = await self._pass(name)
            if not trouble or reason(trouble).fatal:
                break
        return trouble

    async def _pass(self, name: str) -> str:
        """Go over all files once; what is there already costs a look."""
        self._group = f"pass-{self._ledger.begin_pass()}"
        try:
            await self._copy_once(name)
            stats = await self._rc.call("core/stats", group=self._group)
        except RcError as error:
            return str(error)
        finally:
            self._ledger.end_pass()
        # rclone answers "done" although it could not read a directory; its statistics know.
        return str(stats.get("lastError") or "error") if stats.get("errors") else ""

    async def _copy_once(self, name: str) -> None:
        sides, group = self._sides, self._group
        if not name:
            await self._rc.call("sync/copy", srcFs=sides.source, dstFs=sides.target, _group=group)
        elif sides.upload:
            await self._rc.call(
                "operations/copyfile",
                srcFs=sides.data,
                srcRemote=name,
                dstFs=sides.there,
                dstRemote=name,
                _group=group,
            )
        else:
            await self._rc.call(
                "operations/copyfile",
                srcFs=sides.cloud_root,
                srcRemote=sides.copy.remote.value,
                dstFs=sides.data,
                dstRemote=name,
                _group=group,
            )

    # Compare

    async def _compare(self) -> Comparison:
        """Every file of the source against the destination.

        By hash where both sides have one in common and something was copied. When nothing
        was, the copy itself has just compared everything the way it was asked to.

        A file that is not there, and that rclone did not fail on, may have come to the
        source after it was listed: one more pass brings it. What is missing only then came
        even later, and is left for the next copy.
        """
        by_size = not self._ledger.sent or "--size-only" in self._flags.switches
        first = await comparison.trees(self._sides, by_size=by_size)
        if not first.missing or self._ledger.failures:
            return first
        await self._pass("")
        second = await comparison.trees(self._sides, by_size=by_size)
        still = frozenset(first.missing)
        missing = tuple(name for name in second.missing if name in still)
        return replace(second, missing=missing, appeared=len(second.missing) - len(missing))

    async def _rehearsed(self, trouble: str) -> End:
        stats = await self._rc.call("core/stats", group=self._group)
        already = int(str(stats.get("checks") or 0))
        return rehearsed(self._ledger, already=already, trouble=trouble)

    # Tell

    async def progress(self) -> Progress:
        """The latest numbers; empty ones when rclone does not answer at once."""
        group = comparison.GROUP if self._phase is Phase.VERIFYING else self._group
        if not group:
            return Progress(phase=self._phase, log=self._ledger.log[-LIVE_LOG:])
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                stats = await self._rc.call("core/stats", group=group)
        except (RcError, Gone, TimeoutError):
            return Progress(phase=self._phase, log=self._ledger.log[-LIVE_LOG:])
        return _progress(self._phase, stats, self._ledger)


def failed(why: Reason) -> Broken:
    """The end of a copy that could not begin."""
    return Broken(f"{why.text}. {why.cure}", Result())


_FILTERS_ON_FILE: Final = Reason(
    "filters_on_file",
    "the source is a single file, and filters choose among files of a directory",
    "Leave the filters out, or name the directory.",
)


def _progress(phase: Phase, stats: dict[str, Any], ledger: Ledger) -> Progress:
    flying = stats.get("transferring") or []
    return Progress(
        phase=phase,
        files_done=ledger.sent,
        files_total=max(ledger.sent, int(stats.get("totalTransfers") or 0)),
        bytes_done=int(stats.get("bytes") or 0),
        bytes_total=int(stats.get("totalBytes") or 0),
        rate=float(stats.get("speed") or 0.0),
        eta_seconds=int(stats["eta"]) if stats.get("eta") is not None else None,
        errors=int(stats.get("errors") or 0),
        current=tuple(
            CurrentFile(
                str(each.get("name", "")), int(each.get("bytes") or 0), int(each.get("size") or -1)
            )
            for each in flying[:MAX_CURRENT]
        ),
        log=ledger.log[-LIVE_LOG:],
    )
