"""The types of both clients, as mypy sees them (`make check`). Nothing here is run."""

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import assert_type

from cloudcopy import Client, SyncClient
from cloudcopy.sdk import (
    AccountView,
    ConnectionView,
    CreatedAccount,
    CreatedKey,
    FileView,
    InstanceView,
    OfferView,
    RunView,
    ScheduleView,
    SshKeyView,
    SyncTransfer,
    Transfer,
    TransferView,
)
from cloudcopy.sdk.events import Told


def blocks(client: SyncClient) -> None:
    made = client.transfers.create(
        instance="here",
        connection=1001,
        direction="instance_to_cloud",
        src="/data",
        dst="bucket/data",
        compare="checksum",
    )
    assert_type(made, SyncTransfer)
    assert_type(made.wait(), TransferView)
    assert_type(client.transfers.wait(made.id, print), TransferView)
    assert_type(client.transfers.get(made.id), TransferView)
    assert_type(client.transfers.list(states=("running",)), Generator[TransferView, None, None])
    assert_type(client.transfers.files(made.id), Generator[FileView, None, None])
    assert_type(client.transfers.events(made.id), Generator[Told, None, None])
    assert_type(client.plans.apply(made.id, confirm_deletions=3), SyncTransfer)
    assert_type(client.connections.list(), Generator[ConnectionView, None, None])
    assert_type(client.connections.find("lab"), ConnectionView)
    assert_type(client.keys.create(name="ci", permissions={"api": {}}), CreatedKey)
    assert_type(client.schedules.list(), Generator[ScheduleView, None, None])
    assert_type(client.schedules.run(5), RunView)
    assert_type(client.accounts.list(), Generator[AccountView, None, None])
    assert_type(client.accounts.create(name="lab"), CreatedAccount)
    assert_type(client.instances.offers(), Generator[OfferView, None, None])
    assert_type(client.instances.create(offer=10000001), InstanceView)
    assert_type(client.instances.execute(102, "ls"), str)
    assert_type(client.ssh_keys.list(instance=102), Generator[SshKeyView, None, None])
    client.schedules.create(instance=1)  # type: ignore[call-arg]
    client.instances.create(offer=1, state="rebooting")  # type: ignore[arg-type]
    client.transfers.get(5)  # type: ignore[arg-type]
    client.transfers.create(instance=1)  # type: ignore[call-arg]
    client.transfers.files(made.id, outcomes=["fialed"])  # type: ignore[list-item]


async def awaits(client: Client) -> None:
    made = await client.plans.create(
        instance="here",
        connection=1001,
        direction="instance_to_cloud",
        src="/data",
        dst="bucket/data",
        mode="mirror",
    )
    assert_type(made, Transfer)
    assert_type(await made.wait(), TransferView)
    assert_type(client.transfers.files(made.id), AsyncGenerator[FileView, None])
    assert_type(client.transfers.files_at_once(made.id), AsyncGenerator[Sequence[FileView], None])
    assert_type(await client.connections.list(), list[ConnectionView])
    assert_type(await client.schedules.list(), list[ScheduleView])
    assert_type(await client.instances.offers(), list[OfferView])
