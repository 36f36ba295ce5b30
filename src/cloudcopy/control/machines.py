"""How machines join, log in, say what they have, and are given up."""

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cloudcopy.domain.errors import Forbidden, Invalid, NotFound
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import (
    JOIN_TOKEN_LIFE,
    MAX_INSTANCES_PER_MACHINE,
    AccountId,
    ActualStatus,
    Announced,
    Machine,
    MachineId,
    checked_label,
)
from cloudcopy.domain.transfer import GivenUp, step
from cloudcopy.domain.turns import Limits
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault
from cloudcopy.wire import agent as wire

_TOKEN: Final = "join-token"
PUBLIC_KEY_BYTES: Final = 32  # Ed25519, RFC 8032
MAX_NAME: Final = 120


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once.

    Attributes:
        heard: Machines of which it is not stored yet that their agents are there.
        hearing: A lock, held by who stores that; without one, each stores what it finds.
    """

    open_store: OpenStore
    vault: Vault
    bus: Bus
    now: Clock
    limits: Limits
    heard: dict[MachineId, datetime] = field(default_factory=dict)
    hearing: AbstractAsyncContextManager[object] = field(default_factory=nullcontext)


async def invite(
    *, caller: Caller, desk: Desk, account: AccountId | None = None
) -> tuple[str, datetime]:
    """A join token for one machine and when it expires. Only its hash is kept.

    Args:
        account: Whose the machine and its instances will be; the caller's own by default.
            Only an operator can name another.

    Raises:
        NotFound: there is no such account.
    """
    token = f"ccj_{desk.vault.new_secret()}"
    expires_at = desk.now() + JOIN_TOKEN_LIFE
    owner = caller.account if account is None else account
    async with desk.open_store() as store:
        await store.accounts.get(owner)
        await store.machines.add_token(
            desk.vault.digest(_TOKEN, token),
            account=owner,
            expires_at=expires_at,
        )
    return token, expires_at


async def enrol(token: str, *, public_key: bytes, name: str, desk: Desk) -> Machine:
    """Trade a join token for a machine that holds `public_key`'s private half.

    Repeating it with the same token and key gives the same machine.

    Raises:
        Forbidden: the token is unknown, expired, or was used with another key.
        Invalid: the key or the name has the wrong form.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise Invalid("public_key", f"must be the {PUBLIC_KEY_BYTES} bytes of an Ed25519 key")
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise Invalid("name", f"must be 1 to {MAX_NAME} printable characters")
    async with desk.open_store() as store:
        return await store.machines.enrol(
            desk.vault.digest(_TOKEN, token), public_key=public_key, name=name, at=desk.now()
        )


async def log_in(
    hello: wire.Hello, proof: wire.Proof, nonce: bytes, *, desk: Desk
) -> tuple[Machine, int]:
    """The machine behind a new socket and the epoch of this connection.

    Raises:
        Forbidden: it did not prove that it holds the machine's key, or speaks another protocol.
    """
    if hello.protocol != wire.PROTOCOL:
        raise Forbidden(
            f"This server speaks agent protocol {wire.PROTOCOL}, the agent {hello.protocol}.",
            next=("Install the same cloudcopy version on both.",),
        )
    async with desk.open_store() as store:
        try:
            machine = await store.machines.get(MachineId(hello.machine))
        except NotFound:
            raise _unproven() from None
        message = wire.CHALLENGE_CONTEXT + nonce
        if not desk.vault.verify(machine.public_key, message, proof.signature):
            raise _unproven()
        epoch = await store.machines.connected(machine.id, at=desk.now())
    return machine, epoch


def _unproven() -> Forbidden:
    return Forbidden(
        "This machine is unknown here, or its key is not the one it joined with.",
        next=("Enrol it again: cloudcopy machine token, then cloudcopy agent --join TOKEN.",),
    )


async def announce(told: wire.Announce, *, machine: MachineId, desk: Desk) -> dict[str, int]:
    """Keep what the machine says it has; returns each instance's id by label.

    Raises:
        Invalid: a label has the wrong form or stands twice, or there are too many.
    """
    if len(told.instances) > MAX_INSTANCES_PER_MACHINE:
        raise Invalid("instances", f"more than {MAX_INSTANCES_PER_MACHINE} on one machine")
    instances = [
        Announced(
            checked_label(each.label, field="label"), each.root[:4096], _status(each.actual_status)
        )
        for each in told.instances
    ]
    if len({each.label for each in instances}) != len(instances):
        raise Invalid("instances", "a label stands twice")
    async with desk.open_store() as store:
        known = await store.machines.announce(machine, instances, at=desk.now())
        offered = told.hardware.bounded() if told.hardware else None
        await store.instances.describe(machine, offered)
    return {each.label: each.id for each in known}


def _status(text: str) -> ActualStatus:
    try:
        return ActualStatus(text)
    except ValueError:
        return ActualStatus.UNKNOWN


async def heard(machine: MachineId, *, desk: Desk) -> None:
    """Note that the machine's agent is there, in one transaction with all that are heard while
    another runs: ten thousand agents are heard five hundred times a second.

    Raises:
        Unavailable: the database cannot be written.
    """
    desk.heard[machine] = desk.now()
    async with desk.hearing:
        if machine not in desk.heard:  # stored with another's
            return
        together = dict(desk.heard)
        desk.heard.clear()
        try:
            async with desk.open_store() as store:
                await store.machines.seen(together)
        except BaseException:
            for each, at in together.items():
                desk.heard.setdefault(each, at)
            raise


async def is_current(machine: Machine, epoch: int, *, reads: Reads) -> bool:
    """Whether the connection with this epoch is still the machine's newest."""
    return (await reads.machine(machine.id, account=machine.account)).epoch == epoch


async def give_up(id: MachineId, *, caller: Caller, desk: Desk) -> int:
    """End every live attempt of a machine that will not come back, as failed.

    The host may still be copying: whoever decides this says it no longer matters. If its
    agent does come back, it is told that these attempts are not wanted and stops them.

    Returns:
        How many attempts were ended.

    Raises:
        NotFound: the machine is not the caller's, and the caller is no operator.
    """
    event = GivenUp(desk.now())
    ended = []
    async with desk.open_store() as store:
        await store.machines.get(id, account=None if caller.operator else caller.account)
        for was in await store.transfers.live(id):
            if await store.transfers.save(step(was, event), was=was, at=event.at):
                ended.append(was)
        freed = dict.fromkeys(each.account for each in ended)
        turns = [await store.transfers.turns(each, desk.limits) for each in freed]
    for machine in dict.fromkeys([id, *(each for given in turns for each in given.values())]):
        desk.bus.ring(machine)
    for each in ended:
        desk.bus.moved(each.id)
    return len(ended)
