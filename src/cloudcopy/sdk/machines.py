"""Machines: the hosts that run an agent."""

from functools import partial

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.pages import Listing, pages
from cloudcopy.sdk.references import as_id, only
from cloudcopy.wire.v1 import GivenUp, JoinToken, MachinePage, MachineView


class Machines:
    """`client.machines`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> Listing[MachineView]:
        return Listing(pages(partial(self._calls.get, "/v1/machines", MachinePage), {}))

    async def get(self, id: int) -> MachineView:
        return await self._calls.get(f"/v1/machines/{id:d}", MachineView)

    async def find(self, reference: int | str) -> MachineView:
        """The machine with this id or name; digits are an id."""
        if (id := as_id(reference)) is not None:
            return await self.get(id)
        called = [each for each in await self.list() if each.name == reference]
        return only(called, kind="machine", name=str(reference))

    async def new_token(self, *, account: int | None = None) -> JoinToken:
        """A token with which one machine may join, once. It is shown only here.

        The machine and its instances will belong to `account`; None is the key's own. Both
        this and `give_up` need an operator's key.
        """
        body = None if account is None else {"account": account}
        return await self._calls.post("/v1/machines/tokens", JoinToken, body=body)

    async def give_up(self, id: int) -> GivenUp:
        """End every live transfer of a machine as failed, because it will not come back.

        Only for a machine that is truly gone: one that is merely silent may still be copying.
        """
        return await self._calls.post(f"/v1/machines/{id:d}/give-up", GivenUp, repeatable=True)
