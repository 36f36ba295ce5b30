"""What people do with transfers. One function per thing they can ask.

Each opens one transaction, calls the domain, saves, and rings the machine's doorbell
after the commit. No function here talks to an agent: the new state is the command, and
the doorbell is only a hint.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.transfer import (
    CancelRequested,
    Direction,
    Event,
    IllegalMove,
    Order,
    Retried,
    Transfer,
    TransferId,
    accept,
    step,
)
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock, NewFence, NewId
from cloudcopy.ports.store import Once, OpenStore, Store

MAX_IDEMPOTENCY_KEY: Final = 255  # bytes, as in the field's common practice


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once."""

    open_store: OpenStore
    bus: Bus
    now: Clock
    new_id: NewId
    new_fence: NewFence


async def submit(
    order: Order,
    *,
    caller: Caller,
    desk: Desk,
    idempotency_key: str | None = None,
    once_while_live: bool = False,
) -> Transfer:
    """Accept `order`; it is durable when this returns.

    Args:
        idempotency_key: The same key again answers with the same transfer.
        once_while_live: The same order answers with the same transfer while that is live:
            for clients that repeat a request after a lost answer and have no key to send.

    Raises:
        NotFound: the instance or the connection is not the caller's.
        Invalid: the path names no bucket where one is needed, or the key is too long.
        Conflict: the key came before with another order.
    """
    if idempotency_key is not None and not 0 < len(idempotency_key.encode()) <= MAX_IDEMPOTENCY_KEY:
        raise Invalid("Idempotency-Key", f"must be 1 to {MAX_IDEMPOTENCY_KEY} bytes")
    digest = _digest(order)
    once = Once(key=idempotency_key, order=digest if once_while_live else None, body=digest)
    async with desk.open_store() as store:
        instance = await store.machines.instance(order.instance, account=caller.account)
        connection = await store.connections.get(order.connection, account=caller.account)
        upload = order.direction is Direction.TO_CLOUD
        connection.place(order.remote, field="dst" if upload else "src")
        transfer = await store.transfers.add(
            accept(
                TransferId(f"t_{desk.new_id()}"),
                order,
                account=caller.account,
                machine=instance.machine,
                fence=desk.new_fence(),
                at=desk.now(),
            ),
            once,
        )
    desk.bus.ring(transfer.machine)
    return transfer


async def cancel(id: TransferId, *, caller: Caller, desk: Desk) -> Transfer:
    """Ask the host to stop. Asking twice is the same as asking once.

    Raises:
        NotFound: no such transfer.
        IllegalMove: it has already ended.
    """
    return await _apply(id, CancelRequested(desk.now()), caller=caller, desk=desk)


async def retry(id: TransferId, *, caller: Caller, desk: Desk) -> Transfer:
    """Open another attempt of a transfer that failed or was cancelled.

    Raises:
        NotFound: no such transfer.
        IllegalMove: it is still live, or it succeeded.
    """
    return await _apply(id, Retried(desk.now(), desk.new_fence()), caller=caller, desk=desk)


async def cancel_instance(instance: InstanceId, *, caller: Caller, desk: Desk) -> int:
    """Ask for every live copy of the instance to stop, in either direction.

    Returns:
        How many were live and had not been asked before.

    Raises:
        NotFound: the instance is not the caller's.
    """
    async with desk.open_store() as store:
        found = await store.machines.instance(instance, account=caller.account)
        event = CancelRequested(desk.now())
        asked = [
            await _save(store, transfer, event)
            for transfer in await store.transfers.live_of(instance)
        ]
    desk.bus.ring(found.machine)
    return sum(asked)


async def _apply(id: TransferId, event: Event, *, caller: Caller, desk: Desk) -> Transfer:
    async with desk.open_store() as store:
        was = await store.transfers.get(id, account=caller.account)
        transfer = step(was, event)
        if not await store.transfers.save(transfer, was=was):
            raise IllegalMove(was, event)
    desk.bus.ring(transfer.machine)
    return transfer


async def _save(store: Store, was: Transfer, event: Event) -> bool:
    transfer = step(was, event)
    return transfer is not was and await store.transfers.save(transfer, was=was)


def _digest(order: Order) -> str:
    """Equal for equal orders, whatever spelling they came in."""
    parts = [
        int(order.instance),
        int(order.connection),
        order.direction.value,
        order.local.value,
        order.remote.value,
        order.flags.words(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
