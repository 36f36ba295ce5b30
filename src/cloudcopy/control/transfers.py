"""What people do with transfers. One function per thing they can ask.

Each opens one transaction, calls the domain, saves, and rings the machine's doorbell
after the commit. No function here talks to an agent: the new state is the command, and
the doorbell is only a hint.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cloudcopy.domain import bandwidth, between, mirror
from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId, MachineId
from cloudcopy.domain.order import (
    Agreed,
    Direction,
    Mode,
    Order,
    Scope,
    TransferId,
    Verify,
    Work,
)
from cloudcopy.domain.transfer import (
    CancelRequested,
    Event,
    IllegalMove,
    PauseRequested,
    Resumed,
    Retried,
    State,
    Stopped,
    Transfer,
    accept,
    step,
)
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock, NewFence, NewId
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import Once, OpenStore

NOT_IN_STORE: Final = "not_in_store"  # the kind of failure that `control.rechecks` finds
MAX_IDEMPOTENCY_KEY: Final = 255  # bytes, as in the field's common practice


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once."""

    open_store: OpenStore
    reads: Reads
    bus: Bus
    now: Clock
    new_id: NewId
    new_fence: NewFence
    limits: Limits


async def submit(
    order: Order,
    *,
    caller: Caller,
    desk: Desk,
    idempotency_key: str | None = None,
    once_while_live: bool = False,
    bwlimit: str = "",
) -> Transfer:
    """Accept `order`; it is durable when this returns.

    Args:
        idempotency_key: The same key again answers with the same transfer.
        once_while_live: The same order answers with the same transfer while that is live:
            for clients that repeat a request after a lost answer and have no key to send.
        bwlimit: Bytes per second over time (`domain.bandwidth`).

    Raises:
        NotFound: the instance or the connection is not the caller's.
        Invalid: the path names no bucket where one is needed, the key is too long, the limit
            cannot be read, it is a mirror without a plan, or both sides hold one another.
        Conflict: the key came before with another order, or the source of a copy between
            instances was named as its destination.
    """
    if idempotency_key is not None and not 0 < len(idempotency_key.encode()) <= MAX_IDEMPOTENCY_KEY:
        raise Invalid("Idempotency-Key", f"must be 1 to {MAX_IDEMPOTENCY_KEY} bytes")
    _check(order)
    limit = str(bandwidth.parse(bwlimit))
    digest = _digest(order, limit)
    once = Once(key=idempotency_key, order=digest if once_while_live else None, body=digest)
    async with desk.open_store() as store:
        instance = await store.machines.instance(order.instance, account=caller.account)
        connection = await store.connections.get(order.connection, account=caller.account)
        upload = order.direction is Direction.TO_CLOUD
        connection.place(order.remote, field="dst" if upload else "src")
        between.check(order, connection)
        transfer = await store.transfers.add(
            accept(
                TransferId(f"t_{desk.new_id()}"),
                order,
                account=caller.account,
                key=caller.key,
                machine=instance.machine,
                fence=desk.new_fence(),
                at=desk.now(),
                bwlimit=limit,
            ),
            once,
        )
        turns = await store.transfers.turns(caller.account, desk.limits)
        if turns:
            transfer = await store.transfers.get(transfer.id)
    _ring(desk, turns)
    return transfer


def _check(order: Order) -> None:
    if order.work is Work.TRANSFER and order.mode is Mode.MIRROR and order.agreed is None:
        raise Invalid(
            "mode",
            "a mirror deletes files, so it is made by carrying out a plan",
            code="mirror_needs_plan",
            next=(
                "Make one with POST /v1/plans and carry it out with POST /v1/plans/ID/apply.",
                "Or run: cloudcopy mirror SRC DST",
            ),
        )
    if order.mode is Mode.MIRROR:
        mirror.check(order.flags)
    if order.work is not Work.TRANSFER and order.flags.dry_run:
        raise Invalid("flags", f"--dry-run says nothing in a {order.work}: it changes nothing")


async def apply(
    plan: TransferId,
    *,
    caller: Caller,
    desk: Desk,
    confirm_deletions: int | None = None,
    verify: Verify = Verify.HASH,
    bwlimit: str = "",
    idempotency_key: str | None = None,
) -> Transfer:
    """Accept a transfer that carries out a plan, and nothing but what it lists.

    Raises:
        NotFound: there is no such plan.
        Conflict: it is not finished (``plan_not_ready``), or it deletes so much that this
            must be confirmed (``deletions_not_confirmed``).
    """
    made = (await desk.reads.transfer(plan, account=caller.account)).transfer
    if made.order.work is not Work.PLAN:
        raise Conflict(
            f"{plan} is a {made.order.work}, not a plan.",
            code="not_a_plan",
            next=("Make a plan with POST /v1/plans or `cloudcopy plan SRC DST`.",),
        )
    if made.state is not State.SUCCEEDED or made.result is None:
        raise Conflict(
            f"The plan {plan} is {made.state}; only one that has succeeded can be carried out.",
            code="plan_not_ready",
            next=(f"Wait for it: cloudcopy transfer watch {plan}",),
        )
    deletions = made.result.deleted
    mirror.guard(deletions, of=made.result.at_destination, confirmed=confirm_deletions)
    agreed = Agreed(
        plan=plan,
        source=made.result.digests.source,
        destination=made.result.digests.destination,
        deletions=deletions,
    )
    return await submit(
        replace(made.order, work=Work.TRANSFER, verify=verify, agreed=agreed),
        caller=caller,
        desk=desk,
        idempotency_key=idempotency_key,
        bwlimit=bwlimit,
    )


