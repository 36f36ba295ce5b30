"""A running server, and the place in it that one test has to itself."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from demo.seaweed import S3
from tests.compat.client import Answer, Vastai
from tests.journeys.stack import Api, Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """A running `cloudcopy up`.

    Attributes:
        ids, roots: Of its instances, by label.
        connection: To the store, with its own defaults.
        in_parts: To the same store, sending larger files in parts of 5 MiB.
    """

    program: Program
    api: Api
    data_dir: Path
    ids: dict[str, int]
    roots: dict[str, Path]
    connection: int
    in_parts: int
    bucket: str
    s3: S3

    @property
    def work(self) -> Path:
        return self.data_dir / "agent" / "work"

    @property
    def log(self) -> str:
        return self.program.err.read_text()

    @property
    def secrets(self) -> list[str]:
        """The connection's secrets, as they are and as they are often written."""
        plain = [self.s3.access_key, self.s3.secret_key]
        encoded = [base64.b64encode(each.encode()).decode() for each in plain]
        return list(dict.fromkeys([*plain, *encoded, *(quote(each) for each in plain)]))

    def transfers(self) -> list[dict[str, Any]]:
        """The newest ones, newest first."""
        return list(self.api.ok("GET", "/v1/transfers?limit=200")["data"])


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of the instance `box` and a prefix of the bucket, both of this name."""

    up: Up
    name: str

    @property
    def instance(self) -> int:
        return self.up.ids["box"]

    @property
    def local(self) -> Path:
        return self.up.roots["box"] / self.name

    @property
    def src(self) -> str:
        """The directory, as a copy names it."""
        return f"/{self.name}"

    @property
    def remote(self) -> str:
        """The prefix, as a copy names it."""
        return f"{self.up.bucket}/{self.name}"

    def write(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            path = self.local / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def put(self, files: dict[str, bytes]) -> None:
        """Store objects below the prefix without any of our own code."""
        with self.up.s3.client() as client:
            for name, content in files.items():
                client.put_object(Bucket=self.up.bucket, Key=f"{self.name}/{name}", Body=content)

    def objects(self) -> dict[str, bytes]:
        """What is below the prefix, read without any of our own code."""
        with self.up.s3.client() as client:
            listed = client.list_objects_v2(Bucket=self.up.bucket, Prefix=f"{self.name}/")
            keys = [each["Key"] for each in listed.get("Contents") or []]
            found = {
                key: client.get_object(Bucket=self.up.bucket, Key=key)["Body"].read()
                for key in keys
            }
        return {key.removeprefix(f"{self.name}/"): content for key, content in found.items()}

    def unfinished(self) -> list[str]:
        """Keys of uploads in parts that were begun below the prefix and not ended."""
        with self.up.s3.client() as client:
            found = client.list_multipart_uploads(Bucket=self.up.bucket).get("Uploads") or []
        return [each["Key"] for each in found if each["Key"].startswith(f"{self.name}/")]

    def order(self, **changes: object) -> dict[str, Any]:
        """The body of a copy from the instance to the cloud, for the SDK or the API."""
        body: dict[str, Any] = {
            "src": self.src,
            "dst": self.remote,
            "instance_id": str(self.instance),
            "selected": str(self.up.connection),
            "transfer": "Instance To Cloud",
        }
        return body | changes

    def cloud_copy(self, vastai: Vastai, *flags: str, **changes: object) -> Answer:
        """`vastai cloud copy` of the same. An option that is None is left out."""
        options: dict[str, object] = {
            "src": self.src,
            "dst": self.remote,
            "instance": self.instance,
            "connection": self.up.connection,
            "transfer": "Instance To Cloud",
        }
        given = [(k, str(v)) for k, v in (options | changes).items() if v is not None]
        return vastai("cloud", "copy", *(w for k, v in given for w in (f"--{k}", v)), *flags)


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below `directory`, by its relative name."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
