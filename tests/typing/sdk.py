"""The types of both clients, as mypy sees them (`make check`). Nothing here is run."""

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import assert_type

from cloudcopy import Client, SyncClient
from cloudcopy.sdk import (
    ConnectionView,
    CreatedKey,
    FileView,
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
    assert_type(client.keys.create(name="ci"), CreatedKey)
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
