"""One copy, by each of the peers, timed from the wish to the end.

cloudcopy is timed through its API, from the POST until it says that the copy has ended, so
its queue, its agent and its comparison of both sides are included. Plain `rclone copy`
compares nothing afterwards; `rclone copy` followed by `rclone check` is the like of it.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cloudcopy.sdk import Client
from demo.seaweed import S3

INSTANCE: Final = "bench"
CONNECTION: Final = "store"
BUCKET: Final = "bench"


@dataclass(frozen=True, slots=True)
class Way:
    """A direction between `local`, below the instance's root, and `prefix`, in the bucket."""

    upload: bool
    local: str
    prefix: str


Copy = Callable[[Way], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cloudcopy:
    """The system under test, through its client."""

    client: Client

    async def copy(self, way: Way) -> None:
        local, remote = f"/{way.local}", f"{BUCKET}/{way.prefix}"
        transfer = await self.client.transfers.create(
            instance=INSTANCE,
            connection=CONNECTION,
            direction="instance_to_cloud" if way.upload else "cloud_to_instance",
            src=local if way.upload else remote,
            dst=remote if way.upload else local,
            flags=[],
        )
        ended = await self.client.transfers.wait(transfer.id)
        if ended.state != "succeeded":
            raise RuntimeError(f"cloudcopy: {ended.state}: {ended.reason}")


@dataclass(frozen=True, slots=True)
class Rclone:
    """rclone by hand, with the same binary and its own defaults.

    Attributes:
        check: Compare both sides afterwards, as cloudcopy does.
    """

    binary: Path
    root: Path
    s3: S3 = field(repr=False)
    check: bool

    async def copy(self, way: Way) -> None:
        local, remote = str(self.root / way.local), f"R:{BUCKET}/{way.prefix}"
        source, target = (local, remote) if way.upload else (remote, local)
        await self._run("copy", source, target)
        if self.check:
            await self._run("check", "--one-way", source, target)

    async def _run(self, *words: str) -> None:
        options = {**self.s3.parameters, "type": "s3", "no_check_bucket": "true"}
        process = await asyncio.create_subprocess_exec(
            self.binary,
            *words,
            env={
                "PATH": os.environ["PATH"],
                "RCLONE_CONFIG": "/dev/null",
                **{f"RCLONE_CONFIG_R_{name.upper()}": value for name, value in options.items()},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, told = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"rclone {words[0]}: {told.decode(errors='replace')[-500:]}")


async def seconds(copy: Copy, way: Way) -> float:
    started = time.perf_counter()
    await copy(way)
    return time.perf_counter() - started
