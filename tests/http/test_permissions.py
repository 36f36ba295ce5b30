"""Every route says what it needs, and a key that has not that is told so in words."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Route, WebSocketRoute

from cloudcopy.domain.permissions import Category
from cloudcopy.domain.progress import Digests
from cloudcopy.http.callers import Native, Need, need_of, needs
from tests.http.conftest import Plane
from tests.http.test_native import problem
from tests.http.test_refusals import refused

COPY = "/api/v0/commands/rclone/"
KEYS_PAGE = Path(__file__).parents[2] / "docs" / "keys.md"
ROW = re.compile(
    r"^\| `([A-Z]+ /[^`]+)` \| (?:`([a-z_]+)`(, operators)?|none: open) "
    r"\| (?:`([a-z._]+)` )?\|$",
    re.MULTILINE,
)
OPEN = {
    "GET /api/v0/gpu_names/unique/",
    "GET /api/v0/gpu_types/",
    "GET /api/v0/instances/results/{token}/",
    "GET /api/v0/results/{token}/",
    "GET /docs/{name:path}",
    "GET /llms.txt",
    "GET /v1/flags",
    "GET /v1/health",
    "GET /v1/receipt-key",
    "POST /v1/machines/enrol",
    "WS /v1/agent",
    "WS /v1/relay",
}


def declared(plane: Plane) -> dict[str, Need]:
    """What each route of the real application declares."""
    app = plane.client._transport.app  # type: ignore[attr-defined]
    found = {}
    for route in app.state.routes:
        if isinstance(route, WebSocketRoute):
            found[f"WS {route.path}"] = need_of(route.endpoint)
        elif isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                found[f"{method} {route.path}"] = need_of(route.endpoint)
    return found


class Limited:
    """Asks with a key of its own."""

    def __init__(self, plane: Plane, key: str) -> None:
        self.plane = plane
        self.key = key

    async def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return await self.plane.ask(
            method, path, body, headers={"Authorization": f"Bearer {self.key}"}
        )


async def limited(plane: Plane, *categories: str, **fields: Any) -> Limited:
    api = {each: {} for each in categories} | fields.pop("api", {})
    body = {"name": "limited", **({"permissions": {"api": api}} if api else {}), **fields}
    made = await plane.ask("POST", "/v1/keys", body)
    assert made.status_code == 201, made.text
    return Limited(plane, made.json()["key"])


def here(instance: int) -> dict[str, Any]:
    return {"constraints": {"id": {"eq": instance}}}


async def test_every_route_declares_what_it_needs_and_only_these_are_open(plane: Plane):
    found = declared(plane)
    assert len(found) > 40
    assert {name for name, need in found.items() if need.category is None} == OPEN
    assert all(
        re.match(r"(WS|[A-Z]+) /(api/|v1/|metrics$|docs/|llms\.txt$)", name) for name in found
    )


async def test_the_documented_table_is_what_the_routes_declare(plane: Plane):
    rows = ROW.findall(KEYS_PAGE.read_text())
    documented = {
        name: Need(Category(category) if category else None, endpoint or None, bool(operators))
        for name, category, operators, endpoint in rows
    }
    assert len(documented) == len(rows)
    assert documented == declared(plane)


async def test_a_route_that_declares_nothing_lets_nobody_in(plane: Plane):
    async def secret(caller: Native) -> dict[str, str]:
        return {"told": "everything"}

    app = plane.client._transport.app  # type: ignore[attr-defined]
    app.add_api_route("/v1/secret", secret)
    with pytest.raises(LookupError, match=r"secret declares no permission"):
        need_of(secret)
    reply = await plane.ask("GET", "/v1/secret")
    assert (reply.status_code, "everything" in reply.text) == (500, False)


def test_a_permission_that_does_not_exist_cannot_be_declared():
    with pytest.raises(ValueError, match="everything"):
        needs("everything")
    with pytest.raises(ValueError, match="ENDPOINTS of user_read"):
        needs("user_read", "api.instance.copy")


async def test_every_route_that_is_not_open_asks_for_the_caller(plane: Plane):
    """What is declared is also asked for: without a key nothing but 401 comes."""
    for name, need in declared(plane).items():
        if need.category is None:
            continue
        method, _, path = name.partition(" ")
        filled = re.sub(r"\{[a-z_]+\}", "1", path)
        reply = await plane.client.request(method, filled)
        assert reply.status_code == 401, (name, reply.text)


async def test_a_key_without_the_category_gets_403_at_every_route(plane: Plane):
    """With one key for each category; the words name what is missing."""
    for category in Category:
        other = Category.MISC if category is not Category.MISC else Category.BILLING_READ
        key = await limited(plane, other)
        for name, need in declared(plane).items():
            if need.category is not category:
                continue
            method, _, path = name.partition(" ")
            reply = await key.ask(method, re.sub(r"\{[a-z_]+\}", "1", path), _body(method))
            assert reply.status_code == 403, (name, reply.text)
            told = reply.json().get("msg") or reply.json()["detail"]
            assert f"has not the permission {category}" in told


def _body(method: str) -> dict[str, Any] | None:
    return {} if method in ("POST", "PUT", "PATCH", "DELETE") else None


async def test_a_copy_needs_instance_write_and_nothing_starts_without(plane: Plane):
    reader = await limited(plane, "instance_read", "user_read")
    body = refused(await reader.ask("POST", COPY, plane.order()), 403)
    assert body["error"] == "missing_permission"
    assert "instance_write" in body["msg"]
    problem(await reader.ask("POST", "/v1/transfers", plane.native()), 403, "missing_permission")
    assert (await reader.ask("GET", "/v1/transfers")).json()["data"] == []
    assert (await reader.ask("GET", "/api/v0/instances/")).status_code == 200
    writer = await limited(plane, "instance_write")
    assert (await writer.ask("POST", COPY, plane.order())).status_code == 200
    assert (await writer.ask("GET", "/api/v0/instances/")).status_code == 403


async def test_a_key_for_one_instance_reaches_no_other(plane: Plane):
    box = plane.instance
    other = (await plane.ask("GET", "/v1/instances/other")).status_code  # labels are no ids here
    assert other == 422
    rows = (await plane.ask("GET", "/v1/instances")).json()["data"]
    spare = next(each["id"] for each in rows if each["label"] == "other")
    theirs = await plane.submitted(instance="other")
    mine = await plane.submitted()
    key = await limited(plane, api={"instance_read": here(box), "instance_write": here(box)})

    for method, path, body in (
        ("GET", f"/v1/instances/{spare}", None),
        ("GET", f"/v1/transfers/{theirs}", None),
        ("GET", f"/v1/transfers/{theirs}/events", None),
        ("GET", f"/v1/transfers/{theirs}/files", None),
        ("GET", f"/v1/transfers/{theirs}/log", None),
        ("GET", f"/v1/transfers/{theirs}/receipt", None),
        ("POST", f"/v1/transfers/{theirs}/cancel", None),
        ("POST", f"/v1/transfers/{theirs}/pause", None),
        ("POST", f"/v1/transfers/{theirs}/resume", None),
        ("POST", f"/v1/transfers/{theirs}/retry", {"only": "failed"}),
        ("POST", f"/v1/plans/{theirs}/apply", None),
        ("PATCH", f"/v1/transfers/{theirs}", {"bwlimit": "1M"}),
        ("POST", "/v1/transfers", plane.native(instance=spare)),
        ("POST", "/v1/plans", plane.native(instance=spare)),
    ):
        problem(await key.ask(method, path, body), 403, "missing_permission")
    problem(
        await key.ask("POST", "/v1/transfers", plane.native(instance="other")),
        404, "no_such_instance",
    )  # fmt: skip
    for method, path, body in (
        ("GET", f"/api/v0/instances/{spare}/", None),
        ("POST", COPY, plane.order(instance_id=spare)),
        ("DELETE", COPY, {"dst_id": f"C.{spare}"}),
    ):
        told = refused(await key.ask(method, path, body), 403)
        assert f"instance {spare}: its permission is limited to the ids {box}" in told["msg"]

    assert [each["id"] for each in (await key.ask("GET", "/v1/instances")).json()["data"]] == [box]
    listed = (await key.ask("GET", "/api/v1/instances/")).json()["instances"]
    assert [each["id"] for each in listed] == [box]
    seen = (await key.ask("GET", "/v1/transfers")).json()
    assert ([each["id"] for each in seen["data"]], seen["next_cursor"]) == ([mine], None)
    assert (await key.ask("POST", f"/v1/transfers/{mine}/cancel")).status_code == 202
    assert (await plane.ask("GET", f"/v1/transfers/{theirs}")).json()["state"] == "queued"


async def test_a_key_for_one_endpoint_reaches_no_other(plane: Plane):
    transfer = await plane.submitted()
    api = {"instance_read": {"api.instance.request_logs": here(plane.instance)}}
    key = await limited(plane, api=api)
    assert (await key.ask("GET", f"/v1/transfers/{transfer}/log")).status_code == 200
    told = problem(await key.ask("GET", f"/v1/transfers/{transfer}"), 403, "missing_permission")
    assert "instance_read (api.transfer.show)" in told["detail"]


async def test_no_key_makes_a_stronger_one_on_either_surface(plane: Plane):
    ends = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    key = await limited(plane, "user_write", "user_read", expires_at=ends, requests_per_second=50)
    weak = {"api": {"user_read": {}}}
    for permissions in (None, {"api": {"machine_write": {}}}):
        body = {"name": "more", "permissions": permissions}
        problem(await key.ask("POST", "/v1/keys", body), 403, "stronger_key")
        refused(await key.ask("POST", "/api/v0/auth/apikeys/", body), 403)
    for more in (
        {"expires_at": "2999-01-01T00:00:00Z"},
        {"requests_per_second": 51},
        {"requests_per_second": 50, "burst": 501},
    ):
        body = {"name": "more", "permissions": weak, **more}
        problem(await key.ask("POST", "/v1/keys", body), 403, "stronger_key")
    made = (await key.ask("POST", "/v1/keys", {"name": "less", "permissions": weak})).json()
    assert datetime.fromisoformat(made["expires_at"]) == datetime.fromisoformat(ends)
    assert (made["requests_per_second"], made["burst"]) == (50.0, 500)
    names = [each["name"] for each in (await key.ask("GET", "/v1/keys")).json()["data"]]
    assert sorted(names) == ["less", "limited", "test"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"permissions": {"api": {"root": {}}}}, "bad_permissions"),
        ({"permissions": {"api": {}}}, "bad_permissions"),
        ({"permissions": "all"}, "invalid"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "invalid"),
        ({"expires_at": "2999-01-01T00:00:00"}, "invalid"),
        ({"requests_per_second": 0}, "invalid"),
        ({"burst": 5}, "invalid"),
        ({"expires_in_seconds": 0}, "invalid"),
        ({"expires_in_seconds": 60, "expires_at": "2999-01-01T00:00:00Z"}, "invalid"),
        ({"name": ""}, "invalid"),
    ],
)
async def test_a_key_that_cannot_be_made_is_refused(
    plane: Plane, fields: dict[str, Any], code: str
):
    problem(await plane.ask("POST", "/v1/keys", {"name": "x", **fields}), 422, code)
    assert len((await plane.ask("GET", "/v1/keys")).json()["data"]) == 1


async def test_a_limited_key_learns_nothing_of_another_instances_transfers(plane: Plane):
    plan = (await plane.ask("POST", "/v1/plans", plane.native(mode="mirror"))).json()["id"]
    counts = {"found": 1, "copied": 1, "at_destination": 1}
    digests = Digests(source="a" * 64, destination="b" * 64)
    await plane.report("succeeded", digests=digests, **counts)
    applied = (await plane.ask("POST", f"/v1/plans/{plan}/apply", {})).json()["id"]
    await plane.report("started")
    other = {"instance_write": here(plane.instance + 1)}
    key = await limited(plane, api=other)
    told = problem(
        await key.ask("POST", f"/v1/transfers/{applied}/pause"), 403, "missing_permission"
    )
    assert "carrying out" not in told["detail"]

    once = plane.auth | {"Idempotency-Key": "nightly"}
    mine = await plane.ask("POST", "/v1/transfers", plane.native(), headers=once)
    once["Authorization"] = f"Bearer {key.key}"
    order = plane.native(instance="other")
    reply = await plane.ask("POST", "/v1/transfers", order, headers=once)
    told = problem(reply, 409, "idempotency_key_reused")
    assert mine.json()["id"] not in str(told)
