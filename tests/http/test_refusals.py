"""Every refusal of the compatible API: 4xx, a JSON object, words in `msg`."""

from typing import Any

import pytest

from tests.http.conftest import Plane

COPY = "/api/v0/commands/rclone/"


def refused(reply: Any, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert isinstance(body, dict)
    assert body["success"] is False
    assert isinstance(body["msg"], str)
    assert body["msg"].strip()
    assert body["error"].replace("_", "").isalnum()
    return body


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"instance_id": "absent"}, "missing_instance_id", "instance_id"),
        ({"instance_id": None}, "missing_instance_id", "instance_id"),
        ({"instance_id": "999"}, "no_such_instance", "999"),
        ({"instance_id": "abc"}, "no_such_instance", "abc"),
        ({"instance_id": 2**80}, "no_such_instance", "not"),
        ({"instance_id": [1]}, "no_such_instance", "not an id"),
        ({"selected": None}, "missing_selected", "(store)"),
        ({"selected": "9"}, "no_such_connection", "9"),
        ({"selected": "x" * 500}, "no_such_connection", "not an id"),
        ({"src": None}, "missing_src", "src"),
        ({"dst": None}, "missing_dst", "dst"),
        ({"src": 5}, "bad_src", "string"),
        ({"src": "/a/../b"}, "bad_path", ".."),
        ({"dst": "bucket/../../other"}, "bad_path", ".."),
        ({"dst": ":local:/etc"}, "bad_path", "connection string"),
        ({"dst": "/"}, "no_bucket", "dst: connection"),
        ({"src": "a\0b"}, "bad_path", "control"),
        ({"transfer": None}, "missing_transfer", "transfer"),
        ({"transfer": "sideways"}, "bad_transfer", "Instance To Cloud"),
        ({"flags": "--dry-run"}, "bad_flag", "list"),
        ({"flags": ["--config=/etc/x"]}, "bad_flag", "--config"),
        ({"flags": ["--max-size", "huge"]}, "bad_flag", "--max-size"),
        ({"flags": [1]}, "bad_flag", "strings"),
    ],
)
async def test_a_bad_field_is_400_and_named(
    plane: Plane, changes: dict[str, Any], error: str, words: str
):
    reply = await plane.ask("POST", COPY, plane.order(**changes))
    body = refused(reply, 400)
    assert body["error"] == error
    assert words in body["msg"]
    assert (await plane.ask("GET", "/v1/transfers")).json()["data"] == []


@pytest.mark.parametrize("raw", [b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b"1"])
async def test_a_body_that_is_no_json_object_is_400(plane: Plane, raw: bytes):
    reply = await plane.client.post(COPY, content=raw, headers=plane.auth)
    assert refused(reply, 400)["error"] == "bad_json"


@pytest.mark.parametrize(
    ("method", "path", "raw", "place"),
    [
        ("POST", COPY, rb'{"src": "/a\ud800"}', "src"),
        ("PUT", "/api/v0/asks/1001/", rb'{"args": ["\ud800"]}', "args"),
        ("PUT", "/api/v0/asks/1001/", rb'{"env": {"A": "\udfff"}}', "env.A"),
        ("PUT", "/api/v0/asks/1001/", rb'{"env": {"\ud800": "a"}}', "env"),
        ("PUT", "/api/v0/instances/request_logs/101/", rb'{"filter": "\ud800"}', "filter"),
        ("POST", "/api/v0/ssh/", b'{"ssh_key": "\xed\xa0\x80"}', "ssh_key"),
    ],
)
async def test_half_a_character_is_refused_before_anything_looks_at_it(
    plane: Plane, method: str, path: str, raw: bytes, place: str
):
    told = refused(await plane.client.request(method, path, content=raw, headers=plane.auth), 400)
    assert told["error"] == "bad_text"
    assert told["msg"].startswith(f"{place}: holds half of a surrogate pair")


async def test_a_whole_character_outside_the_first_plane_is_taken(plane: Plane):
    raw = rb'{"name": "\ud83e\udd84"}'
    made = await plane.client.post("/api/v0/auth/apikeys/", content=raw, headers=plane.auth)
    assert made.status_code == 200, made.text


