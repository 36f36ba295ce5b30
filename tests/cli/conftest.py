"""Runs the real command line against a scripted server on a loopback port."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from cloudcopy.cli.app import build_app
from tests.sdk.scripted import Scripted

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
