"""What one agent says of the beginning and the end of its attempts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from cloudcopy.control import rechecks, reports, sweeps
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import Phase
from cloudcopy.domain.transfer import Transfer
from cloudcopy.http.services import Services
from cloudcopy.wire import agent as wire

MAX_ENDING: Final = 256  # reports of one agent in hand; more are left for their repetition


@dataclass(frozen=True, slots=True)
class Ends:
    """Of one socket."""

    app: Services
    machine: MachineId
    send: Callable[[wire.Message], Awaitable[object]]
    _reporting: set[tuple[str, int, str, str]] = field(default_factory=set, init=False)
    _near: set[str] = field(default_factory=set, init=False)

    async def report(self, report: wire.Report) -> Transfer | None:
        """Apply it and acknowledge it; the transfer that it ended, if it ended one.

        One that is repeated while it is looked into has its answer on the way.
        """
        key = (report.transfer, report.attempt, report.fence, report.kind)
        if key in self._reporting or len(self._reporting) >= MAX_ENDING:
            return None
        self._reporting.add(key)
        try:
            return await self._report(report)
        finally:
            self._reporting.discard(key)

    async def _report(self, report: wire.Report) -> Transfer | None:
        app = self.app
        await sweeps.before(report, reads=app.reads, vault=app.vault, probe=app.probe)
        seen = await rechecks.before(report, machine=self.machine, desk=self._looking)
        ended = await reports.apply(
            seen,
            machine=self.machine,
            open_store=app.open_store,
            bus=app.bus,
            now=app.now,
            limits=app.transfers.limits,
        )
        transfer = TransferId(report.transfer)
        if report.kind != "started":
            app.relays.end(transfer, report.fence, target=self.machine)
            app.probe.dismiss(rechecks.named(transfer, report.fence))
            self._near.discard(report.fence)
        ack = wire.Ack(transfer=report.transfer, attempt=report.attempt, kind=report.kind)
        await self.send(ack)
        if report.kind == "started":  # a short copy ends before anything else is heard of it
            await self._expect(transfer, report.fence)
        return ended

    async def near(self, told: wire.ProgressNow) -> None:
        """Get ready for an end that comes soon, once for each attempt."""
        if told.progress.phase is Phase.VERIFYING and told.fence not in self._near:
            self._near.add(told.fence)
            await self._expect(TransferId(told.transfer), told.fence)

    async def _expect(self, transfer: TransferId, fence: str) -> None:
        await rechecks.expect(transfer, fence=fence, machine=self.machine, desk=self._looking)

    @property
    def _looking(self) -> rechecks.Desk:
        app = self.app
        return rechecks.Desk(
            app.open_store, app.reads, app.vault, app.probe, app.rechecking, app.misses
        )
