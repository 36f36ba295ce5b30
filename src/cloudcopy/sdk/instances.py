"""Instances: the directories that can be copied from and to."""

from functools import partial

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.pages import Listing, pages
from cloudcopy.sdk.references import as_id, only
from cloudcopy.wire.v1 import InstancePage, InstanceView


class Instances:
    """`client.instances`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> Listing[InstanceView]:
        return Listing(pages(partial(self._calls.get, "/v1/instances", InstancePage), {}))

    async def get(self, id: int) -> InstanceView:
        return await self._calls.get(f"/v1/instances/{id:d}", InstanceView)

    async def find(self, reference: int | str) -> InstanceView:
        """The instance with this id or label; digits are an id."""
        if (id := as_id(reference)) is not None:
            return await self.get(id)
        called = [each for each in await self.list() if each.label == reference]
        return only(called, kind="instance", name=str(reference))
