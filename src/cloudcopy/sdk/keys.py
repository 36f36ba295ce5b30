"""API keys."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

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

    async def create(
        self,
        *,
        name: str,
        permissions: Mapping[str, Any] | None = None,
        expires_at: datetime | None = None,
        expires_in: timedelta | None = None,
        requests_per_second: float | None = None,
        burst: int | None = None,
    ) -> CreatedKey:
        """Make a key. It is shown only here.

        Args:
            permissions: E.g. ``{"api": {"instance_read": {}}}``; None may do everything.
            expires_at: Aware. Otherwise `expires_in`, from now on the server's clock; whole
                seconds.
            requests_per_second: How often it may be used; None is as often as this key.
            burst: How often at once, after a pause.

        Raises:
            Forbidden: it would be stronger than the key of this client.
        """
        asked = {
            "name": name,
            "permissions": None if permissions is None else dict(permissions),
            "expires_at": expires_at.isoformat() if expires_at else None,
            "expires_in_seconds": int(expires_in.total_seconds()) if expires_in else None,
            "requests_per_second": requests_per_second,
            "burst": burst,
        }
        body = {field: value for field, value in asked.items() if value is not None}
        return await self._calls.post("/v1/keys", CreatedKey, body=body)

    async def revoke(self, id: str) -> None:
        """Make a key useless from now on, and those that were made with it, but not this
        client's own."""
        if not (id.isascii() and id.isalnum()):  # it becomes a part of the path
            raise NotFound(404, "A key's id is 12 letters and digits.", code="no_such_key")
        await self._calls.delete(f"/v1/keys/{id}")
