"""The door to a cloudcopy server for code that does not await.

with SyncClient("http://127.0.0.1:8420", key) as client:
    transfer = client.transfers.create(
        instance="here", connection="my-s3", direction="instance_to_cloud",
        src="/data", dst="my-bucket/data",
    )
    ended = transfer.wait()
    print(ended.state, ended.result.summary)

It is the async client in a thread of its own (`sdk.blocking`): the same methods, arguments,
errors and tries. It may be used from several threads, and where an event loop runs.
"""

import asyncio
import random
import secrets
import weakref
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import closing, suppress
from inspect import isawaitable
from types import TracebackType
from typing import Self

import httpx2
from pydantic import PrivateAttr

from cloudcopy.sdk.accounts import Accounts
from cloudcopy.sdk.blocking import Blocking, Loop, blocking, flattening, iterated, iterating, mapped
from cloudcopy.sdk.calls import Chance, Sleep
from cloudcopy.sdk.client import DEFAULT_TIMEOUT_SECONDS, Client
from cloudcopy.sdk.connections import Connections
from cloudcopy.sdk.instances import Instances
from cloudcopy.sdk.keys import Keys
from cloudcopy.sdk.machines import Machines
from cloudcopy.sdk.plans import Checks, Plans
from cloudcopy.sdk.schedules import Schedules
from cloudcopy.sdk.ssh_keys import SshKeys
from cloudcopy.sdk.transfers import Transfers
from cloudcopy.sdk.waiting import Show, Transfer
from cloudcopy.wire.v1 import TransferView


class SyncTransfer(TransferView):
    """A transfer, plan or check that was just accepted, and can be waited for."""

    _wait: Callable[[Show | None], TransferView] = PrivateAttr()

    @classmethod
    def of(cls, loop: Loop, made: Transfer) -> Self:
        turned = cls.model_construct(**dict(made))
        turned._wait = lambda show: _end(loop, made.watch(), show)
        return turned

    def wait(self, on_progress: Show | None = None) -> TransferView:
        """The same as `client.transfers.wait` with its id."""
        return self._wait(on_progress)

    def __eq__(self, other: object) -> bool:
        """Equal to any view of the same content."""
        return isinstance(other, TransferView) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]  # as its lists have none


class SyncTransfers(Blocking[Transfers]):
    """`client.transfers`."""

    create = mapped(Transfers.create, SyncTransfer.of)
    get = blocking(Transfers.get)
    list = iterating(Transfers.list)
    cancel = blocking(Transfers.cancel)
    pause = blocking(Transfers.pause)
    resume = blocking(Transfers.resume)
    retry = blocking(Transfers.retry)
    limit = blocking(Transfers.limit)
    files = flattening(Transfers.files_at_once)
    files_at_once = iterating(Transfers.files_at_once)
    files_to = blocking(Transfers.files_to)
    log = blocking(Transfers.log)
    receipt = blocking(Transfers.receipt)
    events = iterating(Transfers.events)
    watch = iterating(Transfers.watch)

    def wait(self, id: str, on_progress: Show | None = None) -> TransferView:
        """Wait until the transfer has ended, whatever its end is, and return it.

        As that of the async client; `on_progress` is called in the caller's own thread.
        """
        return _end(self._loop, self._noun.watch(id), on_progress)


class SyncPlans(Blocking[Plans]):
    """`client.plans`."""

    create = mapped(Plans.create, SyncTransfer.of)
    apply = mapped(Plans.apply, SyncTransfer.of)
    approve = blocking(Plans.approve)
    get = blocking(Plans.get)
    list = iterating(Plans.list)


class SyncChecks(Blocking[Checks]):
    """`client.checks`."""

    create = mapped(Checks.create, SyncTransfer.of)
    get = blocking(Checks.get)
    list = iterating(Checks.list)


class SyncSchedules(Blocking[Schedules]):
    """`client.schedules`."""

    create = blocking(Schedules.create)
    list = iterating(Schedules.list)
    get = blocking(Schedules.get)
    change = blocking(Schedules.change)
    pause = blocking(Schedules.pause)
    resume = blocking(Schedules.resume)
    run = blocking(Schedules.run)
    delete = blocking(Schedules.delete)


