"""Accounts: who owns machines, instances, connections, keys and transfers."""

from dataclasses import dataclass
from typing import Final

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import AccountId

MAX_NAME: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user's, or one team's. Names are unique on a server.

    Attributes:
        operator: Its keys may let machines in, give them up and make accounts.
    """

    id: AccountId
    name: str
    operator: bool = False


def checked_name(name: str) -> str:
    """Raises Invalid: it is empty, too long or unprintable."""
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise Invalid("name", f"must be 1 to {MAX_NAME} printable characters, no space around")
    return name
