"""What people do with transfers. One function per thing they can ask.

Each opens one transaction, calls the domain, saves, and rings the machine's doorbell
after the commit. No function here talks to an agent: the new state is the command, and
the doorbell is only a hint.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cloudcopy.control import orders, stops
from cloudcopy.control.accepting import Desk as Desk  # noqa: PLC0414 - it is known as ours
from cloudcopy.control.accepting import one
from cloudcopy.domain import bandwidth, mirror
from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId, MachineId
from cloudcopy.domain.order import (
    Agreed,
    Order,
    Scope,
    TransferId,
    Verify,
    Work,
)
from cloudcopy.domain.permissions import Category
from cloudcopy.domain.transfer import (
    CancelRequested,
    Event,
    IllegalMove,
    PauseRequested,
    Resumed,
    Retried,
    State,
    Transfer,
)
from cloudcopy.ports.intake import Accepted, Wanted
from cloudcopy.ports.store import Once

NOT_IN_STORE: Final = "not_in_store"  # the kind of failure that `control.rechecks` finds
APPROVES: Final = (Category.INSTANCE_WRITE, "api.plan.approve")
MAX_IDEMPOTENCY_KEY: Final = 255  # bytes, as in the field's common practice


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
        NotFound, Forbidden: the instance or the connection is not the caller's, or the key's.
        Invalid: the path names no bucket where one is needed, the key is too long, the limit
            cannot be read, it is a mirror without a plan, or both sides hold one another.
        Conflict: the key came before with another order, or the source of a copy between
            instances was named as its destination.
    """
    if idempotency_key is not None and not 0 < len(idempotency_key.encode()) <= MAX_IDEMPOTENCY_KEY:
        raise Invalid("Idempotency-Key", f"must be 1 to {MAX_IDEMPOTENCY_KEY} bytes")
    limit = str(bandwidth.parse(bwlimit))
    body = orders.digest(order, limit)
    once = Once(key=idempotency_key, order=body if once_while_live else None, body=body)
    orders.check(order)
    wanted = Wanted(order, caller, once, limit)
    outcome = await (desk.intake(wanted) if desk.intake else _alone(wanted, desk))
    ring(desk, outcome.turns)
    return outcome.transfer


async def _alone(wanted: Wanted, desk: Desk) -> Accepted:
    async with desk.open_store() as store:
        return await one(wanted, store, desk)


async def apply(
    plan: TransferId,
    *,
    caller: Caller,
    desk: Desk,
    confirm_deletions: int | None = None,
    approved: bool = False,
    verify: Verify = Verify.HASH,
    bwlimit: str = "",
    idempotency_key: str | None = None,
) -> Transfer:
    """Accept a transfer that carries out a plan, and nothing but what it lists.

    Args:
        approved: Somebody who may approve the plan has done so. Otherwise the caller must be
            such a one where it deletes anything.

    Raises:
        NotFound: there is no such plan.
        Forbidden: it is of an instance that the caller's key does not reach, or it deletes
            something and the key could not approve it.
        Conflict: it is not finished (``plan_not_ready``), or it deletes so much that this
            must be confirmed (``deletions_not_confirmed``).
    """
    made = (await desk.reads.transfer(plan, account=caller.account)).transfer
    caller.must_reach(made.order.instance)
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
    if deletions and not approved:
        _must_approve(caller, made.order)
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


def _must_approve(caller: Caller, order: Order) -> None:
    """Raises Forbidden: the caller's key may not approve plans of this instance."""
    caller.asking(*APPROVES).must_reach(order.instance)


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
        Conflict: ``plan_cannot_pause``: it is carrying out a plan, which fits no more once a
            part of it is done.
    """
    was = (await desk.reads.transfer(id, account=caller.account)).transfer
    caller.must_reach(was.order.instance)
    if was.order.agreed is not None and was.state is State.RUNNING:
        raise Conflict(
            f"Transfer {id} is carrying out a plan, which cannot be done in parts.",
            code="plan_cannot_pause",
            next=(f"Let it end, or cancel it and make a new plan: cloudcopy transfer cancel {id}",),
        )
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
        Forbidden: it carries out a plan that deletes something, and the caller's key could not
            approve that; an approval is for one time.
        Conflict: ``nothing_failed``: there is no list of failed files to try again.
    """
    was = (await desk.reads.transfer(id, account=caller.account)).transfer
    caller.must_reach(was.order.instance)
    if was.order.agreed is not None and was.order.agreed.deletions:
        _must_approve(caller, was.order)
    if scope is Scope.FAILED and was.state.final:
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
    if result.incomplete:
        raise Conflict(
            f"Something failed in {was.id} that its list of files does not name.",
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
        caller.must_reach(was.order.instance)
        if was.state.final:
            raise Conflict(
                f"Transfer {id} is {was.state}: its bandwidth cannot be limited any more.",
                code=f"transfer_{was.state}",
            )
        await store.transfers.limit(id, text)
    ring(desk, [was.machine])
    return replace(was, bwlimit=text)


async def cancel_instance(instance: InstanceId, *, caller: Caller, desk: Desk) -> int:
    """Ask for every live copy of the instance to stop, in either direction, paused ones too.
    Plans and checks are no copies, and go on.

    Returns:
        How many were live and had not been asked before.

    Raises:
        NotFound: the instance is not the caller's.
    """
    caller.must_reach(instance)
    async with desk.open_store() as store:
        found = await store.machines.instance(instance, account=caller.account)
        moved = await stops.of_instance(
            store, instance, at=desk.now(), works=frozenset({Work.TRANSFER})
        )
        turns = await store.transfers.turns(caller.account, desk.limits)
    ring(desk, [found.machine, *turns.values()])
    for id in moved:
        desk.bus.moved(id)
    return len(moved)


async def _apply(id: TransferId, event: Event, *, caller: Caller, desk: Desk) -> Transfer:
    async with desk.open_store() as store:
        was = await store.transfers.get(id, account=caller.account)
        caller.must_reach(was.order.instance)
        if isinstance(event, Resumed | Retried):  # what was destroyed meanwhile is refused
            await store.machines.instance(was.order.instance, account=caller.account)
        transfer = stops.moved(was, event)
        if transfer is not was and not await store.transfers.save(transfer, was=was, at=event.at):
            raise IllegalMove(was, event)
        turns = await store.transfers.turns(caller.account, desk.limits)
        if id in turns:
            transfer = replace(transfer, admitted=True)
    ring(desk, [transfer.machine, *turns.values()])
    desk.bus.moved(id)
    return transfer


def ring(desk: Desk, machines: Sequence[MachineId]) -> None:
    """Hint at what a transaction that has been committed has changed."""
    for machine in dict.fromkeys(machines):
        desk.bus.ring(machine)
