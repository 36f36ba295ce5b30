"""What the journeys start from: a real S3 store, and real cloudcopy processes."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.seaweed import S3, seaweed
from tests.journeys.stack import Api, Program, eventually


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with seaweed() as store:
        yield store


@pytest.fixture
def bucket(s3: S3) -> str:
    return s3.create_bucket(f"b{secrets.token_hex(6)}")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts `cloudcopy` with arguments; whatever still runs at the end is killed."""
    started: list[Program] = []

    def start(*arguments: str) -> Program:
        number = len(started)
        program = Program(
            list(arguments), tmp_path / f"{number}.stdout", tmp_path / f"{number}.stderr"
        )
        started.append(program)
        return program

    yield start
    for program in started:
        if program.process.poll() is None:
            program.kill()


@dataclass
class Up:
    """A running `cloudcopy up` with one instance, and a connection to the S3 store."""

    program: Program
    api: Api
    root: Path
    data_dir: Path
    instance: int
    connection: int
    bucket: str
    again: Callable[[], Program]

    @property
    def work(self) -> Path:
        return self.data_dir / "agent" / "work"

    def upload(self, src: str, prefix: str, *flags: str) -> str:
        return self.copy("instance_to_cloud", src, f"{self.bucket}/{prefix}", *flags)

    def download(self, prefix: str, dst: str, *flags: str) -> str:
        return self.copy("cloud_to_instance", f"{self.bucket}/{prefix}", dst, *flags)

    def copy(self, direction: str, src: str, dst: str, *flags: str) -> str:
        return self.api.copy(
            instance=self.instance,
            connection=self.connection,
            direction=direction,
            src=src,
            dst=dst,
            flags=list(flags),
        )


@pytest.fixture
def up(run: Callable[..., Program], tmp_path: Path, s3: S3, bucket: str) -> Iterator[Up]:
    root, data_dir = tmp_path / "box", tmp_path / "data"
    root.mkdir()
    first = run(*_words(data_dir, root, "127.0.0.1:0"))
    told: dict[str, Any] = json.loads(first.line())
    api = Api(told["url"], told["api_key"])
    listen = told["url"].removeprefix("http://")

    yield Up(
        program=first,
        api=api,
        root=root,
        data_dir=data_dir,
        instance=told["instances"][0]["id"],
        connection=api.connect("store", s3.parameters),
        bucket=bucket,
        again=lambda: run(*_words(data_dir, root, listen)),
    )
    api.close()


def _words(data_dir: Path, root: Path, listen: str) -> list[str]:
    places = [f"--data-dir={data_dir}", f"--listen={listen}", f"--instance=box={root}"]
    return ["up", "--json", *places]


@dataclass
class Pair:
    """A server and an agent as processes of their own."""

    start_server: Callable[[], Program]
    start_agent: Callable[[], Program]
    server: Program
    agent: Program
    api: Api
    root: Path
    work: Path
    instance: int
    connection: int
    bucket: str


@pytest.fixture
def pair(run: Callable[..., Program], tmp_path: Path, s3: S3, bucket: str) -> Iterator[Pair]:
    root, listen = tmp_path / "box", f"127.0.0.1:{_port()}"
    root.mkdir()
    words = ["server", f"--data-dir={tmp_path / 'server'}", f"--listen={listen}"]
    words += ["--rate=0"]  # some send thousands of requests, as fast as they are answered

    def start_server() -> Program:
        return run(*words)

    server = start_server()
    api = Api(f"http://{listen}", server.line())
    token = str(api.ok("POST", "/v1/machines/tokens")["token"])

    def start_agent() -> Program:
        return run(
            "agent",
            f"--server=http://{listen}",
            f"--join={token}",
            f"--data-dir={tmp_path / 'agent'}",
            f"--instance=box={root}",
            "--runtime=process",
            "--allow-same-user",
        )

    agent = start_agent()
    instances = eventually(lambda: api.ok("GET", "/v1/instances")["data"], "the agent joined")
    yield Pair(
        start_server=start_server,
        start_agent=start_agent,
        server=server,
        agent=agent,
        api=api,
        root=root,
        work=tmp_path / "agent" / "work",
        instance=instances[0]["id"],
        connection=api.connect("store", s3.parameters),
        bucket=bucket,
    )
    api.close()


def _port() -> int:
    """A port that was free just now: the server must come back on the same one."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
