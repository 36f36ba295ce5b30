import os
from pathlib import Path

import pytest

from cloudcopy.adapters.sandbox.bubblewrap import Bubblewrap
from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.adapters.sandbox.landlock import Landlock
from tests.adapters.sandbox.cells import SANDBOXES, Ground

# Root's agent runs rclone as the instance's user; pytest's directories are closed to that one.
OWNERS = [os.geteuid(), 4321] if os.geteuid() == 0 else [os.geteuid()]


@pytest.fixture(params=OWNERS, ids="uid-{}".format)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    return Ground(tmp_path, request.param).lay()


async def _made(name: str) -> Sandbox:
    sandbox = SANDBOXES[name]()
    if isinstance(sandbox, Bubblewrap | Landlock) and not await sandbox.usable():
        pytest.skip(f"{name} does not work on this machine")
    return sandbox


@pytest.fixture(params=["bubblewrap", "landlock"])
async def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each that confines."""
    return await _made(request.param)


@pytest.fixture(params=["bubblewrap", "landlock", "unconfined"])
async def any_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return await _made(request.param)