class SyncConnections(Blocking[Connections]):
    """`client.connections`."""

    create = blocking(Connections.create)
    list = iterating(Connections.list)
    get = blocking(Connections.get)
    find = blocking(Connections.find)
    test = blocking(Connections.test)
    remove = blocking(Connections.remove)


class SyncInstances(Blocking[Instances]):
    """`client.instances`."""

    list = iterating(Instances.list)
    get = blocking(Instances.get)
    find = blocking(Instances.find)
    offers = iterating(Instances.offers)
    create = blocking(Instances.create)
    wait = blocking(Instances.wait)
    start = blocking(Instances.start)
    stop = blocking(Instances.stop)
    reboot = blocking(Instances.reboot)
    label = blocking(Instances.label)
    destroy = blocking(Instances.destroy)
    logs = blocking(Instances.logs)
    execute = blocking(Instances.execute)


class SyncMachines(Blocking[Machines]):
    """`client.machines`."""

    list = iterating(Machines.list)
    get = blocking(Machines.get)
    find = blocking(Machines.find)
    new_token = blocking(Machines.new_token)
    give_up = blocking(Machines.give_up)


class SyncKeys(Blocking[Keys]):
    """`client.keys`."""

    list = iterating(Keys.list)
    create = blocking(Keys.create)
    revoke = blocking(Keys.revoke)


class SyncAccounts(Blocking[Accounts]):
    """`client.accounts`."""

    list = iterating(Accounts.list)
    create = blocking(Accounts.create)


class SyncSshKeys(Blocking[SshKeys]):
    """`client.ssh_keys`."""

    list = iterating(SshKeys.list)
    add = blocking(SshKeys.add)
    remove = blocking(SshKeys.remove)


class SyncClient:
    """A client of one server, with one key, whose methods block. Use it with ``with``, or
    `close` it.

    Args:
        As those of `Client`.

    Raises:
        Unreachable: `url` is not an http address.
        Unauthenticated: `api_key` cannot be a key.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        chance: Chance = random.random,
        new_idempotency_key: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        client = Client(
            url,
            api_key,
            timeout=timeout,
            transport=transport,
            sleep=sleep,
            chance=chance,
            new_idempotency_key=new_idempotency_key,
        )
        self._loop = loop = Loop()
        self._client = client
        self._finish = weakref.finalize(self, _close, loop, client)  # also at the exit
        self.transfers = SyncTransfers(client.transfers, loop)
        self.plans = SyncPlans(client.plans, loop)
        self.checks = SyncChecks(client.checks, loop)
        self.schedules = SyncSchedules(client.schedules, loop)
        self.connections = SyncConnections(client.connections, loop)
        self.instances = SyncInstances(client.instances, loop)
        self.machines = SyncMachines(client.machines, loop)
        self.keys = SyncKeys(client.keys, loop)
        self.accounts = SyncAccounts(client.accounts, loop)
        self.ssh_keys = SyncSshKeys(client.ssh_keys, loop)

    def receipt_key(self) -> str:
        """The key that the server signs receipts with, in base64."""
        return self._loop.run(self._client.receipt_key())

    def close(self) -> None:
        """Close its connections and end its thread. Closing twice is the same as once."""
        self._finish()

    def __repr__(self) -> str:
        return f"Sync{self._client!r}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _close(loop: Loop, client: Client) -> None:
    """Holds no SyncClient, or that would never be garbage."""
    if loop.begun:
        with suppress(RuntimeError):  # in its own thread: what is open goes with the loop
            loop.run(client.__aexit__(None, None, None))
    loop.close()


def _end(loop: Loop, views: AsyncIterable[TransferView], show: Show | None) -> TransferView:
    """The last of the views; each is shown, in the caller's thread."""
    last: TransferView | None = None
    with closing(iterated(loop, views)) as found:
        for last in found:
            said = show(last) if show is not None else None
            if isawaitable(said):
                loop.run(_awaited(said))
    assert last is not None  # noqa: S101 - a watch yields before it ends
    return last


async def _awaited(said: Awaitable[None]) -> None:
    await said
