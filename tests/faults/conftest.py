"""A real store, a proxy before it, and one object in it."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from demo.seaweed import S3, seaweed
from tests.faults.proxy import FaultProxy, fault_proxy

KEY: Final = "key"


@dataclass(frozen=True)
class Bucket:
    """A bucket of the store, as whoever holds `store` reaches it."""

    store: S3
    name: str

    def put(self, content: bytes) -> None:
        with self.store.client() as client:
            client.put_object(Bucket=self.name, Key=KEY, Body=content)

    def get(self) -> bytes:
        with self.store.client() as client:
            return bytes(client.get_object(Bucket=self.name, Key=KEY)["Body"].read())

    def keys(self) -> list[str]:
        with self.store.client() as client:
            listed: dict[str, Any] = client.list_objects_v2(Bucket=self.name)
        return [each["Key"] for each in listed.get("Contents", ())]

    def url(self, call: str, **which: str) -> str:
        """Signed without a word about the content, so that no hash gives a fault away."""
        with self.store.client() as client:
            return str(client.generate_presigned_url(call, {"Bucket": self.name, **which}))


@pytest.fixture(scope="package")
def store() -> Iterator[S3]:
    with seaweed() as store:
        yield store


@pytest.fixture
def proxy(store: S3) -> Iterator[FaultProxy]:
    with fault_proxy(store) as proxy:
        yield proxy


@pytest.fixture
def straight(store: S3) -> Bucket:
    """A new bucket, past the proxy."""
    return Bucket(store, store.create_bucket(f"b{secrets.token_hex(6)}"))


@pytest.fixture
def bucket(straight: Bucket, proxy: FaultProxy) -> Bucket:
    """The same bucket through the proxy."""
    return Bucket(proxy.store, straight.name)
