"""Runs the real command line against a scripted server on a loopback port."""

import json
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cloudcopy.cli.app import build_app
from tests.sdk.scripted import Scripted

SOURCE = Path(__file__).parents[2] / "src"
PROGRAM = "import os; from cloudcopy.cli.app import build_app; build_app(os.environ)()"
KEY = "cck_AbCdEfGhIjKl_very-secret-indeed_0badcafe"


@dataclass(frozen=True)
class Ran:
    code: object
    out: str
    err: str

    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class CommandLine:
    """`cli("key", "list")`. Its environment is `environ`, and nothing else."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.environ = {"CLOUDCOPY_URL": url, "CLOUDCOPY_API_KEY": KEY}
        self._capsys = capsys

    def __call__(self, *words: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            build_app(self.environ)(list(words))
        out, err = self._capsys.readouterr()
        return Ran(ended.value.code, out, err)


@pytest.fixture(scope="session")
def listening() -> Iterator[tuple[Scripted, str]]:
    app = Scripted()
    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        # It listens from here on: a request that comes early waits in the backlog.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield app, f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def server(listening: tuple[Scripted, str]) -> Scripted:
    listening[0].forget()
    return listening[0]


@pytest.fixture
def cli(
    server: Scripted, listening: tuple[Scripted, str], capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(listening[1], capsys)


class Typing:
    """The command line in a terminal: `typing("mirror", ..., keys="y\\n")`.

    What a person sees there, stderr, is `Ran.err`; stdout goes into a pipe, or there as well.
    """

    def __init__(self, cli: CommandLine) -> None:
        self._cli = cli

    def __call__(self, *words: str, keys: str = "", stdout: bool = False) -> Ran:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            env={**self._cli.environ, "PYTHONPATH": str(SOURCE), "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs if stdout else subprocess.PIPE,
            stderr=theirs,
        ) as child:
            os.close(theirs)
            os.write(ours, keys.encode())
            seen = b""
            while piece := _read(ours):
                seen += piece
            os.close(ours)
            out = child.stdout.read() if child.stdout else b""
            return Ran(child.wait(), out.decode(), seen.decode().replace("\r\n", "\n"))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's way to say that the other side has closed
        return b""


@pytest.fixture
def typing(cli: CommandLine) -> Typing:
    return Typing(cli)
