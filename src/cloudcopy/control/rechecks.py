"""The control plane's own look at a store, before it believes that a copy succeeded.

A host can say what it likes. What it says of the cloud's side is compared, file by file, with
a listing of our own, and a success that the listing does not bear out becomes what it is. What
only the host can see, its own disk, stays its word.

The result keeps what was seen (`Recheck`) and the Merkle root over (path, size, hash) of the
ledger's rows that arrived, in its order; neither is ever taken from a report.
"""

from collections import Counter
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Final

import structlog
from msgspec import structs

from cloudcopy.control import connections, ledgers
from cloudcopy.control.transfers import NOT_IN_STORE
from cloudcopy.domain.connection import INSTANCE
from cloudcopy.domain.errors import CloudCopyError, NotFound, Unavailable
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.merkle import Tree
from cloudcopy.domain.order import Direction, Scope, TransferId, Work
from cloudcopy.domain.progress import (
    MAX_GROUPS,
    MAX_SAMPLES,
    ErrorGroup,
    Recheck,
    Result,
)
from cloudcopy.domain.transfer import Transfer
from cloudcopy.ports.engine import Claim, Finding, Probe
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault
from cloudcopy.wire.agent import Report

log = structlog.get_logger()

TRIES: Final = 5  # about 20 s apart, which is how often an agent repeats itself
ON_HOST: Final = "the store lies on the host, where the control plane cannot look"
ON_MACHINE: Final = "the source is an instance, and only the agents of the two machines see it"

