"""How far a running copy is, looked at about once a second, and how fast it may go."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.limiter import Limiter
from cloudcopy.adapters.rclone.process import Daemon
from cloudcopy.adapters.rclone.rc import Gone, RcError
from cloudcopy.adapters.rclone.run import Run
from cloudcopy.adapters.rclone.speed import Speed
from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.progress import CurrentFile, Phase, Progress
from cloudcopy.ports.engine import Copy

MAX_CURRENT: Final = 8  # files in flight that are shown
LIVE_LOG: Final = 10  # lines of the log that go with the numbers
ANSWER_SECONDS: Final = 1.0  # for a look at the numbers; an rclone that hangs has none
_BWLIMIT: Final = "--bwlimit"


class Pace:
    """The bandwidth limit of a running rclone."""

    def __init__(self, rc: Daemon, copy: Copy) -> None:
        self._rc = rc
        self._wanted = copy.pace
        self._own = dict(copy.flags.values).get(_BWLIMIT, "off")
        self._now: int | None = None

    async def keep(self) -> None:
        """Set the limit that is wanted now, if it is another one. An rclone that does not
        answer is told again the next time."""
        wanted = self._wanted()
        if wanted == self._now:
            return
        rate = self._own if wanted is None else f"{wanted}B" if wanted else "off"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._rc.call("core/bwlimit", rate=rate)
        except (RcError, Gone, TimeoutError):
            return
        self._now = wanted


class Gauge:
    """The numbers of one attempt."""

    def __init__(self, run: Run, limiter: Limiter, monotonic: Callable[[], float]) -> None:
        self._run = run
        self._limiter = limiter
        self._monotonic = monotonic
        self._speed = Speed()
        self._counting: asyncio.Task[None] | None = None
        self._failed = self._retried = self._skipped = self._left_out = 0

    async def read(self) -> Progress:
        """The latest numbers; older ones where rclone does not answer at once."""
        await self._count()
        stats = await self._stats()
        run, ledger, spool = self._run, self._run.ledger, self._run.spool
        passes, proof = run.passes, run.proof
        sent_before, bytes_before = (passes.sent_before, passes.bytes_before) if passes else (0, 0)
        bytes_copied = bytes_before + int(stats.get("bytes") or 0)
        bytes_to_copy = max(bytes_copied, bytes_before + int(stats.get("totalBytes") or 0))
        if passes and "checks" in stats:
            replaced = ledger.replaced - passes.replaced_before
            self._left_out = max(0, int(stats["checks"] or 0) - replaced)
        moving = run.phase is Phase.TRANSFERRING
        limited_by = ""
        if moving:
            self._speed.at(self._monotonic(), bytes_copied)
            limited_by = await self._limiter.look(
                rate=self._speed.rate,
                copied=ledger.sent,
                in_flight=len(stats.get("transferring") or []),
            )
        return Progress(
            phase=run.phase,
            found=spool.found,
            to_copy=max(ledger.sent, sent_before + int(stats.get("totalTransfers") or 0)),
            copied=ledger.sent,
            skipped=self._skipped + self._left_out + (passes.left if passes else 0),
            failed=self._failed,
            retried=self._retried,
            verified=run.verified + (proof.verified if proof else 0),
            bytes_found=spool.bytes_found,
            bytes_to_copy=bytes_to_copy,
            bytes_copied=bytes_copied,
            bytes_verified=run.bytes_verified + (proof.bytes_verified if proof else 0),
            rate=self._speed.rate if moving else 0.0,
            eta_seconds=self._speed.eta(bytes_to_copy - bytes_copied) if moving else None,
            current=_current(stats),
            limited_by=limited_by,
            log=_latest(ledger),
        )

    async def _stats(self) -> dict[str, Any]:
        group = self._run.passes.group if self._run.passes else ""
        if not group:
            return {}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._run.rc.call("core/stats", group=group)
        except (RcError, Gone, TimeoutError):
            return {}

    async def _count(self) -> None:
        """Pour the log into the spool and count there; not waited for while that is busy."""
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._recount())
        await asyncio.wait({self._counting}, timeout=ANSWER_SECONDS)

    async def _recount(self) -> None:
        spool = self._run.spool
        await self._run.ledger.pour(spool)
        self._failed = await spool.count(Outcome.FAILED)
        self._skipped = await spool.count(Outcome.SKIPPED)
        self._retried = await spool.retried()

    @property
    def limited_by(self) -> str:
        """For most of the time in which files were moved; empty for a short copy."""
        return self._limiter.mostly

    async def close(self) -> None:
        if self._counting:
            await asyncio.gather(self._counting, return_exceptions=True)


def _current(stats: dict[str, Any]) -> tuple[CurrentFile, ...]:
    flying = stats.get("transferring") or []
    return tuple(
        CurrentFile(
            str(each.get("name", "")), int(each.get("bytes") or 0), int(each.get("size") or -1)
        )
        for each in flying[:MAX_CURRENT]
    )


def _latest(ledger: Ledger) -> tuple[str, ...]:
    return ledger.log[-LIVE_LOG:]
