"""The store: its clients, single objects, and their removal."""

import base64
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from obstore.store import S3Store

from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.failing import NOT_FOUND, Failure
from cloudcopy.adapters.objects.child.names import from_metadata
from cloudcopy.adapters.objects.child.options import Options
from cloudcopy.adapters.objects.child.signed import Access, Signed, tried
from cloudcopy.adapters.objects.child.xml import parsed, text

if TYPE_CHECKING:
    from obstore.store import S3Config

MTIME: Final = "mtime"
PART_BYTES: Final = "part-bytes"  # of an object sent in parts, all of which have this size
MD5: Final = re.compile(r"[0-9a-f]{32}")
IN_PARTS: Final = re.compile(r"[0-9a-f]{32}-(\d{1,5})")
META: Final = "x-amz-meta-"
REMEMBERED: Final = 500_000  # sizes, some 60 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One of the store's.

    Attributes:
        tag: The ETag, without its quotes.
        arrived: RFC 3339, as the store tells it.
        mtime: Nanoseconds, of the file it was made of; None where that was not asked or kept.
        md5: Of the whole content, as far as the tag or the metadata tell it.
        part_bytes: The size of all its parts but the last, where we know it.
    """

    size: int
    tag: str
    arrived: str
    mtime: int | None = None
    md5: str = ""
    part_bytes: int = 0


class Cloud:
    """One store. `place` is always ``bucket/key``."""

    def __init__(self, options: Options) -> None:
        store = options.store
        region = store.get("region") or "us-east-1"
        endpoint = store.get("endpoint") or f"https://s3.{region}.amazonaws.com"
        if "://" not in endpoint:
            endpoint = f"https://{endpoint}"
        self._access = Access(
            endpoint=endpoint.rstrip("/"),
            region=region,
            key=store["access_key_id"],
            secret=store["secret_access_key"],
            token=store.get("session_token", ""),
            connect=options.connect,
            timeout=options.timeout,
        )
        self.signed = Signed(self._access)
        self.sizes: dict[str, int] = {}  # of what was listed
        self._buckets: dict[str, S3Store] = {}
        self._turn = threading.Lock()

    def bucket(self, name: str) -> S3Store:
        """obstore's own client of it."""
        with self._turn:
            if name not in self._buckets:
                self._buckets[name] = self._opened(name)
            return self._buckets[name]

    def _opened(self, name: str) -> S3Store:
        access = self._access
        config: S3Config = {
            "endpoint": access.endpoint,
            "region": access.region,
            "access_key_id": access.key,
            "secret_access_key": access.secret,
            "virtual_hosted_style_request": False,
        }
        if access.token:
            config["session_token"] = access.token
        return S3Store(
            name,
            config=config,
            client_options={
                "allow_http": access.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=access.connect),
                "read_timeout": timedelta(seconds=access.timeout),
                "timeout": timedelta(days=1),  # of a whole request: how long a file may take
            },
            retry_config={"max_retries": 0},  # it tells nobody of refusals: `tried` does
        )

    # Single objects and buckets

    def buckets(self, call: Call) -> list[str]:
        def once() -> list[str]:
            _, body = self.signed.whole(call, "GET", "")
            return [text(each, "Name") for each in parsed(body).iter("Bucket")]

        return tried(call, once)

    def has_bucket(self, call: Call, name: str) -> bool:
        try:
            # A listing, not a HEAD: a key that may do no more may do that, and an error has words.
            query = {"list-type": "2", "max-keys": "1"}
            tried(call, lambda: self.signed.whole(call, "GET", name, query=query))
        except Failure as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def head(self, call: Call, place: str) -> Object | None:
        try:
            found, _ = tried(call, lambda: self.signed.whole(call, "HEAD", place))
        except Failure as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return answered(found)

    def delete(self, call: Call, place: str) -> None:
        tried(call, lambda: self.signed.whole(call, "DELETE", place))


def answered(headers: Mapping[str, str]) -> Object:
    """The object that an answer is about."""
    meta = {
        name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)
    }
    moment = headers.get("last-modified", "")
    arrived = parsedate_to_datetime(moment).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
    return described(int(headers["content-length"]), headers.get("etag", ""), arrived, meta)


def described(size: int, tag: str, arrived: str, meta: Mapping[str, str]) -> Object:
    """An object, with what its metadata tell."""
    tag = tag.strip('"').lower()
    mtime = from_metadata(meta.get(MTIME, ""))
    part = meta.get(PART_BYTES, "")
    return Object(
        size=size,
        tag=tag,
        arrived=arrived,
        mtime=mtime,
        md5=tag if MD5.fullmatch(tag) else _decoded(meta.get("md5chksum", "")),
        part_bytes=int(part) if part.isascii() and part.isdigit() else 0,
    )


def _decoded(text: str) -> str:
    """rclone's MD5 of an object in parts, which is in base64; empty for none."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return ""
    return raw.hex() if len(raw) == 16 else ""