async def cancel(id: TransferId, *, caller: Caller, desk: Desk) -> Transfer:
    """Ask the host to stop. Asking twice is the same as asking once.

    Raises:
        NotFound: no such transfer.
        IllegalMove: it has already ended.
    """
    return await _apply(id, CancelRequested(desk.now()), caller=caller, desk=desk)


async def pause(id: TransferId, *, caller: Caller, desk: Desk) -> Transfer:
    """Ask the host to stop, and keep the transfer open. Asking twice is asking once.

    Raises:
        NotFound: no such transfer.
        IllegalMove: it has ended, or it is being cancelled.
    """
    return await _apply(id, PauseRequested(desk.now()), caller=caller, desk=desk)


async def resume(id: TransferId, *, caller: Caller, desk: Desk) -> Transfer:
    """Let a paused transfer go on, in an attempt of its own.

    Raises:
        NotFound: no such transfer.
        IllegalMove: it is not paused, or not yet.
    """
    return await _apply(id, Resumed(desk.now(), desk.new_fence()), caller=caller, desk=desk)


async def retry(
    id: TransferId, *, caller: Caller, desk: Desk, scope: Scope = Scope.ALL
) -> Transfer:
    """Open another attempt of a transfer that failed, partly or wholly, or was cancelled.

    Raises:
        NotFound: no such transfer.
        IllegalMove: it is still live, or it succeeded.
        Conflict: ``nothing_failed``: there is no list of failed files to try again.
    """
    if scope is Scope.FAILED:
        was = (await desk.reads.transfer(id, account=caller.account)).transfer
        if was.state.final:
            await _must_name_what_failed(was, desk)
    event = Retried(desk.now(), desk.new_fence(), scope)
    return await _apply(id, event, caller=caller, desk=desk)


async def _must_name_what_failed(was: Transfer, desk: Desk) -> None:
    """Raises Conflict where a list of the files that failed would not be all there is to do."""
    again = f"Try all of it again: cloudcopy transfer retry {was.id}"
    if was.order.agreed is not None:
        raise Conflict(
            f"Transfer {was.id} carried out a plan, and a part of a plan cannot be carried out.",
            code="nothing_failed",
            next=("Make a new plan of the same two sides.",),
        )
    result = was.result
    known = await desk.reads.ledgers(was.id)
    if result is None or not result.failed or was.attempt not in known:
        raise Conflict(
            f"Transfer {was.id} has no list of failed files to try again.",
            code="nothing_failed",
            next=(again,),
        )
    if any(group.code == NOT_IN_STORE for group in result.errors):
        raise Conflict(
            f"The store does not show what the host of {was.id} reported, so its list of failed "
            "files cannot be relied on.",
            code="nothing_failed",
            next=(again,),
        )


async def limit(id: TransferId, bwlimit: str, *, caller: Caller, desk: Desk) -> Transfer:
    """Change the bandwidth limit of a live transfer; its agent hears of it at once.

    Raises:
        NotFound: no such transfer.
        Invalid: the limit cannot be read.
        Conflict: it has ended.
    """
    text = str(bandwidth.parse(bwlimit))
    async with desk.open_store() as store:
        was = await store.transfers.get(id, account=caller.account)
        if was.state.final:
            raise Conflict(
                f"Transfer {id} is {was.state}: its bandwidth cannot be limited any more.",
                code=f"transfer_{was.state}",
            )
        await store.transfers.limit(id, text)
    _ring(desk, [was.machine])
    return replace(was, bwlimit=text)


async def cancel_instance(instance: InstanceId, *, caller: Caller, desk: Desk) -> int:
    """Ask for every live copy of the instance to stop, in either direction, paused ones too.
    Plans and checks are no copies, and go on.

    Returns:
        How many were live and had not been asked before.

    Raises:
        NotFound: the instance is not the caller's.
    """
    moved: list[TransferId] = []
    async with desk.open_store() as store:
        found = await store.machines.instance(instance, account=caller.account)
        event = CancelRequested(desk.now())
        for was in await store.transfers.live_of(instance):
            if was.order.work is not Work.TRANSFER:
                continue
            transfer = _moved(was, event)
            if transfer is not was and await store.transfers.save(transfer, was=was, at=event.at):
                moved.append(was.id)
        turns = await store.transfers.turns(caller.account, desk.limits)
    _ring(desk, [found.machine, *turns])
    for id in moved:
        desk.bus.moved(id)
    return len(moved)


async def _apply(id: TransferId, event: Event, *, caller: Caller, desk: Desk) -> Transfer:
    async with desk.open_store() as store:
        was = await store.transfers.get(id, account=caller.account)
        transfer = _moved(was, event)
        if transfer is not was and not await store.transfers.save(transfer, was=was, at=event.at):
            raise IllegalMove(was, event)
        turns = await store.transfers.turns(caller.account, desk.limits)
        if turns:
            transfer = await store.transfers.get(id)
    _ring(desk, [transfer.machine, *turns])
    desk.bus.moved(id)
    return transfer


def _moved(was: Transfer, event: Event) -> Transfer:
    """The transfer after the event. One that still waits for its turn is known to no agent, so
    nobody has to confirm that it stops."""
    transfer = step(was, event)
    if was.state is State.QUEUED and not was.admitted and transfer.want == "stop":
        return step(transfer, Stopped(event.at))
    return transfer


def _ring(desk: Desk, machines: Sequence[MachineId]) -> None:
    for machine in dict.fromkeys(machines):
        desk.bus.ring(machine)


def _digest(order: Order, bwlimit: str) -> str:
    """Equal for equal orders, whatever spelling they came in."""
    parts = [
        int(order.instance),
        int(order.connection),
        order.direction.value,
        order.local.value,
        order.remote.value,
        order.flags.words(),
        order.work.value,
        order.mode.value,
        order.verify.value,
        order.agreed.plan if order.agreed else "",
        bwlimit,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
