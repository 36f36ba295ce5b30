"""Unfinished uploads that a killed rclone left in a store, aborted.

rclone ends its multipart uploads cleanly when it is asked to stop, and cannot when it is
killed. What is left costs money and is invisible to a plain listing.

Only what can be nobody else's in this control plane is touched: uploads below this copy's
destination, begun since it was accepted, and only while no other live copy writes there.
Another program uploading to the same prefix at the same time is the limit of that rule.
"""

from datetime import timedelta
from typing import Final

import structlog

from cloudcopy.control import connections
from cloudcopy.domain.errors import CloudCopyError
from cloudcopy.domain.transfer import Direction, TransferId
from cloudcopy.ports.engine import Probe
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault
from cloudcopy.wire.agent import Report

log = structlog.get_logger()

CLOCK_SKEW: Final = timedelta(minutes=5)  # a store's clock against ours; S3 refuses more than 15


async def before(
    report: Report, *, reads: Reads, open_store: OpenStore, vault: Vault, probe: Probe
) -> int:
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
        order = transfer.order
        if transfer.fence != report.fence or order.direction is not Direction.TO_CLOUD:
            return 0
        async with open_store() as store:
            others = [
                each
                for each in await store.transfers.live_on(order.connection)
                if each.id != transfer.id
            ]
        if any(
            each.order.direction is Direction.TO_CLOUD and each.order.remote.overlaps(order.remote)
            for each in others
        ):
            log.warning("sweep left out: another copy writes there", transfer=transfer.id)
            return 0
        connection, backend = await connections.opened(
            order.connection, account=transfer.account, open_store=open_store, vault=vault
        )
        swept = await probe.sweep(
            backend, connection.place(order.remote), since=transfer.created_at - CLOCK_SKEW
        )
    except CloudCopyError as error:
        log.warning("sweep failed", transfer=report.transfer, reason=str(error))
        return 0
    if swept:
        log.info("unfinished uploads aborted", transfer=transfer.id, count=swept)
    return swept
