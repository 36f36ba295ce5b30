"""Connections: named cloud stores."""

from collections.abc import Mapping
from functools import partial

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.pages import Listing, pages
from cloudcopy.sdk.references import as_id, only
from cloudcopy.wire.v1 import ConnectionPage, ConnectionTest, ConnectionView


class Connections:
    """`client.connections`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def create(
        self,
        *,
        name: str,
        cloud_type: str,
        parameters: Mapping[str, str | int | bool | None],
        test: bool = True,
    ) -> ConnectionView:
        """Keep a store's credentials, sealed, after the server has tried them.

        `parameters` are rclone's own options for that backend. With `test=False` they are
        kept untried.
        """
        # Not the pydantic model: its error for a wrong value would quote the value.
        body = {"name": name, "cloud_type": cloud_type, "parameters": dict(parameters)}
        return await self._calls.post(
            "/v1/connections",
            ConnectionView,
            body=body,
            params={"test": "true" if test else "false"},
        )

    def list(self) -> Listing[ConnectionView]:
        """All of them, without their secrets."""
        return Listing(pages(partial(self._calls.get, "/v1/connections", ConnectionPage), {}))

    async def get(self, id: int) -> ConnectionView:
        return await self._calls.get(f"/v1/connections/{id:d}", ConnectionView)

    async def find(self, reference: int | str) -> ConnectionView:
        """The connection with this id or name; digits are an id."""
        if (id := as_id(reference)) is not None:
            return await self.get(id)
        called = [each for each in await self.list() if each.name == reference]
        return only(called, kind="connection", name=str(reference))

    async def test(self, id: int) -> ConnectionTest:
        """Let the server list the store's top once. A store that refuses is no error."""
        return await self._calls.post(
            f"/v1/connections/{id:d}/test", ConnectionTest, repeatable=True
        )

    async def remove(self, id: int) -> None:
        """Forget the connection and its credentials. Refused while a live transfer uses it."""
        await self._calls.delete(f"/v1/connections/{id:d}")
