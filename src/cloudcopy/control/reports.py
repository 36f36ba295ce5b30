"""What agents say about their attempts, applied to the state of record.

A report is acknowledged once its effect is committed, and also when it has none: stale,
or a defect. What is not acknowledged is repeated, so an answer of "no" here would only
make the agent say it again.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from datetime import datetime
from math import isfinite
from typing import Any, Final

import structlog

from cloudcopy.control import between, connections
from cloudcopy.domain.connection import INSTANCE
from cloudcopy.domain.errors import NotFound, Rejected
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.progress import (
    MAX_GROUPS,
    MAX_SAMPLES,
    CurrentFile,
    Digests,
    ErrorGroup,
    Progress,
    Result,
)
from cloudcopy.domain.transfer import (
    Event,
    Failed,
    IllegalMove,
    PartlyDone,
    Started,
    State,
    Stopped,
    Succeeded,
    Transfer,
    step,
)
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.relays import Relays
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault
from cloudcopy.wire import agent as wire

log = structlog.get_logger()

MAX_REASON: Final = 2_000  # characters; a reason is a sentence or two
MAX_NOTES: Final = 20
MAX_LOG: Final = 40
MAX_LIVE_LOG: Final = 10
MAX_CURRENT: Final = 64
MAX_NAME: Final = 80
MAX_COUNT: Final = 2**53 - 1  # what canonical JSON can write exactly
_COUNTS: Final = tuple(each.name for each in fields(Result) if each.type is int)
_PROGRESS_COUNTS: Final = tuple(each.name for each in fields(Progress) if each.type is int)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


async def apply(
    report: wire.Report,
    *,
    machine: MachineId,
    open_store: OpenStore,
    bus: Bus,
    now: Clock,
    limits: Limits,
) -> Transfer | None:
    """Apply one report and return the transfer it ended, if it ended one.

    Times are the server's: a host's clock may be anywhere.
    """
    at = now()
    async with open_store() as store:
        try:
            was = await store.transfers.get(TransferId(report.transfer))
        except NotFound:
            return None
        if (was.machine, was.attempt, was.fence) != (machine, report.attempt, report.fence):
            return None
        try:
            transfer = step(was, _event(report, at))
        except IllegalMove:
            log.error(
                "report refused: a defect in the agent or here",
                transfer=was.id,
                state=was.state,
                attempt=was.attempt,
                kind=report.kind,
            )
            return None
        if transfer is was or not await store.transfers.save(transfer, was=was, at=at):
            return None
        turns: Mapping[TransferId, MachineId] = {}
        if was.admitted and not transfer.admitted:
            turns = await store.transfers.turns(was.account, limits)
    for each in dict.fromkeys(turns.values()):
        bus.ring(each)
    bus.moved(transfer.id)
    if transfer.state.final or transfer.state is State.PAUSED:
        bus.forget(transfer.id)
    return transfer if transfer.state.final else None


def _event(report: wire.Report, at: datetime) -> Event:
    reason = report.reason[:MAX_REASON]
    result = bounded(report.result) if report.result else None
    match report.kind:
        case "started":
            return Started(at)
        case "succeeded":
            return Succeeded(at, result or Result())
        case "partial":
            return PartlyDone(at, reason or "the agent gave no reason", result or Result())
        case "failed":
            return Failed(at, reason or "the agent gave no reason", result)
        case "stopped":
            return Stopped(at, result)


def bounded(told: Result) -> Result:
    """What a host says, within bounds: it may say anything."""
    counts: dict[str, Any] = {each: _count(getattr(told, each)) for each in _COUNTS}
    return replace(
        told,
        **counts,
        skipped=tuple((why[:MAX_NAME], _count(count)) for why, count in told.skipped[:MAX_NOTES]),
        hash=told.hash[:20],
        errors=tuple(
            ErrorGroup(
                code=each.code[:MAX_NAME],
                text=each.text[:MAX_REASON],
                cure=each.cure[:MAX_REASON],
                count=_count(each.count),
                samples=tuple(name[:MAX_REASON] for name in each.samples[:MAX_SAMPLES]),
            )
            for each in told.errors[:MAX_GROUPS]
        ),
        digests=Digests(
            files=_digest(told.digests.files),
            leaves=_count(told.digests.leaves),
            source=_digest(told.digests.source),
            destination=_digest(told.digests.destination),
        ),
        recheck=replace(
            told.recheck,
            files=_count(told.recheck.files),
            hashed=_count(told.recheck.hashed),
            why_not=told.recheck.why_not[:MAX_REASON],
        ),
        notes=tuple(note[:MAX_REASON] for note in told.notes[:MAX_NOTES]),
        log=tuple(line[:MAX_REASON] for line in told.log[-MAX_LOG:]),
        limited_by=told.limited_by[:MAX_REASON],
    )


def _count(told: int) -> int:
    return max(0, min(told, MAX_COUNT))


def _digest(told: str) -> str:
    return told if _DIGEST.fullmatch(told) else ""


async def note(
    told: wire.ProgressNow, *, open_store: OpenStore, bus: Bus, now: Clock, keep: bool
) -> None:
    """Show the latest numbers of a running copy; `keep` also stores them.

    Lossy on purpose: nothing is decided by them.
    """
    seen = told.progress
    counts: dict[str, Any] = {each: _count(getattr(seen, each)) for each in _PROGRESS_COUNTS}
    progress = replace(
        seen,
        **counts,
        rate=max(0.0, min(seen.rate, float(MAX_COUNT))) if isfinite(seen.rate) else 0.0,
        eta_seconds=None if seen.eta_seconds is None else _count(seen.eta_seconds),
        current=tuple(
            CurrentFile(each.name[:MAX_REASON], _count(each.bytes), min(each.size, MAX_COUNT))
            for each in seen.current[:MAX_CURRENT]
        ),
        log=tuple(line[:MAX_REASON] for line in seen.log[-MAX_LIVE_LOG:]),
        limited_by=seen.limited_by[:MAX_REASON],
    )
    bus.publish(TransferId(told.transfer), progress)
    if keep:
        async with open_store() as store:
            await store.transfers.note(TransferId(told.transfer), told.fence, progress, at=now())


async def desired(
    machine: MachineId, *, reads: Reads, only: Collection[TransferId] | None = None
) -> list[wire.Order]:
    """Everything the machine's agent should be doing now, oldest first; or what of `only`."""
    return [
        wire.Order(
            transfer=each.id,
            attempt=each.attempt,
            fence=each.fence,
            want=each.state.want,
            instance=seen.instance_name or seen.instance_label,
            direction=each.order.direction,
            local=each.order.local.value,
            remote=each.order.remote.value,
            flags=each.order.flags.words(),
            work=each.order.work,
            mode=each.order.mode,
            verify=each.order.verify,
            scope=each.scope,
            bwlimit=each.bwlimit,
            agreed=(agreed.source, agreed.destination) if (agreed := each.order.agreed) else None,
        )
        for seen in await reads.live(machine, only=only)
        if (each := seen.transfer).told
    ]


async def grant(
    wanted: wire.NeedBackend, *, machine: MachineId, reads: Reads, vault: Vault, relays: Relays
) -> wire.BackendGranted | wire.BackendRefused:
    """Open the connection's secrets, or the way to another instance, for an attempt that has
    its turn, for its machine only.

    Raises:
        Unavailable: not now; the agent asks again.
    """
    try:
        transfer = (await reads.transfer(TransferId(wanted.transfer), account=None)).transfer
        mine = (transfer.machine, transfer.attempt, transfer.fence)
        if mine != (machine, wanted.attempt, wanted.fence) or not transfer.told:
            return _refused(wanted, "this attempt is no longer wanted")
        used = transfer.order.connection
        connection = await reads.connection(used, account=transfer.account)
        if connection.cloud_type == INSTANCE:
            options = await between.grant(transfer, connection, reads=reads, relays=relays)
            return between.granted(wanted, options)
        connection, opened = await connections.opened(
            used, account=transfer.account, reads=reads, vault=vault
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
