"""Accounts: for operators."""

from functools import partial

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.pages import Listing, pages
from cloudcopy.wire.v1 import AccountPage, AccountView, CreatedAccount


class Accounts:
    """`client.accounts`. Each call needs a key of an operator's account."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> Listing[AccountView]:
        """All accounts of the server, oldest first."""
        return Listing(pages(partial(self._calls.get, "/v1/accounts", AccountPage), {}))

    async def create(self, *, name: str, operator: bool = False) -> CreatedAccount:
        """Make an account and a key to it, which is shown only here."""
        body = {"name": name, "operator": operator}
        return await self._calls.post("/v1/accounts", CreatedAccount, body=body)
