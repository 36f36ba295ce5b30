"""Whether what was copied is there, byte for byte; looked at outside of all times."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.way import Failed
from bench.work import MIB, Sums, sums
from demo.seaweed import S3


def in_store(wanted: Sums, store: S3, bucket: str, prefix: str) -> None:
    """A store's ETag is the MD5 of what came; where it is none (parts), the object is read.

    Raises:
        Failed: an object is missing, too many, or another one.
    """
    with store.client() as client:
        found = dict(_objects(client, bucket, prefix))
        for name in wanted.keys() | found.keys():
            size, digest = wanted.get(name, (-1, ""))
            there, etag = found.get(name, (-1, ""))
            same = there == size and (
                etag == digest or _read(client, bucket, f"{prefix}/{name}") == digest
            )
            if not same:
                raise Failed(f"{name} has {there} bytes in the store and {size} here, or others")


def here(wanted: Sums, root: Path) -> None:
    """Raises Failed: a file is missing, too many, or another one."""
    found = sums(root)
    for name in wanted.keys() | found.keys():
        if wanted.get(name) != found.get(name):
            raise Failed(f"{name} did not arrive as it is in the store")


def _objects(client: Any, bucket: str, prefix: str) -> Iterator[tuple[str, tuple[int, str]]]:
    for page in client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{prefix}/"
    ):
        for each in page.get("Contents", []):
            name = each["Key"].removeprefix(f"{prefix}/")
            if name and not name.endswith("/"):
                yield name, (each["Size"], each["ETag"].strip('"'))


def _read(client: Any, bucket: str, key: str) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    for piece in body.iter_chunks(MIB):
        digest.update(piece)
    return digest.hexdigest()
