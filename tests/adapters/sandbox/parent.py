"""A stand-in for the agent, to be killed: starts a cell, prints rclone's pid, and waits.

python parent.py SANDBOX TOP OWNER
"""

import asyncio
import sys
from pathlib import Path

from tests.adapters.sandbox.cells import SANDBOXES, Ground, running


async def main(name: str, top: str, owner: str) -> None:
    ground = Ground(Path(top), int(owner))
    async with running(SANDBOXES[name](), ground, ground.source()) as cell:
        print(cell.confined.pid, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
