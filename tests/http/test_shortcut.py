"""The shortcut of the two routes that start a copy answers as the ordinary way does."""

from typing import Any

import httpx2
import pytest

from cloudcopy.control import transfers
from cloudcopy.http import shortcut
from tests.http.conftest import Plane
from tests.http.test_permissions import limited

NATIVE, COMPATIBLE = "/v1/transfers", "/api/v0/commands/rclone/"
JSON = "application/json"
ORDINARY = f"{JSON}; charset=utf-8"  # is not taken by the shortcut


def good(plane: Plane, path: str, **changes: Any) -> bytes:
    """A good order, with changes."""
    made = plane.native(**changes) if path == NATIVE else plane.order(**changes)
    return httpx2.Request("POST", "http://x", json=made).content


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
    body = good(plane, path, **changes)
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


@pytest.mark.parametrize("path", [NATIVE, COMPATIBLE])
async def test_the_same_refusal_of_a_key_that_may_not_copy(plane: Plane, path: str):
    reader = await limited(plane, "instance_read")
    body = good(plane, path)
    key = f"Bearer {reader.key}"
    replies = [await sent(plane, path, body, kind, Authorization=key) for kind in (JSON, ORDINARY)]
    assert [reply.status_code for reply in replies] == [403, 403]
    assert without_ids(replies[0]) == without_ids(replies[1])


@pytest.mark.parametrize("path", [NATIVE, COMPATIBLE])
async def test_the_same_refusal_of_a_key_that_is_used_too_often(plane: Plane, path: str):
    hasty = await limited(plane, "instance_write", requests_per_second=0.1, burst=1)
    body = good(plane, path)
    key = f"Bearer {hasty.key}"
    first, short, ordinary = [
        await sent(plane, path, body, kind, Authorization=key) for kind in (JSON, JSON, ORDINARY)
    ]
    assert (first.status_code < 300, short.status_code, ordinary.status_code) == (True, 429, 429)
    assert short.json().keys() == ordinary.json().keys()
    assert int(short.headers["retry-after"]) > 0
    assert short.headers.keys() == ordinary.headers.keys()


@pytest.mark.parametrize("path", [NATIVE, COMPATIBLE])
async def test_the_same_answer_to_a_defect(
    plane: Plane, path: str, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(transfers, "submit", broken)
    body = good(plane, path)
    short, ordinary = [await sent(plane, path, body, kind) for kind in (JSON, ORDINARY)]
    assert short.status_code == ordinary.status_code == 500
    assert short.json() == ordinary.json()


async def test_an_idempotency_key_holds_across_both_ways(plane: Plane):
    body = good(plane, NATIVE)
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
    for path in (NATIVE, COMPATIBLE):
        for kind in (JSON, ORDINARY):
            assert (await sent(plane, path, good(plane, path), kind)).status_code < 300
    assert taken == [NATIVE, COMPATIBLE]
