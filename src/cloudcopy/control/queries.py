"""What people look at. Nothing here changes anything.

The stored row is the truth about the state; the numbers of a running copy come from the
bus while it remembers them, and are up to about 5 s old otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from cloudcopy.control import connections as owned
from cloudcopy.control import status
from cloudcopy.domain.accounts import Account
from cloudcopy.domain.connection import INSTANCE, Connection, ConnectionId
from cloudcopy.domain.errors import Invalid, NotFound
from cloudcopy.domain.keys import Caller, Key
from cloudcopy.domain.machine import MAX_ID, InstanceId, Machine, MachineId
from cloudcopy.domain.order import TransferId, Work
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import InstanceSeen, Moved, Reads, TransferFilter, TransferSeen
from cloudcopy.ports.vault import Vault

RESULT_LIFE: Final = timedelta(hours=24)  # after the end; clients read within seconds
MAX_PAGE: Final = 200
_RESULT: Final = "result-url"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once."""

    reads: Reads
    bus: Bus
    vault: Vault
    now: Clock


async def transfer(
    id: TransferId, *, caller: Caller, desk: Desk, work: Work | None = None
) -> TransferSeen:
    """One transfer; with `work`, one of that kind.

    Raises:
        NotFound: there is none, or it is of another kind.
        Forbidden: the key is limited to other instances.
    """
    seen = await desk.reads.transfer(id, account=caller.account)
    caller.must_reach(seen.transfer.order.instance)
    if work is not None and seen.transfer.order.work is not work:
        raise NotFound(work, id[:80])
    return _fresh(seen, desk)


async def ahead(seen: TransferSeen, *, desk: Desk) -> int | None:
    """How many wait for their turn before it; None when it does not wait."""
    each = seen.transfer
    if each.state is not State.QUEUED or each.admitted:
        return None
    return await desk.reads.waiting(each.id)


async def moves(id: TransferId, *, after: int, desk: Desk) -> Sequence[Moved]:
    """The changes of state above number `after`, oldest first. The caller has proven that the
    transfer is theirs."""
    return await desk.reads.history(id, after=after)


async def transfers(
    only: TransferFilter, *, caller: Caller, desk: Desk
) -> tuple[Sequence[TransferSeen], TransferId | None]:
    """One page, newest first, and the cursor of the next one.

    Raises:
        Invalid: the page is empty or larger than `MAX_PAGE`.
    """
    if not 1 <= only.limit <= MAX_PAGE:
        raise Invalid("limit", f"must be 1 to {MAX_PAGE}")
    only = replace(only, limit=only.limit + 1, among=caller.instances)
    found = await desk.reads.transfers(caller.account, only)
    page = [_fresh(each, desk) for each in found[: only.limit - 1]]
    return page, page[-1].transfer.id if len(found) == only.limit else None


async def connections(*, caller: Caller, desk: Desk) -> Sequence[Connection]:
    """All that callers have made; those that stand for instances are left out."""
    known = await desk.reads.connections(caller.account)
    return [each for each in known if each.cloud_type != INSTANCE]


async def connection(reference: int | str, *, caller: Caller, desk: Desk) -> Connection:
    """By id or by name.

    Raises:
        NotFound: says which connections the caller has.
    """
    if _is_id(reference):
        return await owned.own(ConnectionId(int(reference)), caller=caller, reads=desk.reads)
    known = await connections(caller=caller, desk=desk)
    found = next((each for each in known if each.name == reference), None)
    if found is None:
        names = ", ".join(f"{each.id} ({each.name})" for each in known[:20]) or "none yet"
        raise NotFound("connection", str(reference)[:80], next=(f"Yours are: {names}.",))
    return found


async def account(*, caller: Caller, desk: Desk) -> Account:
    """The caller's own."""
    return await desk.reads.account(caller.account)


async def machines(*, caller: Caller, desk: Desk) -> Sequence[Machine]:
    """The account's; an operator sees those of all accounts."""
    return await desk.reads.machines(None if caller.operator else caller.account)


