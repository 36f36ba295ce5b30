"""How orders become transfers: within an open transaction, one or several at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cloudcopy.control import orders
from cloudcopy.domain.errors import CloudCopyError, Rejected
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import AccountId, MachineId
from cloudcopy.domain.order import Order, TransferId
from cloudcopy.domain.transfer import Transfer, accept
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock, NewFence, NewId
from cloudcopy.ports.intake import Accepted, Intake, Wanted
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import Once, OpenStore, Store


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions of `control.transfers` need, built once.

    Attributes:
        intake: Where orders are accepted together; None: each in a transaction of its own.
    """

    open_store: OpenStore
    reads: Reads
    bus: Bus
    now: Clock
    new_id: NewId
    new_fence: NewFence
    limits: Limits
    intake: Intake | None = None


async def one(wanted: Wanted, store: Store, desk: Desk) -> Accepted:
    [outcome] = await accept_all([wanted], store, desk=desk)
    if isinstance(outcome, CloudCopyError):
        raise outcome
    return outcome


async def accept_all(
    wanted: Sequence[Wanted], store: Store, *, desk: Desk
) -> Sequence[Accepted | CloudCopyError]:
    """Accept several orders as a part of the open transaction; see `ports.intake.Accept`.

    Turns are given once to all that came together, so the oldest of a lane is still the first.
    """
    outcomes: dict[int, Transfer | CloudCopyError] = {}
    new: dict[int, tuple[Transfer, Once]] = {}
    places = orders.Places(store)
    if len(wanted) > 1:
        await places.prepare((each.order, each.caller.account) for each in wanted)
    for place, each in enumerate(wanted):
        try:
            instance = await places.of(each.order, caller=each.caller)
        except Rejected as error:
            outcomes[place] = error
        else:
            new[place] = _made(each, instance.machine, desk), each.once
    if new:
        outcomes |= zip(new, await store.transfers.add_all([*new.values()]), strict=True)
    turns = {
        account: await store.transfers.turns(account, desk.limits)
        for account in dict.fromkeys(transfer.account for transfer, _ in new.values())
    }
    return [_accepted(outcomes[place], turns) for place in range(len(wanted))]


def _accepted(
    outcome: Transfer | CloudCopyError, turns: Mapping[AccountId, Mapping[TransferId, MachineId]]
) -> Accepted | CloudCopyError:
    if isinstance(outcome, CloudCopyError):
        return outcome
    given = turns[outcome.account]
    admitted = outcome.admitted or outcome.id in given
    return Accepted(replace(outcome, admitted=admitted), [*given.values()])


def _made(wanted: Wanted, machine: MachineId, desk: Desk) -> Transfer:
    return accept(
        TransferId(f"t_{desk.new_id()}"),
        wanted.order,
        account=wanted.caller.account,
        key=wanted.caller.key,
        machine=machine,
        fence=desk.new_fence(),
        at=desk.now(),
        bwlimit=wanted.bwlimit,
    )


async def accepted(
    order: Order, *, caller: Caller, desk: Desk, store: Store, once: Once, bwlimit: str
) -> tuple[Transfer, Sequence[MachineId]]:
    """Accept `order` as a part of the open transaction, and name the machines to `ring` after it.
    It raises before it writes.

    Raises:
        NotFound, Invalid, Conflict: as `submit` does.
    """
    orders.check(order)
    outcome = await one(Wanted(order, caller, once, bwlimit), store, desk)
    return outcome.transfer, outcome.turns
