"""The life of a key on both surfaces: made, listed, used, limited, expired, deleted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudcopy.compose import server
from cloudcopy.compose.settings import ServerSettings
from cloudcopy.control import keys
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.rates import Rate
from tests.http.conftest import Plane
from tests.http.test_events import Served, reading, served
from tests.http.test_native import problem
from tests.http.test_permissions import COPY, limited
from tests.http.test_refusals import refused

__all__ = ["served"]  # the fixture of the events' tests, as it is

KEYS = "/api/v0/auth/apikeys/"
READ = {"api": {"instance_read": {}}}


def set_clock(plane: Plane, at: datetime) -> None:
    object.__setattr__(plane.services.keys, "now", lambda: at)


def set_rate(plane: Plane, rate: Rate | None) -> None:
    object.__setattr__(plane.services.keys, "rate", rate)


async def test_a_key_is_made_shown_once_listed_and_deleted_in_the_compatible_way(plane: Plane):
    reply = await plane.ask("POST", KEYS, {"name": "ci", "permissions": READ, "key_params": None})
    made = reply.json()
    assert reply.status_code == 200
    assert set(made) == {"id", "key", "permissions"}
    assert (made["id"], made["permissions"]) == (2, READ)

    listed = await plane.ask("GET", KEYS)
    rows = listed.json()["apikeys"]
    assert [(each["id"], each["name"], each["permissions"]) for each in rows] == [
        (2, "ci", READ),
        (1, "test", None),
    ]
    assert made["key"] not in listed.text
    one = await plane.ask("GET", f"{KEYS}2")
    assert one.json() == rows[0]
    assert "key" not in one.json()
    assert isinstance(rows[0]["created_at"], float)

    gone = await plane.ask("DELETE", f"{KEYS}2/", {})
    assert gone.json() == {"success": True, "msg": "API key 2 (ci) is deleted."}
    for method in ("GET", "DELETE"):
        assert refused(await plane.ask(method, f"{KEYS}2/"), 404)["error"] == "no_such_key"
    assert [each["id"] for each in (await plane.ask("GET", KEYS)).json()["apikeys"]] == [1]
    told = await plane.ask("GET", KEYS, headers={"Authorization": f"Bearer {made['key']}"})
    assert refused(told, 401)["error"] == "unauthenticated"


async def test_the_current_user_has_the_accounts_name_and_never_a_key(plane: Plane):
    told = (await plane.ask("GET", "/api/v0/users/current")).json()
    assert (told["id"], told["username"], told["api_key"]) == (1, "default", None)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({}, "missing_name", "name"),
        ({"name": None}, "missing_name", "name"),
        ({"name": 5}, "bad_name", "string"),
        ({"name": ""}, "invalid", "1 to 80"),
        ({"name": "x", "permissions": {"read": True}}, "bad_permissions", '{"api"'),
        ({"name": "x", "permissions": {"api": {"root": {}}}}, "bad_permissions", "Known are"),
        ({"name": "x", "permissions": False}, "bad_permissions", "JSON object"),
        ({"name": "x", "key_params": "{}"}, "bad_key_params", "placeholders"),
    ],
)
async def test_a_bad_key_is_400_and_says_what_is_wrong(
    plane: Plane, body: dict[str, Any], error: str, words: str
):
    told = refused(await plane.ask("POST", KEYS, body), 400)
    assert told["error"] == error
    assert words in told["msg"]
    assert len((await plane.ask("GET", KEYS)).json()["apikeys"]) == 1


async def test_a_key_of_the_native_surface_is_shown_with_all_it_has(plane: Plane):
    body = {
        "name": "ci",
        "permissions": {"api": {"instance_read": {"constraints": {"id": {"gte": 7, "lte": "7"}}}}},
        "expires_at": "2999-01-01T00:00:00+01:00",
        "requests_per_second": 2,
    }
    made = (await plane.ask("POST", "/v1/keys", body)).json()
    mine, own = (await plane.ask("GET", "/v1/keys")).json()["data"]
    assert mine == {name: value for name, value in made.items() if name != "key"}
    assert mine | {"id": "", "created_at": ""} == {
        "id": "",
        "number": 2,
        "name": "ci",
        "permissions": {"api": {"instance_read": {"constraints": {"id": {"eq": 7}}}}},
        "created_at": "",
        "expires_at": "2998-12-31T23:00:00Z",
        "revoked_at": None,
        "last_used_at": None,
        "requests_per_second": 2.0,
        "burst": 20,
        "made_with": own["id"],
    }
    assert (own["made_with"], own["permissions"], own["expires_at"]) == (None, None, None)


async def test_an_expiry_can_be_counted_from_now_on_the_servers_clock(plane: Plane):
    before = datetime.now(UTC)
    body = {"name": "short", "expires_in_seconds": 3600}
    made = (await plane.ask("POST", "/v1/keys", body)).json()
    ends = datetime.fromisoformat(made["expires_at"]) - timedelta(hours=1)
    assert before <= ends <= datetime.now(UTC)


async def test_an_expired_key_is_refused_from_that_moment_on(plane: Plane):
    ends = datetime.now(UTC) + timedelta(hours=1)
    key = await limited(plane, "instance_read", expires_at=ends.isoformat())
    set_clock(plane, ends - timedelta(microseconds=1))
    assert (await key.ask("GET", "/v1/instances")).status_code == 200
    set_clock(plane, ends)
    told = problem(await key.ask("GET", "/v1/instances"), 401, "unauthenticated")
    assert told["detail"] == f"This API key expired at {ends:%Y-%m-%d %H:%M:%S} UTC."
    assert "expired at" in refused(await key.ask("GET", "/api/v0/instances/"), 401)["msg"]


async def test_a_last_use_is_stored_beside_the_requests_and_once_for_many(plane: Plane):
    at = datetime(2031, 1, 1, tzinfo=UTC)
    set_clock(plane, at)
    desk = plane.services.keys

    async def stored() -> datetime | None:
        return (await plane.services.reads.keys(desk_account))[0].last_used_at

    desk_account = (await keys.prove(plane.key, desk=desk)).account
    for _ in range(3):
        await plane.ask("GET", "/v1/instances")
    assert await stored() is None
    assert await keys.note_uses(desk=desk) == 1
    assert await stored() == at
    assert await keys.note_uses(desk=desk) == 0
    set_clock(plane, at + timedelta(minutes=1))
    told = (await plane.ask("GET", KEYS)).json()["apikeys"][0]
    assert told["last_used_at"] == at.timestamp()


async def test_the_last_uses_are_stored_when_the_server_stops(plane: Plane, tmp_path):
    settings = ServerSettings(data_dir=tmp_path, host="127.0.0.1", port=0)
    stop = asyncio.Event()
    serving = asyncio.create_task(
        server.serve(plane.services, server.listening(settings), stop=stop)
    )
    at = datetime(2031, 1, 1, tzinfo=UTC)
    set_clock(plane, at)
    assert (await plane.ask("GET", "/v1/instances")).status_code == 200
    stop.set()
    await serving
    assert (await plane.services.reads.keys(server.OWNER))[0].last_used_at == at


async def test_a_refused_key_counts_as_no_use(plane: Plane):
    await keys.note_uses(desk=plane.services.keys)
    reply = await plane.client.get("/v1/keys", headers={"Authorization": f"Bearer {plane.key}x"})
    assert reply.status_code == 401
    assert await keys.note_uses(desk=plane.services.keys) == 0


async def test_too_many_requests_are_429_on_both_surfaces_and_start_nothing(plane: Plane):
    key = await limited(plane, "instance_write", "instance_read", requests_per_second=0.1, burst=2)
    set_clock(plane, datetime.now(UTC))
    assert (await key.ask("GET", "/v1/transfers")).json()["data"] == []
    assert (await key.ask("POST", COPY, plane.order())).status_code == 200
    told = await key.ask("POST", COPY, plane.order(dst="bucket/second"))
    body = refused(told, 429)
    assert body["error"] == "rate_limited"
    assert "0.1 times a second" in body["msg"]
    assert told.headers["Retry-After"] == "10"
    native = await key.ask("POST", "/v1/transfers", plane.native(dst="bucket/third"))
    assert problem(native, 429, "rate_limited")["retryable"] is True
    assert native.headers["Retry-After"] == "10"
    assert len((await plane.ask("GET", "/v1/transfers")).json()["data"]) == 1
    set_clock(plane, plane.services.keys.now() + timedelta(seconds=10))
    assert (await key.ask("GET", "/v1/transfers")).status_code == 200


async def test_the_servers_rate_holds_for_every_key_and_by_itself(plane: Plane):
    generous = await limited(plane, "instance_read", requests_per_second=100)
    set_rate(plane, Rate(1, 1))
    set_clock(plane, datetime.now(UTC))
    for ask in (plane.ask, generous.ask):
        assert (await ask("GET", "/v1/instances")).status_code == 200
        assert (await ask("GET", "/v1/instances")).status_code == 429


async def test_buckets_that_are_full_again_are_forgotten(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keys, "BUCKETS", 1)
    set_rate(plane, Rate(1, 2))
    now = datetime.now(UTC)
    set_clock(plane, now)
    one, two = await limited(plane, "instance_read"), await limited(plane, "instance_read")
    set_clock(plane, now + timedelta(minutes=1))
    await one.ask("GET", "/v1/instances")
    set_clock(plane, now + timedelta(minutes=2))
    await two.ask("GET", "/v1/instances")
    assert len(plane.services.keys.memory.buckets) == 1


async def test_a_stream_ends_at_the_next_event_after_its_key_is_deleted(served: Served):
    plane = served.plane
    id = await plane.submitted()
    key = await limited(plane, "instance_read")
    mine = next(
        each["id"]
        for each in (await plane.ask("GET", "/v1/keys")).json()["data"]
        if each["name"] == "limited"
    )
    watching = Served(plane, served.url, served.port, served.stop)
    own, plane.key = plane.key, key.key
    async with reading(watching, id) as it:
        plane.key = own
        assert await it.state() == (1, "queued")
        assert (await plane.ask("DELETE", f"/v1/keys/{mine}")).status_code == 204
        await plane.note(copied=1)
        assert await it.next() is None


async def test_a_stream_ends_when_another_process_revoked_its_key(served: Served):
    plane = served.plane
    id = await plane.submitted()
    async with reading(served, id) as it:
        assert await it.state() == (1, "queued")
        caller = await keys.prove(plane.key, desk=plane.services.keys)
        async with plane.services.open_store() as store:
            await store.keys.revoke(caller.key, account=caller.account, at=plane.services.now())
        plane.services.bus.moved(TransferId(id))
        assert await it.next() is None


async def test_revoking_a_key_revokes_those_that_were_made_with_it(plane: Plane):
    async def made(name: str, maker: dict[str, str]) -> tuple[str, dict[str, str]]:
        told = (await plane.ask("POST", "/v1/keys", {"name": name}, headers=maker)).json()
        return told["id"], {"Authorization": f"Bearer {told['key']}"}

    async def good(key: dict[str, str]) -> bool:
        return (await plane.ask("GET", "/v1/keys", headers=key)).status_code == 200

    parent, parents = await made("parent", plane.auth)
    _, child = await made("child", parents)
    _, grandchild = await made("grandchild", child)
    _, beside = await made("beside", plane.auth)
    assert (await plane.ask("DELETE", f"/v1/keys/{parent}")).status_code == 204
    keys_now = [await good(each) for each in (parents, child, grandchild, beside, plane.auth)]
    assert keys_now == [False, False, False, True, True]


async def test_a_key_is_replaced_by_the_one_that_revokes_it(plane: Plane):
    async def made(name: str, maker: dict[str, str]) -> dict[str, str]:
        told = (await plane.ask("POST", KEYS, {"name": name}, headers=maker)).json()
        return {"Authorization": f"Bearer {told['key']}"}

    successor = await made("successor", plane.auth)
    kept = await made("kept", successor)
    gone = await made("gone", plane.auth)
    told = (await plane.ask("DELETE", f"{KEYS}1/", headers=successor)).json()
    assert told["msg"].endswith("is deleted, and so are the keys that were made with it.")
    asked = [await plane.ask("GET", KEYS, headers=each) for each in (successor, kept, gone)]
    assert [each.status_code for each in asked] == [200, 200, 401]
