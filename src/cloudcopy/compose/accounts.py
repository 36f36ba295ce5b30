"""`cloudcopy account`: accounts, made and listed on the server itself.

It opens the database beside a server that may be running: whoever can read the data directory
needs no key.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from cloudcopy.adapters import system
from cloudcopy.adapters.sql.database import open_database
from cloudcopy.adapters.sql.reads import SqlReads
from cloudcopy.adapters.sql.store import open_store
from cloudcopy.adapters.vault import FileVault
from cloudcopy.compose.commands import DataDir, run_to_end
from cloudcopy.compose.settings import DEFAULT_DATA_DIR
from cloudcopy.control import accounts, keys
from cloudcopy.domain.accounts import Account
from cloudcopy.domain.errors import Unavailable

app = App(name="account", help_epilogue="")

AsJson = Annotated[
    bool, Parameter(name="--json", negative=(), help="Write JSON, one value per line.")
]


@app.command
def create(
    name: Annotated[str, Parameter(help="Whose it is; unique on this server.")],
    /,
    *,
    operator: Annotated[
        bool,
        Parameter(negative=(), help="It may let machines in, give them up and make accounts."),
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> int:
    """Make an account and an API key to it, which is printed this once.

    The key is the only thing on stdout. The server may be running.
    """

    async def main(_: asyncio.Event) -> None:
        async with _desk(data_dir) as desk:
            account, _key, text = await accounts.create(name, operator=operator, desk=desk)
        if as_json:
            _print([_shown(account) | {"key": text}])
            return
        sys.stdout.write(f"{text}\n")
        sys.stderr.write(f"Account {account.id} ({name}) is there. Its key is shown this once.\n")

    return run_to_end(main)


@app.command(name="list")
def every(*, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> int:
    """List the accounts of this server."""

    async def main(_: asyncio.Event) -> None:
        async with _desk(data_dir) as desk:
            found = await accounts.every(reads=desk.reads)
        if as_json:
            _print([[_shown(each) for each in found]])
            return
        for each in found:
            role = "operator" if each.operator else "user"
            sys.stdout.write(f"{each.id}\t{each.name}\t{role}\n")

    return run_to_end(main)


@asynccontextmanager
async def _desk(data_dir: Path) -> AsyncIterator[keys.Desk]:
    """Raises Unavailable: no server has ever run from there."""
    home = await asyncio.to_thread(lambda: data_dir.expanduser().absolute())
    path = home / "cloudcopy.db"
    if not await asyncio.to_thread(path.is_file):
        raise Unavailable(
            f"There is no server's database in {home}.",
            next=("Name the server's own directory with --data-dir, or start it once.",),
        )
    vault = await asyncio.to_thread(FileVault.at, home / "master.key")
    async with open_database(path) as database:
        yield keys.Desk(partial(open_store, database), SqlReads(database), vault, system.utc_now)


def _shown(account: Account) -> dict[str, Any]:
    return {"id": account.id, "name": account.name, "operator": account.operator}


def _print(values: Sequence[object]) -> None:
    for each in values:
        sys.stdout.write(f"{json.dumps(each)}\n")
