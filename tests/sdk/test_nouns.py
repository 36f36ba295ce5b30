"""Connections, instances, machines and keys."""

from datetime import timedelta

import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client
from cloudcopy.wire import v1
from tests.sdk import views
from tests.sdk.scripted import Answer, Scripted, ok, problem

GONE = Answer(204)


async def test_a_connection_is_made_after_a_live_test(server: Scripted, client: Client) -> None:
    server.on("POST", "/v1/connections", ok(views.connection(), 201))

    made = await client.connections.create(
        name="my-s3", cloud_type="s3", parameters={"access_key_id": "A", "v2_auth": True}
    )

    assert made == views.connection()
    assert server.seen[0].query == {"test": "true"}
    assert server.seen[0].body == {
        "name": "my-s3",
        "cloud_type": "s3",
        "parameters": {"access_key_id": "A", "v2_auth": True},
    }


async def test_a_connection_can_be_kept_untried(server: Scripted, client: Client) -> None:
    server.on("POST", "/v1/connections", ok(views.connection(), 201))

    await client.connections.create(name="x", cloud_type="s3", parameters={}, test=False)

    assert server.seen[0].query == {"test": "false"}


async def test_a_connection_is_found_by_its_id_or_its_name(
    server: Scripted, client: Client
) -> None:
    server.on("GET", "/v1/connections", ok(v1.ConnectionPage(data=[views.connection()])))
    server.on("GET", "/v1/connections/101", ok(views.connection()))

    assert await client.connections.find("my-s3") == views.connection()
    assert await client.connections.find("101") == views.connection()
    assert await client.connections.find(101) == views.connection()
    with pytest.raises(sdk.NotFound, match="called 'other'"):
        await client.connections.find("other")


async def test_a_store_that_refuses_is_no_error_of_the_test(
    server: Scripted, client: Client
) -> None:
    said = v1.ConnectionTest(ok=False, detail="403")
    server.on("POST", "/v1/connections/101/test", ok(said))

    assert await client.connections.test(101) == said


async def test_a_connection_in_use_is_not_removed(server: Scripted, client: Client) -> None:
    server.on("DELETE", "/v1/connections/101", problem(409, "in_use", "It is in use."), GONE)

    with pytest.raises(sdk.Conflict):
        await client.connections.remove(101)
    await client.connections.remove(101)


async def test_a_label_that_two_instances_have_must_be_told_by_id(
    server: Scripted, client: Client
) -> None:
    twins = [views.instance(id=7), views.instance(id=8), views.instance(id=9, label="there")]
    server.on("GET", "/v1/instances", ok(v1.InstancePage(data=twins)))
    server.on("GET", "/v1/instances/8", ok(twins[1]))

    with pytest.raises(sdk.NotFound, match="7, 8"):
        await client.instances.find("here")
    assert (await client.instances.find("there")).id == 9
    assert (await client.instances.find(8)).id == 8


async def test_machines_are_listed_let_in_and_given_up(server: Scripted, client: Client) -> None:
    token = v1.JoinToken(token="ccj_x", expires_at=views.AT)
    server.on("GET", "/v1/machines", ok(v1.MachinePage(data=[views.machine()])))
    server.on("GET", "/v1/machines/3", ok(views.machine()))
    server.on("POST", "/v1/machines/tokens", ok(token, 201))
    server.on("POST", "/v1/machines/3/give-up", ok(v1.GivenUp(ended=2)))

    assert await client.machines.list() == [views.machine()]
    assert await client.machines.find("box") == await client.machines.get(3)
    assert await client.machines.new_token() == token
    assert await client.machines.new_token(account=2) == token
    assert server.bodies("POST", "/v1/machines/tokens") == [None, {"account": 2}]
    assert (await client.machines.give_up(3)).ended == 2


async def test_keys_are_listed_and_revoked(server: Scripted, client: Client) -> None:
    key = views.key()
    server.on("GET", "/v1/keys", ok(v1.KeyPage(data=[key])))
    server.on("DELETE", "/v1/keys/abc", GONE)

    assert await client.keys.list() == [key]
    await client.keys.revoke("abc")
    with pytest.raises(sdk.NotFound):
        await client.keys.revoke("../transfers")


async def test_a_key_is_asked_for_with_what_was_said_and_nothing_else(
    server: Scripted, client: Client
) -> None:
    server.on("POST", "/v1/keys", ok(views.created_key(), 201))

    assert await client.keys.create(name="ci") == views.created_key()
    await client.keys.create(
        name="ci",
        permissions={"api": {"instance_read": {}}},
        expires_at=views.AT,
        requests_per_second=2.5,
        burst=9,
    )
    await client.keys.create(name="ci", expires_in=timedelta(days=30))

    assert server.bodies("POST", "/v1/keys") == [
        {"name": "ci"},
        {
            "name": "ci",
            "permissions": {"api": {"instance_read": {}}},
            "expires_at": views.AT.isoformat(),
            "requests_per_second": 2.5,
            "burst": 9,
        },
        {"name": "ci", "expires_in_seconds": 2_592_000},
    ]


async def test_a_key_that_would_be_stronger_is_forbidden(server: Scripted, client: Client) -> None:
    server.on("POST", "/v1/keys", problem(403, "stronger_key", "It would outlive this key."))

    with pytest.raises(sdk.Forbidden, match="outlive") as refused:
        await client.keys.create(name="ci")
    assert refused.value.code == "stronger_key"


async def test_accounts_are_made_and_listed(server: Scripted, client: Client) -> None:
    seen = v1.AccountView(id=2, name="lab", operator=False)
    made = v1.CreatedAccount(id=2, name="lab", operator=False, key_id="abc", key="cck_new")
    server.on("POST", "/v1/accounts", ok(made, 201))
    server.on("GET", "/v1/accounts", ok(v1.AccountPage(data=[seen])))

    assert await client.accounts.create(name="lab") == made
    assert await client.accounts.list() == [seen]
    assert server.bodies("POST", "/v1/accounts") == [{"name": "lab", "operator": False}]


async def test_fields_that_this_version_does_not_know_are_ignored(
    server: Scripted, client: Client
) -> None:
    newer = views.instance().model_dump_json()[:-1] + ',"colour":"red"}'
    server.on("GET", "/v1/instances/7", Answer(200, newer.encode()))

    assert await client.instances.get(7) == views.instance()


def test_the_public_names_are_those_that_are_listed() -> None:
    public = {name for name, value in vars(sdk).items() if isinstance(value, type)}
    aliases = {name for name in sdk.__all__ if name.endswith("Name")}
    assert public | aliases == set(sdk.__all__)