Misses = MutableMapping[tuple[str, int], int]  # by transfer and attempt


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need.

    Attributes:
        turn: Held while a store is listed, so that few are at once.
        misses: How often a store could not be listed, kept from call to call.
    """

    open_store: OpenStore
    reads: Reads
    vault: Vault
    probe: Probe
    turn: AbstractAsyncContextManager[object]
    misses: Misses


async def before(report: Report, *, machine: MachineId, desk: Desk) -> Report:
    """The report as it may be applied.

    Raises:
        Unavailable: the store could not be listed now. The same report, said again, tries
            again; after `TRIES` times it is believed, and the result says why.
    """
    report = _stripped(report)
    if report.kind not in ("succeeded", "partial"):
        return report
    try:
        transfer = (await desk.reads.transfer(TransferId(report.transfer), account=None)).transfer
    except NotFound:
        return report
    mine = (transfer.machine, transfer.attempt, transfer.fence)
    stale = mine != (machine, report.attempt, report.fence)
    if stale or not ledgers.open_ended(transfer):
        return report
    result = report.result or Result()
    dry = transfer.order.work is Work.TRANSFER and transfer.order.flags.dry_run
    if not await _complete(report, result, desk) and not (dry and not report.chunks):
        return _without_ledger(report)
    if transfer.order.work is not Work.TRANSFER or dry:
        return report
    told = _Told(ledgers.rows(transfer.id, transfer.attempt, reads=desk.reads))
    finding = await _look(transfer, report, told, desk)
    await told.rest()
    return _judged(report, replace(result, dry_run=False), told, finding, transfer)


def _stripped(report: Report) -> Report:
    """The report without what only the control plane can say."""
    if report.result is None:
        return report
    digests = replace(report.result.digests, files="", leaves=0)
    return structs.replace(
        report, result=replace(report.result, recheck=Recheck(), digests=digests)
    )


async def _complete(report: Report, result: Result, desk: Desk) -> bool:
    """Whether the ledger is there as announced, and there is one where files were found."""
    if not report.chunks:
        return result.found == 0
    async with desk.open_store() as store:
        count = await store.ledgers.count(TransferId(report.transfer), report.attempt)
    return count == report.chunks


def _without_ledger(report: Report) -> Report:
    # The agent has been told that every chunk arrived, so asking again would change nothing.
    log.error(
        "an end without its ledger",
        transfer=report.transfer,
        attempt=report.attempt,
        chunks=report.chunks,
    )
    return structs.replace(
        report, kind="failed", reason="the host sent no ledger of what it copied, after it said so"
    )


class _Told:
    """The rows of a ledger, counted as they pass by."""

    def __init__(self, chunks: AsyncIterator[Sequence[FileRow]]) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.arrived = Tree()
        self._rows = self._pass(chunks)

    def __aiter__(self) -> AsyncIterator[FileRow]:
        return self._rows

    async def rest(self) -> None:
        """Let those pass by that nobody has asked for."""
        async for _ in self._rows:
            pass

    async def _pass(self, chunks: AsyncIterator[Sequence[FileRow]]) -> AsyncIterator[FileRow]:
        async for chunk in chunks:
            for row in chunk:
                self.outcomes[row.outcome] += 1
                if row.outcome.arrived:
                    self.arrived.add(row.path, row.size, row.hash)
                yield row


async def expect(transfer: TransferId, *, fence: str, machine: MachineId, desk: Desk) -> None:
    """Get ready for the look that will follow on the end of that attempt, if one will.

    Never raises for what is unknown, stale, or cannot be opened now: then it takes its time.
    """
    try:
        found = (await desk.reads.transfer(transfer, account=None)).transfer
        if (found.machine, found.fence) != (machine, fence) or not ledgers.open_ended(found):
            return
        if found.order.work is not Work.TRANSFER or found.order.flags.dry_run:
            return
        claim = await _claim(found, "", desk)
    except CloudCopyError as error:
        log.info("look not prepared", transfer=transfer, reason=str(error))
        return
    if isinstance(claim, Claim):
        desk.probe.expect(claim)


async def _claim(transfer: Transfer, hash: str, desk: Desk) -> Claim | str:
    """What is looked at; why nothing is where that cannot be."""
    used = transfer.order.connection
    seen = await desk.reads.connection(used, account=transfer.account)
    if seen.cloud_type == INSTANCE:
        return ON_MACHINE
    connection, backend = await connections.opened(
        used, account=transfer.account, reads=desk.reads, vault=desk.vault
    )
    if backend.type == "local":
        return ON_HOST
    return Claim(
        backend=backend,
        place=connection.place(transfer.order.remote),
        direction=transfer.order.direction,
        flags=transfer.order.flags,
        since=transfer.started_at or transfer.created_at,
        hash=hash,
        whole=transfer.scope is Scope.ALL,
        attempt=named(transfer.id, transfer.fence),
    )


def named(transfer: str, fence: str) -> str:
    """The attempt, in a claim."""
    return f"{transfer} {fence}"


async def _look(transfer: Transfer, report: Report, told: _Told, desk: Desk) -> Finding:
    """Raises Unavailable while there are tries left."""
    upload = transfer.order.direction is Direction.TO_CLOUD
    if upload and not report.chunks:
        return Finding(Recheck())  # nothing was said to be there
    attempt = (report.transfer, report.attempt)
    try:
        claim = await _claim(transfer, report.result.hash if report.result else "", desk)
        if not isinstance(claim, Claim):
            return Finding(Recheck(why_not=claim))
        async with desk.turn:
            finding = await desk.probe.recheck(claim, aiter(told))
    except CloudCopyError as error:
        missed = desk.misses.get(attempt, 0) + 1
        desk.misses[attempt] = missed
        log.warning("recheck failed", transfer=transfer.id, missed=missed, reason=str(error))
        if missed < TRIES:
            raise Unavailable(f"the store could not be looked at: {error}") from error
        finding = Finding(Recheck(why_not=f"the store could not be looked at: {error}"))
    desk.misses.pop(attempt, None)
    return finding


def _judged(
    report: Report, result: Result, told: _Told, finding: Finding, transfer: Transfer
) -> Report:
    """The report with what was seen; a success that was not one is none any more."""
    digests = replace(result.digests, files=told.arrived.root(), leaves=len(told.arrived))
    result = replace(result, recheck=finding.recheck, digests=digests)
    faults = _contradictions(report, result, told, transfer.scope)
    if finding.count:
        faults.insert(0, _fault(finding, len(told.arrived), transfer.order.direction))
        result = _with_wrong(result, finding)
    if not faults:
        return structs.replace(report, result=result)
    log.error("a report that does not hold", transfer=transfer.id, faults=faults)
    some = finding.recheck.files > 0 or (not finding.count and len(told.arrived) > 0)
    return structs.replace(
        report,
        kind="partial" if some else "failed",
        reason=" ".join((*faults, report.reason)).strip(),
        result=result,
    )


def _contradictions(report: Report, result: Result, told: _Told, scope: Scope) -> list[str]:
    """Where the host's numbers say more than its own list."""
    faults = []
    counted = result.copied + result.unchanged
    if counted > len(told.arrived):
        faults.append(
            f"The host counted {counted} files as copied or unchanged and listed "
            f"{len(told.arrived)}."
        )
    failed = told.outcomes[Outcome.FAILED]
    if report.kind == "succeeded" and failed:
        faults.append(f"The host reported success and listed {failed} files as failed.")
    if scope is Scope.FAILED and not told.outcomes:
        faults.append("No file is known that failed before: try all of it again.")
    return faults


def _fault(finding: Finding, arrived: int, direction: Direction) -> str:
    samples = [f"{path} ({why})" for path, why in finding.wrong[:MAX_SAMPLES]]
    if finding.count > len(samples) > 0:
        samples.append(f"and {finding.count - len(samples)} more")
    named = f": {', '.join(samples)}." if samples else "."
    if direction is Direction.TO_CLOUD:
        said = f"does not show {finding.count} of {arrived} files as the host reported them"
    else:
        said = f"shows {finding.count} files that the host did not report so"
    return f"The control plane's own listing of the store {said}{named}"


def _with_wrong(result: Result, finding: Finding) -> Result:
    group = ErrorGroup(
        code=NOT_IN_STORE,
        text="the control plane's own listing of the store does not show it as reported",
        cure="Run the whole copy again, and look at the machine: its report was not true.",
        count=finding.count,
        samples=tuple(sorted(path for path, _ in finding.wrong[:MAX_SAMPLES])),
    )
    groups = sorted((group, *result.errors[: MAX_GROUPS - 1]), key=lambda each: -each.count)
    return replace(result, failed=result.failed + finding.count, errors=tuple(groups))