async def machine(id: MachineId, *, caller: Caller, desk: Desk) -> Machine:
    """Raises NotFound."""
    return await desk.reads.machine(id, account=None if caller.operator else caller.account)


async def instances(*, caller: Caller, desk: Desk) -> Sequence[InstanceSeen]:
    """Those that the key may reach."""
    return [_fresh_instance(each, desk) for each in await _reached(caller, desk)]


async def _reached(caller: Caller, desk: Desk) -> Sequence[InstanceSeen]:
    found = await desk.reads.instances(caller.account)
    return [each for each in found if each.instance.id in caller.instances]


async def instance_id(reference: int | str, *, caller: Caller, desk: Desk) -> InstanceId:
    """The same without a look at one that is named by its id: whoever accepts an order looks."""
    if _is_id(reference):
        caller.must_reach(int(reference))
        return InstanceId(int(reference))
    return (await instance(reference, caller=caller, desk=desk)).instance.id


async def instance(reference: int | str, *, caller: Caller, desk: Desk) -> InstanceSeen:
    """By id or by label.

    Raises:
        NotFound: says which instances the caller has.
        Invalid: the label is on several machines.
        Forbidden: the key is limited to other instances.
    """
    if _is_id(reference):
        caller.must_reach(int(reference))
        seen = await desk.reads.instance(InstanceId(int(reference)), account=caller.account)
        return _fresh_instance(seen, desk)
    known = await _reached(caller, desk)
    found = [each for each in known if each.instance.label == reference]
    if not found:
        names = ", ".join(f"{each.instance.id} ({each.instance.label})" for each in known[:20])
        raise NotFound(
            "instance", str(reference)[:80], next=(f"Yours are: {names or 'none yet'}.",)
        )
    if len(found) > 1:
        ids = ", ".join(str(each.instance.id) for each in found)
        raise Invalid("instance", f"{reference!r} is on several machines; use an id: {ids}")
    return _fresh_instance(found[0], desk)


async def keys(*, caller: Caller, desk: Desk) -> Sequence[Key]:
    return await desk.reads.keys(caller.account)


def result_token(transfer: Transfer, *, vault: Vault) -> str:
    """The unguessable end of the transfer's result URL; the same each time."""
    return f"{transfer.id}.{vault.digest(_RESULT, transfer.id)[:24].hex()}"


async def result_text(token: str, *, desk: Desk) -> str:
    """What became of a copy, as plain text for whoever holds its result URL.

    Raises:
        NotFound: forged, expired, unknown or not finished yet: one answer for all.
    """
    id, _, proof = token.partition(".")
    if not proof.isascii() or not desk.vault.same(
        proof.encode(), desk.vault.digest(_RESULT, id)[:24].hex().encode()
    ):
        raise _no_result()
    try:
        found = (await desk.reads.transfer(TransferId(id), account=None)).transfer
    except NotFound:
        raise _no_result() from None
    if found.ended_at is None or desk.now() - found.ended_at > RESULT_LIFE:
        raise _no_result()
    return status.outcome(found)


def _no_result() -> NotFound:
    return NotFound(
        "result",
        "at this address",
        next=("If its copy is still running, ask again: it is there once the copy has ended.",),
    )


def _is_id(reference: int | str) -> bool:
    """Whether it is meant as one; names and labels are never all digits.

    Raises:
        NotFound: it is larger than any id.
    """
    written = str(reference)[:80]
    if not (written.isascii() and written.isdigit()):
        return False
    if int(written) > MAX_ID:
        raise NotFound("instance or connection", written)
    return True


def _fresh(seen: TransferSeen, desk: Desk) -> TransferSeen:
    if seen.transfer.state.final:
        return replace(seen, progress=None)
    return replace(seen, progress=desk.bus.latest(seen.transfer.id) or seen.progress)


def _fresh_instance(seen: InstanceSeen, desk: Desk) -> InstanceSeen:
    return replace(seen, latest=_fresh(seen.latest, desk)) if seen.latest else seen
