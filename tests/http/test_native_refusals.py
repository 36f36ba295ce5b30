"""What the native API refuses, connections among it, and in which words."""

import json

import pytest

from tests.http.conftest import Plane
from tests.http.test_native import problem


async def test_a_connection_shows_no_secret_and_is_removed_for_good(plane: Plane):
    shown = await plane.ask("GET", f"/v1/connections/{plane.connection}")
    assert "TOPSECRET" not in shown.text
    assert "AKIDSECRET" not in shown.text
    assert shown.json()["parameters"] == {"endpoint": "http://127.0.0.1:9"}
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()["id"]
    busy = await plane.ask("DELETE", f"/v1/connections/{plane.connection}")
    assert made in problem(busy, 409, "connection_in_use")["detail"]


async def test_a_connection_that_does_not_work_is_not_kept(plane: Plane):
    parameters = {
        "endpoint": "http://127.0.0.1:9",
        "access_key_id": "AKID",
        "secret_access_key": "VERYSECRET",
    }
    body = {"name": "dead", "cloud_type": "s3", "parameters": parameters}
    reply = await plane.ask("POST", "/v1/connections", body)
    told = problem(reply, 422, "unreachable")
    assert "cannot be reached" in told["detail"]
    assert "VERYSECRET" not in reply.text
    names = [each["name"] for each in (await plane.ask("GET", "/v1/connections")).json()["data"]]
    assert names == ["store"]
    tested = await plane.ask("POST", f"/v1/connections/{plane.connection}/test")
    assert (tested.status_code, tested.json()["ok"]) == (200, False)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "a b", "cloud_type": "s3", "parameters": {}}, "name"),
        ({"name": "x", "cloud_type": "ftp", "parameters": {}}, "known: "),
        (
            {"name": "x", "cloud_type": "s3", "parameters": {"access_key_id": "a"}},
            "secret_access_key",
        ),
        ({"name": "x", "cloud_type": "s3", "parameters": {"env_auth": "true"}}, "env_auth"),
        (
            {
                "name": "x",
                "cloud_type": "sftp",
                "parameters": {"host": "h", "user": "u", "ssh": "sh"},
            },
            "ssh",
        ),
        (
            {
                "name": "x",
                "cloud_type": "hf",
                "parameters": {"access_key_id": "a", "secret_access_key": "b", "namespace": "a/b"},
            },
            "single names",
        ),
    ],
)
async def test_a_connection_with_bad_options_is_refused_by_name(plane: Plane, body, words: str):
    reply = await plane.ask("POST", "/v1/connections?test=false", body)
    assert words in problem(reply, 422, "invalid")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "no_such_route"),
        ("DELETE", "/v1/transfers", 405, "method_not_allowed"),
        ("GET", "/v1/instances/999", 404, "no_such_instance"),
        ("GET", "/v1/machines/999", 404, "no_such_machine"),
        ("GET", f"/v1/connections/{2**70}", 422, "invalid"),
        ("DELETE", "/v1/keys/nope", 404, "no_such_key"),
    ],
)
async def test_every_refusal_is_a_problem(plane: Plane, method, path, status: int, code: str):
    problem(await plane.ask(method, path), status, code)


async def test_without_a_key_there_is_nothing_and_the_query_is_no_place_for_it(plane: Plane):
    reply = await plane.client.get(f"/v1/transfers?api_key={plane.key}")
    problem(reply, 401, "unauthenticated")
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_an_idempotency_key_is_bounded(plane: Plane, key: str):
    headers = plane.auth | {"Idempotency-Key": key}
    for noun in ("transfers", "plans", "checks"):
        reply = await plane.ask("POST", f"/v1/{noun}", plane.native(), headers=headers)
        problem(reply, 422, "invalid")


async def test_what_is_larger_than_any_request_is_refused_unread(plane: Plane):
    long = await plane.ask("GET", f"/v1/transfers?cursor={'x' * 20_000}")
    problem(long, 414, "too_large")
    fat = await plane.ask("GET", "/v1/transfers", headers=plane.auth | {"X": "x" * 40_000})
    problem(fat, 431, "too_large")
    reply = await plane.client.post("/v1/plans", content=b"x" * 300_000, headers=plane.auth)
    problem(reply, 413, "too_large")


