"""Accounts: made by operators, each with its first key."""

from collections.abc import Sequence

from cloudcopy.control import keys
from cloudcopy.domain.accounts import Account, checked_name
from cloudcopy.domain.errors import Forbidden
from cloudcopy.domain.keys import Caller, Key
from cloudcopy.domain.permissions import FULL
from cloudcopy.ports.reads import Reads

FIRST_KEY = "owner"


async def create(
    name: str, *, operator: bool, desk: keys.Desk, caller: Caller | None = None
) -> tuple[Account, Key, str]:
    """A new account, and a key to it that may do everything there.

    Args:
        caller: None on the server itself, where the data directory is the proof.

    Raises:
        Invalid: the name cannot be one.
        Conflict: ``name_taken``.
        Forbidden: ``stronger_key``: with a limited key nobody makes another operator.
    """
    checked_name(name)
    if caller is not None and operator and not caller.rights.permissions.covers(FULL):
        raise Forbidden(
            "An operator's account may do everything, and this key may not.",
            code="stronger_key",
            next=("Use a key without limits.",),
        )
    async with desk.open_store() as store:
        account = await store.accounts.add(name, operator=operator)
    key, text = await keys.create(FIRST_KEY, account=account.id, desk=desk)
    return account, key, text


async def every(*, reads: Reads) -> Sequence[Account]:
    """All accounts, oldest first. Whoever asks has been proven to be an operator."""
    return await reads.accounts()
