"""What people do with connections. Credentials go in; they never come out again."""

from dataclasses import dataclass

from cloudcopy.domain.connection import (
    INSTANCE,
    PROVIDERS,
    Backend,
    Connection,
    ConnectionId,
    NewConnection,
    backend,
)
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.paths import RemotePath
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.engine import Probe
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once."""

    open_store: OpenStore
    reads: Reads
    vault: Vault
    probe: Probe
    now: Clock


async def create(
    new: NewConnection, *, caller: Caller, desk: Desk, test: bool = True
) -> Connection:
    """Keep a connection, its secrets sealed, after it has been shown to work.

    Args:
        test: List its top once first. A `local` directory lies on a machine, not here, so
            it is first looked at when it is used.

    Raises:
        StoreUnreachable: the test failed; nothing was kept.
        Conflict: ``name_taken``.
    """
    if test and new.cloud_type != "local":
        await desk.probe.check(backend(new.cloud_type, new.parameters), RemotePath(new.root))
    secret = PROVIDERS[new.cloud_type].secret
    async with desk.open_store() as store:
        connection = await store.connections.add(
            account=caller.account,
            name=new.name,
            cloud_type=new.cloud_type,
            root=new.root,
            shown=new.shown,
            at=desk.now(),
        )
        hidden = {key: value for key, value in new.parameters.items() if key in secret}
        sealed = desk.vault.seal(hidden, context=context(connection.id))
        await store.connections.seal(connection.id, sealed)
    return connection


async def test(id: ConnectionId, *, caller: Caller, desk: Desk) -> None:
    """List the connection's top once.

    Raises:
        NotFound: no such connection.
        Conflict: ``not_testable``: it is a directory on a machine.
        StoreUnreachable: it does not work; says why and what to do.
    """
    await own(id, caller=caller, reads=desk.reads)
    connection, opened_ = await opened(
        id, account=caller.account, reads=desk.reads, vault=desk.vault
    )
    if connection.cloud_type == "local":
        raise Conflict(
            "A local directory lies on a machine and cannot be tested from here.",
            code="not_testable",
            next=("Copy something with --dry-run.",),
        )
    await desk.probe.check(opened_, RemotePath(connection.root))


async def remove(id: ConnectionId, *, caller: Caller, desk: Desk) -> None:
    """Forget the connection and its secrets. Past transfers still name it.

    Raises:
        NotFound: no such connection.
        Conflict: ``connection_in_use``: a live transfer needs it.
    """
    await own(id, caller=caller, reads=desk.reads)
    async with desk.open_store() as store:
        await store.connections.get(id, account=caller.account)
        live = await store.transfers.live_on(id)
        if live:
            raise Conflict(
                f"Connection {id} is used by {len(live)} live transfers, {live[0].id} among them.",
                code="connection_in_use",
                next=("Cancel them or wait for their end, then remove it.",),
            )
        await store.connections.remove(id)


async def own(id: ConnectionId, *, caller: Caller, reads: Reads) -> Connection:
    """A connection that the caller made; one that stands for an instance is nobody's.

    Raises:
        NotFound: no such connection.
    """
    found = await reads.connection(id, account=caller.account)
    if found.cloud_type == INSTANCE:
        raise NotFound("connection", id)
    return found


async def opened(
    id: ConnectionId, *, account: AccountId, reads: Reads, vault: Vault
) -> tuple[Connection, Backend]:
    """The connection and, for memory only, the store it stands for.

    Raises:
        NotFound: no such connection, or its secrets are gone.
        Unavailable: the secrets do not open with this server's master key.
    """
    connection = await reads.connection(id, account=account)
    sealed = await reads.sealed(id)
    secrets = vault.open(sealed, context=context(id))
    return connection, backend(connection.cloud_type, {**connection.shown, **secrets})


def context(id: ConnectionId) -> str:
    """What a connection's secrets are bound to when they are sealed."""
    return f"connection:{id}"
