"""The native API: what it answers, and how it refuses."""

import json
from typing import Any

import pytest

from cloudcopy.control import reports
from cloudcopy.domain.transfer import TransferId
from cloudcopy.wire import agent as wire
from tests.http.conftest import Plane


def problem(reply: Any, status: int, code: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert set(body) == {"type", "title", "status", "detail", "code", "retryable", "next"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    assert isinstance(body["next"], list)
    return body


async def test_a_transfer_is_accepted_with_its_location(plane: Plane):
    reply = await plane.ask("POST", "/v1/transfers", plane.native(flags=["--exclude", "*.tmp"]))
    assert reply.status_code == 202
    made = reply.json()
    assert reply.headers["location"] == f"/v1/transfers/{made['id']}"
    assert made["id"].startswith("t_")
    assert (made["state"], made["attempt"], made["flags"]) == ("queued", 1, ["--exclude=*.tmp"])
    assert (made["src"], made["dst"]) == ("/workspace/run", "bucket/run")
    assert (await plane.ask("GET", reply.headers["location"])).json() == made


async def test_instances_and_connections_go_by_id_or_name(plane: Plane):
    for instance in ("box", plane.instance, str(plane.instance)):
        for connection in ("store", plane.connection, str(plane.connection)):
            order = plane.native(instance=instance, connection=connection)
            assert (await plane.ask("POST", "/v1/transfers", order)).status_code == 202


async def test_an_idempotency_key_makes_a_repetition_safe(plane: Plane):
    headers = plane.auth | {"Idempotency-Key": "run-1"}
    first = await plane.ask("POST", "/v1/transfers", plane.native(), headers=headers)
    again = await plane.ask("POST", "/v1/transfers", plane.native(), headers=headers)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    other = await plane.ask("POST", "/v1/transfers", plane.native(src="/x"), headers=headers)
    problem(other, 409, "idempotency_key_reused")
    without = await plane.ask("POST", "/v1/transfers", plane.native())
    assert without.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"instance": "nowhere"}, 404, "no_such_instance"),
        ({"instance": 2**70}, 404, "no_such_instance_or_connection"),
        ({"connection": "nothing"}, 404, "no_such_connection"),
        ({"direction": "sideways"}, 422, "invalid"),
        ({"src": "/a/../b"}, 422, "bad_path"),
        ({"dst": ""}, 422, "no_bucket"),
        ({"flags": ["--rc"]}, 400, "bad_flag"),
        ({"unknown": 1}, 422, "invalid"),
        ({"src": None}, 422, "invalid"),
    ],
)
async def test_a_bad_order_is_a_problem(plane: Plane, changes, status: int, code: str):
    problem(await plane.ask("POST", "/v1/transfers", plane.native(**changes)), status, code)
    assert (await plane.ask("GET", "/v1/transfers")).json()["data"] == []


async def test_an_unknown_name_is_told_which_ones_there_are(plane: Plane):
    reply = await plane.ask("POST", "/v1/transfers", plane.native(instance="nowhere"))
    assert f"{plane.instance} (box)" in problem(reply, 404, "no_such_instance")["next"][0]


async def test_lists_are_pages_newest_first(plane: Plane):
    ids = [
        (await plane.ask("POST", "/v1/transfers", plane.native(src=f"/{n}"))).json()["id"]
        for n in range(5)
    ]
    seen, cursor = [], ""
    while True:
        path = f"/v1/transfers?limit=2{f'&cursor={cursor}' if cursor else ''}"
        page = (await plane.ask("GET", path)).json()
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]


async def test_lists_are_filtered_by_state_instance_and_connection(plane: Plane):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()["id"]
    await plane.ask("POST", f"/v1/transfers/{made}/cancel")
    await plane.ask("POST", "/v1/transfers", plane.native(instance="other"))

    async def count(query: str) -> int:
        return len((await plane.ask("GET", f"/v1/transfers?{query}")).json()["data"])

    assert await count("state=cancelling") == 1
    assert await count("state=queued,cancelling") == 2
    assert await count(f"instance={plane.instance}") == 1
    assert await count(f"connection={plane.connection}") == 2
    assert await count("connection=1") == 0
    problem(await plane.ask("GET", "/v1/transfers?state=odd"), 422, "invalid")
    problem(await plane.ask("GET", "/v1/transfers?limit=0"), 422, "invalid")


async def test_a_retry_of_a_live_transfer_is_a_conflict(plane: Plane):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()["id"]
    problem(await plane.ask("POST", f"/v1/transfers/{made}/retry"), 409, "transfer_queued")
    problem(await plane.ask("POST", "/v1/transfers/t_none/cancel"), 404, "no_such_transfer")


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
    assert reply.status_code in (404, 422)


async def test_the_end_of_the_log_is_there_while_it_runs_and_after_its_end(plane: Plane):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()["id"]
    path = f"/v1/transfers/{made}/log"
    assert (await plane.ask("GET", path)).text == ""
    seen = (await plane.services.reads.transfer(TransferId(made), account=None)).transfer
    this = {"transfer": made, "attempt": 1, "fence": seen.fence}
    given = {
        "open_store": plane.services.open_store,
        "bus": plane.services.bus,
        "now": plane.services.now,
    }
    lines = [f"info: {n}" for n in range(50)]
    told = wire.ProgressNow(**this, phase="transferring", log=lines)
    await reports.note(told, keep=True, **given)
    live = await plane.ask("GET", path)
    assert live.headers["content-type"].startswith("text/plain")
    assert live.text.splitlines() == lines[-10:]
    end = wire.Report(
        **this, kind="failed", at=plane.services.now(), result=wire.Numbers(log=["error: a: full"])
    )
    await reports.apply(end, machine=plane.machine, **given)
    assert (await plane.ask("GET", path)).text == "error: a: full\n"
    problem(await plane.ask("GET", "/v1/transfers/t_none/log"), 404, "no_such_transfer")
