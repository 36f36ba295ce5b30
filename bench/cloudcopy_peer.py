"""The system under test, through its API: from the POST until it says that the copy succeeded.

So its queue, its agent, its proof of each file and the control plane's own look at the store
are all in the time.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.way import Failed, Way
from cloudcopy.sdk import Client

INSTANCE: Final = "bench"
CLOUDCOPY: Final = "cloudcopy"


@dataclass(slots=True)
class Cloudcopy:
    """Attributes:
    root: The instance's directory; every `Way.local` is below it.
    """

    client: Client
    root: Path
    name: str = CLOUDCOPY
    _connections: dict[str, str] = field(default_factory=dict)

    async def connect(self, way: Way) -> str:
        """The connection to this store from this far, made the first time."""
        known = self._connections.get(way.store.endpoint)
        if known is None:
            known = f"store-{len(self._connections)}"
            await self.client.connections.create(
                name=known, cloud_type="s3", parameters=way.store.parameters, test=False
            )
            self._connections[way.store.endpoint] = known
        return known

    async def copy(self, way: Way) -> None:
        local, remote = f"/{way.local.relative_to(self.root)}", f"{way.bucket}/{way.prefix}"
        transfer = await self.client.transfers.create(
            instance=INSTANCE,
            connection=await self.connect(way),
            direction="instance_to_cloud" if way.upload else "cloud_to_instance",
            src=local if way.upload else remote,
            dst=remote if way.upload else local,
            flags=[],
        )
        ended = await self.client.transfers.wait(transfer.id)
        if ended.state != "succeeded":
            raise Failed(f"{ended.state}: {ended.reason}")
