"""Public SSH keys of the account, and in instances."""

from functools import partial

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.pages import Listing, pages
from cloudcopy.wire.v1 import SshKeyPage, SshKeyView


class SshKeys:
    """`client.ssh_keys`. An instance that is created gets all that the account has."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self, *, instance: int | None = None) -> Listing[SshKeyView]:
        """The account's, or those in an instance."""
        return Listing(pages(partial(self._calls.get, _place(instance), SshKeyPage), {}))

    async def add(self, public_key: str, *, instance: int | None = None) -> SshKeyView:
        """Add a key, which is one line of a ``.pub`` file; into an instance, too, if given.

        The same again is the same.
        """
        body = {"public_key": public_key}
        return await self._calls.post(_place(instance), SshKeyView, body=body, repeatable=True)

    async def remove(self, id: int, *, instance: int | None = None) -> None:
        """Take it from the account, or out of an instance; the other keeps it."""
        await self._calls.delete(f"{_place(instance)}/{id:d}")


def _place(instance: int | None) -> str:
    return "/v1/ssh-keys" if instance is None else f"/v1/instances/{instance:d}/ssh-keys"
