"""Copies from one instance to another: who stands for the source, and how it is reached."""

from cloudcopy.control.transfers import Desk
from cloudcopy.domain import between
from cloudcopy.domain.connection import INSTANCE, Connection, ConnectionId
from cloudcopy.domain.errors import Conflict
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import InstanceId
from cloudcopy.domain.transfer import Transfer
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.relays import Relays, Wanted
from cloudcopy.wire import agent as wire
from cloudcopy.wire import relay as words


async def standing_for(source: InstanceId, *, caller: Caller, desk: Desk) -> ConnectionId:
    """The connection that stands for an instance, made when there is none.

    Raises:
        NotFound: the instance is not the caller's.
        Forbidden: the caller's key is limited to other instances.
    """
    caller.must_reach(source)
    name = between.name(source)
    async with desk.open_store() as store:
        instance = await store.machines.instance(source, account=caller.account)
        known = await store.connections.named(name, account=caller.account)
        if known is not None:
            return known.id
        try:
            made = await store.connections.add(
                account=caller.account,
                name=name,
                cloud_type=INSTANCE,
                root="",
                shown=between.shown(instance.id),
                at=desk.now(),
            )
        except Conflict:  # somebody else was faster
            known = await store.connections.named(name, account=caller.account)
            if known is None:
                raise
            made = known
    return made.id


async def grant(
    transfer: Transfer, connection: Connection, *, reads: Reads, relays: Relays
) -> dict[str, str]:
    """The options by which the destination's agent reaches the source: directly where both are
    on one machine, else through a relay of this attempt.

    Raises:
        NotFound: the source's instance is gone.
        Conflict: it cannot be reached; says why.
    """
    source = between.source_of(connection)
    instance = (await reads.instance(source, account=transfer.account)).instance
    if not relays.takes_part(transfer.machine):
        raise Conflict(
            "The agent of the destination's machine is too old to copy between instances. "
            "Install this server's cloudcopy version there, then retry."
        )
    path = transfer.order.remote.value
    if instance.machine == transfer.machine:
        return {words.WAY: words.DIRECT, words.INSTANCE: instance.label, words.SOURCE_PATH: path}
    opened = await relays.open(
        Wanted(
            transfer=transfer.id,
            attempt=transfer.attempt,
            fence=transfer.fence,
            target=transfer.machine,
            source=instance.machine,
            label=instance.label,
            path=path,
        )
    )
    return {words.WAY: words.RELAY, words.TOKEN: opened.token, words.NAME: opened.name}


def granted(wanted: wire.NeedBackend, options: dict[str, str]) -> wire.BackendGranted:
    return wire.BackendGranted(
        transfer=wanted.transfer,
        attempt=wanted.attempt,
        backend=INSTANCE,
        options=options,
        root="",
    )
