"""What agents say about their attempts, applied to the state of record.

A report is acknowledged once its effect is committed, and also when it has none: stale,
or a defect. What is not acknowledged is repeated, so an answer of "no" here would only
make the agent say it again.
"""

from typing import Final

import structlog

from cloudcopy.control import connections
from cloudcopy.domain.errors import NotFound, Rejected
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.progress import CurrentFile, Phase, Progress, Result, Verified
from cloudcopy.domain.transfer import (
    Event,
    Failed,
    IllegalMove,
    Started,
    Stopped,
    Succeeded,
    Transfer,
    TransferId,
    step,
)
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault
from cloudcopy.wire import agent as wire

log = structlog.get_logger()

MAX_REASON: Final = 2_000  # characters; a reason is a sentence or two
MAX_NOTES: Final = 20
MAX_LOG: Final = 40
MAX_LIVE_LOG: Final = 10


async def apply(
    report: wire.Report, *, machine: MachineId, open_store: OpenStore, bus: Bus, now: Clock
) -> Transfer | None:
    """Apply one report and return the transfer it ended, if it ended one.

    Times are the server's: a host's clock may be anywhere.
    """
    async with open_store() as store:
        try:
            was = await store.transfers.get(TransferId(report.transfer))
        except NotFound:
            return None
        if (was.machine, was.attempt, was.fence) != (machine, report.attempt, report.fence):
            return None
        try:
            transfer = step(was, _event(report, now))
        except IllegalMove:
            log.error(
                "report refused: a defect in the agent or here",
                transfer=was.id,
                state=was.state,
                attempt=was.attempt,
                kind=report.kind,
            )
            return None
        if transfer is was or not await store.transfers.save(transfer, was=was):
            return None
    if transfer.state.final:
        bus.forget(transfer.id)
        return transfer
    return None


def _event(report: wire.Report, now: Clock) -> Event:
    reason = report.reason[:MAX_REASON]
    result = _result(report.result) if report.result else None
    match report.kind:
        case "started":
            return Started(now())
        case "succeeded":
            return Succeeded(now(), result or Result())
        case "failed":
            return Failed(now(), reason or "the agent gave no reason", result)
        case "stopped":
            return Stopped(now(), result)


def _result(told: wire.Numbers) -> Result:
    return Result(
        listed=told.listed,
        copied=told.copied,
        unchanged=told.unchanged,
        kept=told.kept,
        failed=told.failed,
        skipped=tuple((reason[:80], count) for reason, count in told.skipped[:MAX_NOTES]),
        bytes_copied=told.bytes_copied,
        verified=Verified(told.verified),
        hash=told.hash[:20],
        dry_run=told.dry_run,
        notes=tuple(note[:MAX_REASON] for note in told.notes[:MAX_NOTES]),
        log=tuple(line[:MAX_REASON] for line in told.log[-MAX_LOG:]),
        interrupted=told.interrupted,
    )


async def note(
    told: wire.ProgressNow, *, open_store: OpenStore, bus: Bus, now: Clock, keep: bool
) -> None:
    """Show the latest numbers of a running copy; `keep` also stores them.

    Lossy on purpose: nothing is decided by them.
    """
    progress = Progress(
        phase=Phase(told.phase),
        files_done=told.files_done,
        files_total=told.files_total,
        bytes_done=told.bytes_done,
        bytes_total=told.bytes_total,
        rate=told.rate,
        eta_seconds=told.eta_seconds,
        errors=told.errors,
        current=tuple(CurrentFile(*each) for each in told.current[:64]),
        log=tuple(line[:MAX_REASON] for line in told.log[-MAX_LIVE_LOG:]),
    )
    bus.publish(TransferId(told.transfer), progress)
    if keep:
        async with open_store() as store:
            await store.transfers.note(TransferId(told.transfer), told.fence, progress, at=now())


async def desired(machine: MachineId, *, reads: Reads) -> list[wire.Order]:
    """Everything the machine's agent should be doing now, oldest first."""
    return [
        wire.Order(
            transfer=each.id,
            attempt=each.attempt,
            fence=each.fence,
            want=each.want,
            instance=seen.instance_label,
            direction=each.order.direction,
            local=each.order.local.value,
            remote=each.order.remote.value,
            flags=each.order.flags.words(),
        )
        for seen in await reads.live(machine)
        for each in (seen.transfer,)
    ]


async def grant(
    wanted: wire.NeedBackend, *, machine: MachineId, reads: Reads, vault: Vault
) -> wire.BackendGranted | wire.BackendRefused:
    """Open the connection's secrets for one live attempt, for the machine it runs on only.

    Raises:
        Unavailable: not now; the agent asks again.
    """
    try:
        transfer = (await reads.transfer(TransferId(wanted.transfer), account=None)).transfer
        mine = (transfer.machine, transfer.attempt, transfer.fence)
        if mine != (machine, wanted.attempt, wanted.fence) or transfer.state.final:
            return _refused(wanted, "this attempt is no longer wanted")
        connection, opened = await connections.opened(
            transfer.order.connection, account=transfer.account, reads=reads, vault=vault
        )
    except Rejected as error:
        return _refused(wanted, str(error))
    return wire.BackendGranted(
        transfer=wanted.transfer,
        attempt=wanted.attempt,
        backend=opened.type,
        options=dict(opened.options),
        root=connection.root,
    )


def _refused(wanted: wire.NeedBackend, reason: str) -> wire.BackendRefused:
    return wire.BackendRefused(transfer=wanted.transfer, attempt=wanted.attempt, reason=reason)
