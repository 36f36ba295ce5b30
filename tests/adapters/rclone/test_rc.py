"""rclone's remote control: who may use it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone.process import Daemon, daemon
from cloudcopy.adapters.sandbox import launch
from cloudcopy.adapters.sandbox.beneath import open_source
from cloudcopy.adapters.sandbox.bubblewrap import Bubblewrap
from cloudcopy.adapters.sandbox.cell import Sandbox
from cloudcopy.adapters.sandbox.landlock import Landlock
from cloudcopy.domain.connection import Backend
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.paths import InstancePath
from tests.adapters.sandbox.cells import BWRAP, RCLONE

SECRET = "TOPSECRET"
STORE = Backend("s3", {"provider": "Other", "secret_access_key": SECRET})


@asynccontextmanager
async def serving(
    sandbox: Sandbox, tmp_path: Path, *, third: str = ""
) -> AsyncIterator[tuple[Daemon, list[bytes]]]:
    """A running rclone and its log. `third`: what gets the number of the program's socket."""
    log: list[bytes] = []
    for name in ("run", "data"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "data" / "file").touch()
    lock = os.open(os.devnull, os.O_RDONLY)
    try:
        with open_source(tmp_path / "data", InstancePath("")) as opened:
            if third:
                own = {"lock": lock, "data": opened.fd}[third]
                os.dup2(own, launch.LISTENING)
            lock_fd = launch.LISTENING if third == "lock" else lock
            shown = replace(opened, fd=launch.LISTENING) if third == "data" else opened
            async with daemon(
                sandbox,
                binary=RCLONE,
                shown=shown,
                writable=False,
                store=None,
                run_dir=tmp_path / "run",
                backend=STORE,
                flags=Flags(),
                lock_fd=lock_fd,
                feed=log.append,
            ) as started:
                yield started, log
    finally:
        os.close(lock)


async def anybody(socket: Path, *headers: str) -> str:
    """What is answered to whoever reaches the socket."""
    reader, writer = await asyncio.open_unix_connection(socket)
    head = ["POST /config/dump HTTP/1.0", "Content-Type: application/json", *headers]
    writer.write("\r\n".join([*head, "Content-Length: 2", "", "{}"]).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


@pytest.mark.parametrize("sandbox", [Bubblewrap(BWRAP), Landlock()], ids=lambda each: each.name)
async def test_whoever_reaches_the_socket_needs_the_password(sandbox: Sandbox, tmp_path: Path):
    async with serving(sandbox, tmp_path) as (started, log):
        run = tmp_path / "run"
        told = [await anybody(run / "rc.sock")]
        (hashed,) = [path.read_text() for path in run.iterdir() if path.is_file()]
        told.append(await anybody(run / "rc.sock", f"Authorization: Basic {hashed}"))
        assert [line.split()[1] for line in told] == ["401", "401"]
        assert SECRET not in "".join(told)
        assert isinstance(await started.call("core/pid"), dict)
    assert not [line for line in log if json.loads(line)["level"] == "error"]


async def test_each_run_has_another_password(tmp_path: Path):
    hashes = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        async with serving(Landlock(), tmp_path / name):
            hashes.add((tmp_path / name / "run" / "rc.htpasswd").read_text())
    assert len(hashes) == 2


@pytest.mark.parametrize("sandbox", [Bubblewrap(BWRAP), Landlock()], ids=lambda each: each.name)
@pytest.mark.parametrize("whose", ["lock", "data"])
async def test_the_sockets_number_may_be_one_of_ours(sandbox: Sandbox, whose: str, tmp_path: Path):
    saved = os.dup(launch.LISTENING)
    try:
        async with serving(sandbox, tmp_path, third=whose) as (started, _):
            listed = await started.call("operations/list", fs=started.inside.data, remote="")
        assert [each["Name"] for each in listed["list"]] == ["file"]
    finally:
        os.dup2(saved, launch.LISTENING)
        os.close(saved)
