"""`cloudcopy account`, as a program beside an open database."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from cloudcopy.adapters import system
from cloudcopy.adapters.sql.database import open_database
from cloudcopy.adapters.sql.reads import SqlReads
from cloudcopy.adapters.sql.store import open_store
from cloudcopy.adapters.vault import FileVault
from cloudcopy.cli import exits
from cloudcopy.control import keys
from cloudcopy.domain.keys import EVERYTHING


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[keys.Desk]:
    """A server's own, open all the time."""
    async with open_database(tmp_path / "cloudcopy.db") as database:
        vault = FileVault.at(tmp_path / "master.key")
        yield keys.Desk(partial(open_store, database), SqlReads(database), vault, system.utc_now)


def account(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloudcopy.compose.main", "account", *words]
    return subprocess.run(
        [*command, f"--data-dir={data_dir}"], capture_output=True, text=True, check=False
    )


async def test_an_account_is_made_beside_a_running_server_and_its_key_works(
    desk: keys.Desk, tmp_path: Path
):
    made = account(tmp_path, "create", "lab")
    assert (made.returncode, len(made.stdout.splitlines())) == (exits.DONE, 1)
    assert made.stdout.strip() not in made.stderr
    caller = await keys.prove(made.stdout, desk=desk)
    assert (caller.account, caller.operator, caller.rights) == (2, False, EVERYTHING)

    chief = json.loads(account(tmp_path, "create", "chief", "--operator", "--json").stdout)
    assert (await keys.prove(chief.pop("key"), desk=desk)).operator
    assert chief == {"id": 3, "name": "chief", "operator": True}

    taken = account(tmp_path, "create", "lab")
    assert (taken.returncode, taken.stdout) == (exits.FAILED, "")
    assert "called 'lab' already" in taken.stderr

    listed = account(tmp_path, "list")
    assert listed.stdout == "1\tdefault\toperator\n2\tlab\tuser\n3\tchief\toperator\n"


def test_where_no_server_was_nothing_is_made(tmp_path: Path):
    refused = account(tmp_path / "nowhere", "list", "--json")
    assert (refused.returncode, refused.stdout) == (exits.FAILED, "")
    assert "There is no server's database" in refused.stderr
    assert list(tmp_path.iterdir()) == []