@pytest.mark.parametrize("limit", [b"NaN", b"Infinity", b'"nan"', b"1" + b"0" * 400, b"-1"])
async def test_a_limit_that_is_no_number_is_refused(plane: Plane, limit: bytes):
    for method, path, raw in (
        ("POST", "/api/v0/bundles/", b'{"limit": %s}'),
        ("PUT", "/api/v0/search/asks/", b'{"q": {"limit": %s}}'),
    ):
        reply = await plane.client.request(method, path, content=raw % limit, headers=plane.auth)
        assert refused(reply, 400)["error"] == "bad_filter"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer cck_AAAAAAAAAAAA_" + "A" * 43 + "_00000000"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", COPY),
        ("DELETE", COPY),
        ("GET", "/api/v0/users/cloud_integrations/"),
        ("GET", "/api/v0/users/current"),
        ("GET", "/api/v0/instances/101/"),
        ("GET", "/api/v0/instances"),
        ("GET", "/api/v1/instances/"),
    ],
)
async def test_a_wrong_or_missing_key_is_401_in_words(
    plane: Plane, method: str, path: str, headers: dict[str, str]
):
    reply = await plane.client.request(method, path, headers=headers)
    body = refused(reply, 401)
    # With this text the public client deletes its user's two-factor key file.
    assert body["msg"] != "Invalid user key"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v0/nothing/here/", 404),
        ("PUT", "/api/v0/volumes/copy/", 404),
        ("GET", COPY, 405),
        ("GET", "/api/v0/results/t_x.y/", 404),
        ("GET", "/api/v1/instances/?limit=26", 400),
        ("GET", "/api/v1/instances/?limit=x", 400),
        ("GET", "/api/v1/instances/?select_filters=%7B", 400),
        ("GET", "/api/v0/instances/abc/", 400),
        ("GET", "/api", 404),
        ("POST", "http://server//api/v0/commands/rclone/", 404),
    ],
)
async def test_the_frameworks_own_refusals_have_the_same_shape(
    plane: Plane, method: str, path: str, status: int
):
    refused(await plane.ask(method, path), status)


async def test_a_body_over_the_bound_is_refused_before_it_is_read(plane: Plane):
    reply = await plane.client.post(COPY, content=b"x" * 300_000, headers=plane.auth)
    assert refused(reply, 413)["error"] == "too_large"


async def test_a_body_without_a_length_is_bound_too(plane: Plane):
    async def endless():
        for _ in range(40):
            yield b"x" * 10_000

    reply = await plane.client.post(COPY, content=endless(), headers=plane.auth)
    assert refused(reply, 413)["error"] == "too_large"


async def test_an_address_or_headers_over_the_bound_are_refused_in_the_same_shape(plane: Plane):
    long = await plane.ask("GET", f"/api/v1/instances/?select_filters={'x' * 20_000}")
    assert refused(long, 414)["error"] == "too_large"
    fat = await plane.ask("POST", COPY, plane.order(), headers=plane.auth | {"X": "x" * 40_000})
    assert refused(fat, 431)["error"] == "too_large"


@pytest.mark.parametrize(
    "changes",
    [
        {"src": "../" * 50_000},
        {"transfer": "x" * 50_000},
        {"selected": "9" * 50_000},
        {"instance_id": "x" * 50_000},
        {"flags": ["--" + "x" * 50_000]},
        {"flags": ["--exclude", "x" * 50_000]},
        {"flags": ["--exclude", "*.tmp"] * 33},
        {"dst": "bucket/" + "n" * 256},
        {"dst": "bucket/" * 200},
    ],
)
async def test_what_is_too_long_is_400_and_echoed_only_so_far(plane: Plane, changes: Any):
    reply = await plane.ask("POST", COPY, plane.order(**changes))
    refused(reply, 400)
    assert len(reply.text) < 3_000


@pytest.mark.parametrize("headers", [True, False])
async def test_json_that_is_nested_without_end_is_refused(plane: Plane, headers: bool):
    sent = plane.auth if headers else {}
    reply = await plane.client.post(COPY, content=b"[" * 100_000, headers=sent)
    refused(reply, 400 if headers else 401)


async def test_numbers_longer_than_any_id_are_refused(plane: Plane):
    refused(await plane.ask("GET", f"/api/v0/instances/{'9' * 5_000}/"), 400)
    refused(await plane.ask("GET", f"/api/v1/instances/?after_token={'9' * 5_000}"), 400)


async def test_a_revoked_key_is_unknown(plane: Plane):
    made = (await plane.ask("POST", "/v1/keys", {"name": "short-lived"})).json()
    revoked = {"Authorization": f"Bearer {made['key']}"}
    assert (await plane.client.get("/api/v0/instances", headers=revoked)).status_code == 200
    assert (await plane.ask("DELETE", f"/v1/keys/{made['id']}")).status_code == 204
    refused(await plane.client.get("/api/v0/instances", headers=revoked), 401)


async def test_the_kept_hash_is_not_the_key(plane: Plane, tmp_path):
    stored = b"".join(path.read_bytes() for path in (tmp_path / "server").glob("cloudcopy.db*"))
    secret = plane.key.split("_", 2)[2]
    assert secret[:43].encode() not in stored
    assert b"TOPSECRET" not in stored
    assert b"AKIDSECRET" not in stored
