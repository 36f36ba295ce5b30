"""Accounts in the native API: for operators."""

from fastapi import APIRouter

from cloudcopy.control import accounts
from cloudcopy.http.callers import App, Native, needs
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import v1

router = APIRouter(prefix="/v1/accounts", tags=["Accounts"])


@router.post("", summary="create an account", status_code=201, responses=PROBLEMS)
@needs("team_write", "api.account.change", operator=True)
async def create(body: v1.NewAccount, caller: Native, app: App) -> v1.CreatedAccount:
    """A new account, and a key to it that may do everything there, shown this once."""
    account, key, text = await accounts.create(
        body.name, operator=body.operator, desk=app.keys, caller=caller
    )
    return v1.CreatedAccount(
        id=account.id, name=account.name, operator=account.operator, key_id=key.id, key=text
    )


@router.get("", summary="list accounts", responses=PROBLEMS)
@needs("team_read", "api.account.show", operator=True)
async def every(caller: Native, app: App) -> v1.AccountPage:
    """All accounts of this server, oldest first."""
    found = await accounts.every(reads=app.reads)
    return v1.AccountPage(
        data=[v1.AccountView(id=each.id, name=each.name, operator=each.operator) for each in found]
    )
