"""Several accounts on one server: each sees its own, and operators run the machines."""

from typing import Any

import httpx2
import pytest

from tests.http.conftest import Plane
from tests.http.test_native import problem
from tests.http.test_permissions import limited


class Other:
    """Asks as another account."""

    def __init__(self, plane: Plane, made: dict[str, Any]) -> None:
        self._plane = plane
        self.id = made["id"]
        self._auth = {"Authorization": f"Bearer {made['key']}"}

    async def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return await self._plane.ask(method, path, body, headers=self._auth)


async def another(plane: Plane, name: str = "lab", **fields: Any) -> Other:
    reply = await plane.ask("POST", "/v1/accounts", {"name": name, **fields})
    assert reply.status_code == 201, reply.text
    return Other(plane, reply.json())


async def test_an_operator_makes_accounts_and_lists_them(plane: Plane):
    made = (await plane.ask("POST", "/v1/accounts", {"name": "lab"})).json()
    assert set(made) == {"id", "name", "operator", "key_id", "key"}
    listed = await plane.ask("GET", "/v1/accounts")
    assert listed.json()["data"] == [
        {"id": 1, "name": "default", "operator": True},
        {"id": 2, "name": "lab", "operator": False},
    ]
    assert made["key"] not in listed.text
    problem(await plane.ask("POST", "/v1/accounts", {"name": "lab"}), 409, "name_taken")
    problem(await plane.ask("POST", "/v1/accounts", {"name": " "}), 422, "invalid")


async def test_each_account_sees_only_its_own(plane: Plane):
    id = await plane.submitted()
    other = await another(plane)
    for path in ("instances", "machines", "connections", "transfers", "plans", "checks"):
        reply = await other.ask("GET", f"/v1/{path}")
        assert (reply.status_code, reply.json()["data"]) == (200, []), path
    assert [each["name"] for each in (await other.ask("GET", "/v1/keys")).json()["data"]] == [
        "owner"
    ]
    own = (await plane.ask("GET", "/v1/keys")).json()["data"][0]["id"]
    for method, path in (
        ("GET", f"/v1/transfers/{id}"),
        ("POST", f"/v1/transfers/{id}/cancel"),
        ("GET", f"/v1/instances/{plane.instance}"),
        ("GET", f"/v1/connections/{plane.connection}"),
        ("DELETE", f"/v1/connections/{plane.connection}"),
        ("GET", f"/v1/machines/{plane.machine}"),
        ("DELETE", f"/v1/keys/{own}"),
        ("GET", "/api/v0/auth/apikeys/1/"),
        ("DELETE", "/api/v0/auth/apikeys/1/"),
    ):
        assert (await other.ask(method, path)).status_code == 404, path
    copied = await other.ask("POST", "/api/v0/commands/rclone/", plane.order())
    assert (copied.status_code, copied.json()["error"]) == (400, "no_such_instance")
    told = (await other.ask("GET", "/api/v0/users/current/")).json()
    assert (told["id"], told["username"]) == (other.id, "lab")
    assert (await plane.ask("GET", f"/v1/transfers/{id}")).json()["state"] == "queued"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/machines/tokens", None),
        ("POST", "/v1/machines/1/give-up", None),
        ("POST", "/v1/accounts", {"name": "more"}),
        ("GET", "/v1/accounts", None),
    ],
)
async def test_what_is_for_operators_is_refused_to_others(
    plane: Plane, method: str, path: str, body: Any
):
    problem(await (await another(plane)).ask(method, path, body), 403, "not_operator")


async def test_an_operator_lets_a_machine_in_for_another_account_and_gives_it_up(plane: Plane):
    user, chief = await another(plane), await another(plane, "chief", operator=True)
    problem(await chief.ask("POST", "/v1/machines/tokens", {"account": 99}), 404, "no_such_account")
    token = (await chief.ask("POST", "/v1/machines/tokens", {"account": user.id})).json()["token"]
    joined = await plane.client.post(
        "/v1/machines/enrol",
        json={"token": token, "name": "gpu-2", "public_key": "A" * 43 + "="},
    )
    machine = joined.json()["machine"]
    assert [each["id"] for each in (await user.ask("GET", "/v1/machines")).json()["data"]] == [
        machine
    ]
    seen = (await chief.ask("GET", "/v1/machines")).json()["data"]
    assert [(each["id"], each["account"]) for each in seen] == [(machine, user.id), (1, 1)]
    await plane.submitted()
    assert (await chief.ask("POST", "/v1/machines/1/give-up")).json() == {"ended": 1}
    assert (await plane.newest()).state == "failed"


async def test_a_limited_operators_key_makes_no_operator(plane: Plane):
    key = await limited(plane, "team_write", "team_read")
    body = {"name": "boss", "operator": True}
    problem(await key.ask("POST", "/v1/accounts", body), 403, "stronger_key")
    assert (await key.ask("POST", "/v1/accounts", {"name": "user"})).status_code == 201
    names = [each["name"] for each in (await key.ask("GET", "/v1/accounts")).json()["data"]]
    assert names == ["default", "user"]
