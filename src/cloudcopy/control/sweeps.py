"""Unfinished uploads that a killed rclone left in a store, aborted.

rclone ends its multipart uploads cleanly when it is asked to stop, and cannot when it is
killed. What is left costs money and is invisible to a plain listing.

Only what can be nobody else's in this control plane is touched: uploads below this copy's
destination, begun since it was accepted, and only while no other live copy of the account
writes to a place of that name, by whatever connection.
Another program uploading to the same prefix at the same time is the limit of that rule.
"""

from datetime import timedelta
from typing import Final

import structlog

from cloudcopy.control import connections
from cloudcopy.domain.errors import CloudCopyError
from cloudcopy.domain.order import Direction, Order, TransferId, Work
from cloudcopy.domain.paths import RemotePath
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.engine import Probe
from cloudcopy.ports.reads import Reads, TransferFilter
from cloudcopy.ports.vault import Vault
from cloudcopy.wire.agent import Report

log = structlog.get_logger()

LIVE: Final = frozenset(state for state in State if not state.final)
MOST_LIVE: Final = 100_000  # all of them, in practice
CLOCK_SKEW: Final = timedelta(minutes=5)  # a store's clock against ours; S3 refuses more than 15


async def before(report: Report, *, reads: Reads, vault: Vault, probe: Probe) -> int:
    """Sweep, if this last report of an attempt says that rclone was killed in it.

    Runs before the report is applied: a transfer that is shown as ended has been swept,
    and a crash in between repeats both.

    Returns:
        How many uploads were aborted. Never raises for a store that refuses.
    """
    if report.kind == "started" or report.result is None or not report.result.interrupted:
        return 0
    try:
        transfer = (await reads.transfer(TransferId(report.transfer), account=None)).transfer
        if transfer.fence != report.fence or not _writes(transfer.order):
            return 0
        connection, backend = await connections.opened(
            transfer.order.connection, account=transfer.account, reads=reads, vault=vault
        )
        place = connection.place(transfer.order.remote)
        if await _shared(place, transfer, reads):
            log.warning("sweep left out: another copy writes there", transfer=transfer.id)
            return 0
        swept = await probe.sweep(backend, place, since=transfer.created_at - CLOCK_SKEW)
    except CloudCopyError as error:
        log.warning("sweep failed", transfer=report.transfer, reason=str(error))
        return 0
    if swept:
        log.info("unfinished uploads aborted", transfer=transfer.id, count=swept)
    return swept


async def _shared(place: RemotePath, mine: Transfer, reads: Reads) -> bool:
    """Whether another live copy writes to `place`, in it, or around it.

    Which store it is in is not asked: two connections may well reach the same bucket.
    """
    only = TransferFilter(states=LIVE, limit=MOST_LIVE)
    for seen in await reads.transfers(mine.account, only):
        other = seen.transfer
        if other.id == mine.id or not _writes(other.order):
            continue
        connection = await reads.connection(other.order.connection, account=mine.account)
        if connection.place(other.order.remote).overlaps(place):
            return True
    return False


def _writes(order: Order) -> bool:
    """Whether it sends anything to the store; plans and checks do not."""
    return order.direction is Direction.TO_CLOUD and order.work is Work.TRANSFER
