"""Accounts: what is asked for and what is shown."""

from pydantic import Field

from cloudcopy.wire.v1.shape import Body, View


class NewAccount(Body):
    name: str
    operator: bool = Field(
        default=False,
        description="Its keys may let machines in, give them up and make accounts.",
    )


class AccountView(View):
    id: int
    name: str
    operator: bool


class AccountPage(View):
    data: list[AccountView]
    next_cursor: str | None = None


class CreatedAccount(AccountView):
    """`key` may do everything in the new account. It is shown this once."""

    key_id: str
    key: str
