"""A real S3 server on this machine, for the demo, the benchmarks and the tests.

SeaweedFS in one process, on free loopback ports, with its data in memory where there is
room, and with credentials drawn for this run alone.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ROOM_BYTES: Final = 4 << 30  # the demo writes 0.4 GiB; SeaweedFS divides what is free into volumes
VOLUME_MB: Final = 64
REGION: Final = "us-east-1"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a fresh private directory is made below it
_READY_SECONDS: Final = 60.0
_STARTS: Final = 3  # somebody may take a port between our asking for it and SeaweedFS's use


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """A running store. `port` is that of `endpoint`."""

    endpoint: str
    port: int
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def parameters(self) -> dict[str, str]:
        """What a connection of the kind s3 needs to reach it; secrets included."""
        return {
            "provider": "SeaweedFS",
            "endpoint": self.endpoint,
            "region": REGION,
            "force_path_style": "true",
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
        }

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A boto3 client of it; one try per call."""
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
                connect_timeout=5,
                read_timeout=30,
            ),
        )
        try:
            yield client
        finally:
            client.close()

    def create_bucket(self, name: str) -> str:
        """A new one that takes writes: the first makes its volumes, and may fail meanwhile."""
        with self.client() as client:
            client.create_bucket(Bucket=name)
            deadline = time.monotonic() + _READY_SECONDS
            while not _writable(client, name):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the bucket {name} takes no writes")
                time.sleep(0.05)
        return name


@contextmanager
def seaweed() -> Iterator[S3]:
    """Start one, wait until it takes a write, and leave nothing behind.

    Raises:
        RuntimeError: it did not start; says what it wrote last.
    """
    directory = Path(tempfile.mkdtemp(prefix="cloudcopy-s3-", dir=roomy_directory()))
    try:
        with _started(directory) as store:
            yield store
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_sockets(ports: list[int]) -> None:
    """SeaweedFS makes these in /tmp whatever it is told, and leaves them there."""
    for port in ports:
        for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):  # noqa: S108
            path.unlink(missing_ok=True)


def roomy_directory() -> Path | None:
    """Memory, if it has room; None is the usual place for temporary files."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > ROOM_BYTES:
        return _MEMORY
    return None


@contextmanager
def _started(directory: Path) -> Iterator[S3]:
    for _ in range(_STARTS):
        ports = _free_ports(8)
        store = S3(
            endpoint=f"http://127.0.0.1:{ports[0]}",
            port=ports[0],
            access_key=secrets.token_hex(10).upper(),
            secret_key=secrets.token_urlsafe(30),
        )
        _write_identity(directory, store)
        process = _launch(directory, ports)
        try:
            if _ready(process, store):
                yield store
                return
        finally:
            _stop(process)
            _remove_sockets(ports)
    raise RuntimeError(f"SeaweedFS did not start: {_last_words(directory)}")


def _write_identity(directory: Path, store: S3) -> None:
    identity = {
        "name": "cloudcopy",
        "credentials": [{"accessKey": store.access_key, "secretKey": store.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    path = directory / "s3.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"identities": [identity]}))


def _launch(directory: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = ports
    data = directory / "data"
    data.mkdir(exist_ok=True)
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    with (directory / "log").open("ab") as log:
        return subprocess.Popen(
            [
                str(weed),
                "-logtostderr=true",
                "server",
                f"-dir={data}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-s3",
                f"-s3.config={directory / 's3.json'}",
                f"-s3.port={s3}",
                f"-s3.port.grpc={s3_grpc}",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                f"-s3.localSocket={directory / 's3.sock'}",
                f"-master.port={master}",
                f"-master.port.grpc={master_grpc}",
                f"-master.volumeSizeLimitMB={VOLUME_MB}",
                "-master.telemetry=false",  # it would report to its makers
                f"-volume.port={volume}",
                f"-volume.port.grpc={volume_grpc}",
                "-volume.max=0",
                "-volume.preStopSeconds=0",
                f"-filer.port={filer}",
                f"-filer.port.grpc={filer_grpc}",
                f"-filer.localSocket={directory / 'filer.sock'}",
            ],
            cwd=directory,
            # The volumes of a bucket grow two at a time, so that many buckets fit.
            env={
                "HOME": str(directory),
                "TMPDIR": str(directory),
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "2",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours to handle: copies end before their store
        )


def _ready(process: subprocess.Popen[bytes], store: S3) -> bool:
    """Wait until it stores an object; False when it has ended or took too long."""
    deadline = time.monotonic() + _READY_SECONDS
    with store.client() as client:
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(BotoCoreError, ClientError):
                client.create_bucket(Bucket="ready")
                if _writable(client, "ready"):
                    client.delete_bucket(Bucket="ready")
                    return True
            time.sleep(0.05)
    return False


def _writable(client: Any, bucket: str) -> bool:
    with contextlib.suppress(BotoCoreError, ClientError):
        client.put_object(Bucket=bucket, Key="ready", Body=b"ready")
        client.delete_object(Bucket=bucket, Key="ready")
        return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """At once: a clean end takes SeaweedFS ten seconds, and its data is thrown away."""
    process.kill()
    process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that were free just now, all different."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]


def _last_words(directory: Path) -> str:
    lines = (directory / "log").read_text(errors="replace").splitlines()
    return " / ".join(lines[-3:])