async def test_a_refusal_echoes_only_so_much_of_what_was_sent(plane: Plane):
    for reply in (
        await plane.ask("POST", "/v1/transfers", plane.native(src="../" * 50_000)),
        await plane.ask("POST", "/v1/transfers", plane.native(**{"n" * 50_000: 1})),
        await plane.ask("POST", "/v1/transfers", plane.native(instance="n" * 50_000)),
        await plane.ask("GET", "/nothing/" + "n" * 10_000),
        await plane.ask("GET", "/v1/transfers/" + "n" * 10_000),
        await plane.ask("GET", f"/v1/transfers?state={'n' * 10_000}"),
    ):
        assert reply.is_client_error
        assert len(reply.text) < 3_000


async def test_broken_json_is_400(plane: Plane):
    headers = plane.auth | {"Content-Type": "application/json"}
    reply = await plane.client.post("/v1/transfers", content=b"{", headers=headers)
    problem(reply, 400, "bad_json")


async def test_a_lone_surrogate_is_refused_in_words(plane: Plane):
    headers = plane.auth | {"Content-Type": "application/json"}
    raw = b'{"name": "x", "cloud_type": "s3", "parameters": {"region": "\\ud800"}}'
    reply = await plane.client.post("/v1/connections?test=false", content=raw, headers=headers)
    problem(reply, 422, "invalid")
    order = plane.native(instance="X")
    raw = json.dumps(order).replace('"X"', '"\\ud800"').encode()
    reply = await plane.client.post("/v1/transfers", content=raw, headers=headers)
    assert "surrogate" in problem(reply, 422, "invalid")["detail"]
    for path, raw in (
        ("/v1/instances", b'{"offer": 1001, "args": ["\\ud800"]}'),
        ("/v1/instances", b'{"offer": 1001, "env": {"A": "\\ud800"}}'),
        ("/v1/instances/101/logs", b'{"filter": "\\ud800"}'),
        ("/v1/keys", b'{"name": "\\ud800"}'),
        ("/v1/keys", b'{"name": "x", "permissions": {"\\ud800": 1}}'),
    ):
        reply = await plane.client.post(path, content=raw, headers=headers)
        assert "surrogate" in problem(reply, 422, "invalid")["detail"], path


@pytest.mark.parametrize(
    ("changes", "status", "code", "words"),
    [
        ({"source_instance": None}, 422, "invalid", "connection: is required, or `source_"),
        ({"connection": "store"}, 422, "invalid", "connection: must be left out"),
        ({"direction": "instance_to_cloud"}, 422, "invalid", "direction: must be left out"),
        ({"source_instance": "gone"}, 404, "no_such_instance", "Instance gone"),
        ({"source_instance": "other"}, 422, "same_place", "one holds the other"),
    ],
)
async def test_the_two_sides_are_an_instance_and_exactly_one_other(
    plane: Plane, changes: dict[str, str | None], status: int, code: str, words: str
):
    body = {"source_instance": "box", "instance": "other", "src": "/a", "dst": "/a/b"} | changes
    reply = await plane.ask("POST", "/v1/transfers", body)
    assert words in problem(reply, status, code)["detail"]
    undirected = plane.native()
    del undirected["direction"]
    reply = await plane.ask("POST", "/v1/transfers", undirected)
    assert "direction: is required" in problem(reply, 422, "invalid")["detail"]


async def test_what_stands_for_an_instance_cannot_be_made_or_written_to(plane: Plane):
    body = {"name": "x", "cloud_type": "instance", "parameters": {"instance": "1"}}
    refused = problem(await plane.ask("POST", "/v1/connections", body), 422, "invalid")
    assert "'instance' is unknown" in refused["detail"]
    between = {"source_instance": "box", "instance": "other", "src": "/a", "dst": "/b"}
    id = (await plane.ask("POST", "/v1/transfers", between)).json()["connection"]
    order = plane.native(connection=id, direction="instance_to_cloud")
    problem(await plane.ask("POST", "/v1/transfers", order), 404, "no_such_connection")
