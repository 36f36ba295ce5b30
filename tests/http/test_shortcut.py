"""The shortcut of the two routes that start a copy answers as the ordinary way does."""

from typing import Any

import httpx2
import pytest

from cloudcopy.http import shortcut
from tests.http.conftest import Plane

NATIVE, COMPATIBLE = "/v1/transfers", "/api/v0/commands/rclone/"
JSON = "application/json"
ORDINARY = f"{JSON}; charset=utf-8"  # is not taken by the shortcut


async def sent(plane: Plane, path: str, body: bytes, kind: str, **headers: str) -> httpx2.Response:
    told = {**plane.auth, "Content-Type": kind, **headers}
    return await plane.client.post(path, content=body, headers=told)


def without_ids(reply: httpx2.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    changing = {"id", "created_at", "result_url", "ahead"}
    told = {name: value for name, value in reply.json().items() if name not in changing}
    headers = dict(reply.headers)
    for name in ("location", "content-length", "date"):
        headers.pop(name, None)
    return reply.status_code, told, headers


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"flags": ["--exclude", "*.tmp"], "bwlimit": "1M"},
        {"instance": "box", "connection": "nothing"},
        {"instance": 99},
        {"instance": None},
        {"direction": "sideways"},
        {"flags": ["--config", "x"]},
        {"src": 7},
        {"unknown": 1},
    ],
)
@pytest.mark.parametrize("path", [NATIVE, COMPATIBLE])
async def test_the_same_answer_either_way(plane: Plane, path: str, changes: dict[str, Any]):
    made = plane.native(**changes) if path == NATIVE else plane.order(**changes)
    body = httpx2.Request("POST", "http://x", json=made).content
    short, ordinary = [await sent(plane, path, body, kind) for kind in (JSON, ORDINARY)]
    assert without_ids(short) == without_ids(ordinary)
    assert ("location" in short.headers) == ("location" in ordinary.headers)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"src": "\\ud800"}'])
@pytest.mark.parametrize("path", [NATIVE, COMPATIBLE])
async def test_the_same_refusal_of_what_is_no_order(plane: Plane, path: str, body: bytes):
    short, ordinary = [await sent(plane, path, body, kind) for kind in (JSON, ORDINARY)]
    assert short.status_code >= 400
    assert (short.status_code, short.json()) == (ordinary.status_code, ordinary.json())


@pytest.mark.parametrize("path", [NATIVE, COMPATIBLE])
@pytest.mark.parametrize(
    "key", ["Bearer wrong", "bearer wrong", "Bearer  x y", "Bearer ", "Basic x", ""]
)
async def test_the_same_refusal_of_a_wrong_key(plane: Plane, path: str, key: str):
    replies = [await sent(plane, path, b"{}", kind, Authorization=key) for kind in (JSON, ORDINARY)]
    assert [reply.status_code for reply in replies] == [401, 401]
    assert replies[0].json() == replies[1].json()
    assert replies[0].headers.get("www-authenticate") == replies[1].headers.get("www-authenticate")


async def test_an_idempotency_key_holds_across_both_ways(plane: Plane):
    body = httpx2.Request("POST", "http://x", json=plane.native()).content
    key: Any = "k\u00e9y".encode("latin-1")
    replies = [
        await sent(plane, NATIVE, body, kind, **{"Idempotency-Key": key})
        for kind in (JSON, ORDINARY)
    ]
    ids = {reply.json()["id"] for reply in replies}
    assert len(ids) == 1


async def test_the_shortcut_was_taken(plane: Plane, monkeypatch: pytest.MonkeyPatch):
    """Otherwise the other tests here compare the ordinary way with itself."""
    taken: list[str] = []
    ways = {
        path: (lambda plain, way=way, path=path: (taken.append(path), way(plain))[1])
        for path, way in shortcut._WAYS.items()
    }
    monkeypatch.setattr(shortcut, "_WAYS", ways)
    for path, made in ((NATIVE, plane.native()), (COMPATIBLE, plane.order())):
        body = httpx2.Request("POST", "http://x", json=made).content
        for kind in (JSON, ORDINARY):
            assert (await sent(plane, path, body, kind)).status_code < 300
    assert taken == [NATIVE, COMPATIBLE]
