"""HTTP without the public client and without our own: the standard library and nothing else."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_PATIENCE = 30.0  # seconds for one answer


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came; no redirect was followed."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Bare:
    """One kept-alive connection to a server; sends exactly what it is given."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)

    def close(self) -> None:
        self._connection.close()

    def __call__(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> Reply:
        """`body` goes out as JSON, unless it is bytes; `key` as a bearer token."""
        sent = dict(headers)
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if body is not None and not isinstance(body, bytes):
            sent["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        self._connection.request(method, path, body, sent)
        found = self._connection.getresponse()
        lowered = {name.lower(): value for name, value in found.getheaders()}
        return Reply(found.status, lowered, found.read())


def fetched(url: str) -> Reply:
    """A GET by urllib, the way a script without credentials does it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        found = opener.open(url, timeout=_PATIENCE)
    except urllib.error.HTTPError as error:
        found = error
    with found:
        assert found.url == url, "it was redirected"
        lowered = {name.lower(): value for name, value in found.headers.items()}
        return Reply(found.status or 0, lowered, found.read())


def result(url: str) -> str | None:
    """The text behind a `result_url`, or None while there is none; nothing else may come."""
    reply = fetched(url)
    if reply.status == 404:
        assert reply.json["success"] is False
        assert reply.json["msg"]
        return None
    assert (reply.status, reply.kind) == (200, "text/plain")
    return reply.body.decode()
