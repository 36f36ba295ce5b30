"""API keys."""

from functools import partial

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.errors import NotFound
from cloudcopy.sdk.pages import Listing, pages
from cloudcopy.wire.v1 import CreatedKey, KeyPage, KeyView


class Keys:
    """`client.keys`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> Listing[KeyView]:
        """All keys, revoked ones included; never the keys themselves."""
        return Listing(pages(partial(self._calls.get, "/v1/keys", KeyPage), {}))

    async def create(self, *, name: str) -> CreatedKey:
        """Make a key. It is shown only here."""
        return await self._calls.post("/v1/keys", CreatedKey, body={"name": name})

    async def revoke(self, id: str) -> None:
        """Make a key useless from now on."""
        if not (id.isascii() and id.isalnum()):  # it becomes a part of the path
            raise NotFound(404, "A key's id is 12 letters and digits.", code="no_such_key")
        await self._calls.delete(f"/v1/keys/{id}")
