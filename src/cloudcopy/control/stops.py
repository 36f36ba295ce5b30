"""Stopping transfers, within a transaction that somebody else began."""

from datetime import datetime

from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.order import TransferId, Work
from cloudcopy.domain.transfer import CancelRequested, Event, State, Stopped, Transfer, step
from cloudcopy.ports.store import Store


async def of_instance(
    store: Store, instance: InstanceId, *, at: datetime, works: frozenset[Work]
) -> list[TransferId]:
    """Ask for every live transfer of the instance to stop that is of one of these kinds.

    Returns:
        Those that had not been asked before.
    """
    return [
        was.id
        for was in await store.transfers.live_of(instance)
        if was.order.work in works and await one(store, was, at=at)
    ]


async def one(store: Store, was: Transfer, *, at: datetime) -> bool:
    """Ask a live transfer to stop; whether that is news."""
    transfer = moved(was, CancelRequested(at))
    return transfer is not was and await store.transfers.save(transfer, was=was, at=at)


def moved(was: Transfer, event: Event) -> Transfer:
    """The transfer after the event. One that still waits for its turn is known to no agent, so
    nobody has to confirm that it stops.

    Raises:
        IllegalMove: the event cannot happen to it.
    """
    transfer = step(was, event)
    if was.state is State.QUEUED and not was.admitted and transfer.state.want == "stop":
        return step(transfer, Stopped(event.at))
    return transfer
