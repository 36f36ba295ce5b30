"""Stopping every copy into one place."""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from cloudcopy.control import transfers
from cloudcopy.control.transfers import Desk
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.order import Direction, Work
from cloudcopy.domain.transfer import IllegalMove, State, Transfer
from cloudcopy.ports.reads import TransferFilter

_LIVE: Final = frozenset(state for state in State if not state.final)
_PAGE: Final = 100


async def into_instance(instance: InstanceId, *, caller: Caller, desk: Desk) -> int:
    """Ask for every live copy into the instance to stop, paused ones too.

    Returns:
        How many were live and had not been asked before.

    Raises:
        NotFound: the instance is not the caller's.
    """
    await desk.reads.instance(instance, account=caller.account)
    only = TransferFilter(states=_LIVE, work=Work.TRANSFER, instance=instance, limit=_PAGE)
    return await _stop(only, Direction.TO_INSTANCE, caller, desk)


async def into_connection(connection: ConnectionId, *, caller: Caller, desk: Desk) -> int:
    """The same for every live copy into the connection."""
    await desk.reads.connection(connection, account=caller.account)
    only = TransferFilter(states=_LIVE, work=Work.TRANSFER, connection=connection, limit=_PAGE)
    return await _stop(only, Direction.TO_CLOUD, caller, desk)


async def _stop(only: TransferFilter, towards: Direction, caller: Caller, desk: Desk) -> int:
    """One transaction for each: another that ends meanwhile must not keep the rest going."""
    found: list[Transfer] = []
    while True:
        page = await desk.reads.transfers(caller.account, only)
        found += [each.transfer for each in page]
        if len(page) < only.limit:
            break
        only = replace(only, before=found[-1].id)
    count = 0
    for was in found:
        if was.order.direction is not towards or was.state is State.CANCELLING:
            continue
        with suppress(IllegalMove):  # it has just ended
            await transfers.cancel(was.id, caller=caller, desk=desk)
            count += 1
    return count
