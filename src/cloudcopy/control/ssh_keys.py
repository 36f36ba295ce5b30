"""The account's public SSH keys. Those that are there when an instance is created go into it."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloudcopy.domain.keys import Caller
from cloudcopy.domain.ssh import SshKey, SshKeyId, public_key
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions here need, built once."""

    open_store: OpenStore
    reads: Reads
    now: Clock


async def add(text: str, *, field: str, caller: Caller, desk: Desk) -> SshKey:
    """Keep a key; the same again is the same.

    Raises:
        Invalid: it is no public key.
        Conflict: there are too many.
    """
    line = public_key(text, field=field)
    async with desk.open_store() as store:
        return await store.ssh_keys.add(line, account=caller.account, at=desk.now())


async def every(*, caller: Caller, desk: Desk) -> Sequence[SshKey]:
    return await desk.reads.ssh_keys(caller.account)


async def change(id: SshKeyId, text: str, *, field: str, caller: Caller, desk: Desk) -> SshKey:
    """Put another key in its place, also in the instances that have it.

    Raises:
        Invalid: it is no public key.
        NotFound: no such key.
    """
    line = public_key(text, field=field)
    async with desk.open_store() as store:
        return await store.ssh_keys.change(id, line, account=caller.account)


async def remove(id: SshKeyId, *, caller: Caller, desk: Desk) -> None:
    """Take it from the account. Instances that have it keep it: detach it there.

    Raises:
        NotFound: no such key.
    """
    async with desk.open_store() as store:
        await store.ssh_keys.remove(id, account=caller.account)
