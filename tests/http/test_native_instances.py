"""Created instances, offers and SSH keys in the native API."""

from datetime import timedelta

import pytest
from pydantic import BaseModel

from cloudcopy.http.v1 import examples
from cloudcopy.wire import v1
from tests.http.conftest import Plane
from tests.http.hosted import KEY, Hosted

NATIVE = {
    "/v1/offers": {"get"},
    "/v1/instances": {"get", "post"},
    "/v1/instances/{instance_id}": {"get", "patch", "delete"},
    "/v1/instances/{instance_id}/start": {"post"},
    "/v1/instances/{instance_id}/stop": {"post"},
    "/v1/instances/{instance_id}/reboot": {"post"},
    "/v1/instances/{instance_id}/logs": {"post"},
    "/v1/instances/{instance_id}/execute": {"post"},
    "/v1/instances/{instance_id}/answers/{answer_id}": {"get"},
    "/v1/instances/{instance_id}/ssh-keys": {"get", "post"},
    "/v1/instances/{instance_id}/ssh-keys/{key_id}": {"delete"},
    "/v1/ssh-keys": {"get", "post"},
    "/v1/ssh-keys/{key_id}": {"delete"},
}


@pytest.fixture
async def host(plane: Plane) -> Hosted:
    made = Hosted(plane)
    await made.announce()
    return made


async def test_an_instance_lives_from_an_offer_to_its_end(plane: Plane, host: Hosted):
    [offer] = (await plane.ask("GET", "/v1/offers")).json()["data"]
    assert (offer["machine"], offer["gpu_name"], offer["gpu_ram_mb"]) == (
        plane.machine,
        "RTX 4090",
        24564,
    )
    body = {"offer": offer["id"], "label": "mine", "env": {"A": "b"}, "onstart": "true"}
    made = await plane.ask("POST", "/v1/instances", body)
    assert made.status_code == 201
    path = made.headers["location"]
    seen = made.json()
    assert path == f"/v1/instances/{seen['id']}"
    assert (seen["label"], seen["created"], seen["actual_status"]) == ("mine", True, "loading")
    assert [each.env for each in await host.wanted()] == [{"A": "b"}]
    await host.say("running")
    for what, wanted in (("stop", "stopped"), ("start", "running"), ("reboot", "running")):
        reply = await plane.ask("POST", f"{path}/{what}")
        assert (reply.status_code, reply.json()["intended_status"]) == (202, wanted)
        await host.say(wanted)
        assert (await plane.ask("GET", path)).json()["actual_status"] == wanted
    renamed = await plane.ask("PATCH", path, {"label": "other"})
    assert renamed.json()["label"] == "other"
    assert (await plane.ask("DELETE", path)).status_code == 204
    gone = await plane.ask("GET", path)
    assert (gone.status_code, gone.json()["code"]) == (404, "instance_destroyed")
    await host.say("unknown", gone=True)
    listed = (await plane.ask("GET", "/v1/instances")).json()["data"]
    assert [each["created"] for each in listed] == [False, False]


async def test_an_answer_is_null_until_the_machine_gave_it(plane: Plane, host: Hosted):
    id = await host.create()
    path = f"/v1/instances/{id}"
    for what, body in (("logs", {"tail": 5, "filter": "x"}), ("execute", {"command": "ls"})):
        asked = await plane.ask("POST", f"{path}/{what}", body)
        assert (asked.status_code, asked.json()["text"]) == (202, None)
        answer = f"{path}/answers/{asked.json()['id']}"
        assert (await plane.ask("GET", answer)).json() == asked.json()
        [question] = await host.asked()
        await host.answer(question.id, "told\n")
        assert (await plane.ask("GET", answer)).json()["text"] == "told\n"
        other = await plane.ask("GET", answer.replace(str(id), str(plane.instance)))
        assert (other.status_code, other.json()["code"]) == (404, "no_such_question")


async def test_keys_are_the_accounts_and_an_instances(plane: Plane, host: Hosted):
    made = (await plane.ask("POST", "/v1/ssh-keys", {"public_key": KEY})).json()
    again = await plane.ask("POST", "/v1/ssh-keys", {"public_key": KEY})
    assert (again.status_code, again.json()) == (201, made)
    id = await host.create()
    path = f"/v1/instances/{id}/ssh-keys"
    assert (await plane.ask("GET", path)).json()["data"] == [made]
    assert (await plane.ask("DELETE", f"{path}/{made['id']}")).status_code == 204
    assert (await plane.ask("GET", path)).json()["data"] == []
    assert (await plane.ask("POST", path, {"public_key": KEY})).json() == made
    assert (await plane.ask("DELETE", f"/v1/ssh-keys/{made['id']}")).status_code == 204
    assert (await plane.ask("GET", "/v1/ssh-keys")).json()["data"] == []
    assert (await plane.ask("GET", path)).json()["data"] == [made]


async def test_what_cannot_be_done_is_refused_with_its_kind(plane: Plane, host: Hosted):
    id = await host.create()
    await host.say("exited", "why")
    box = plane.instance
    for method, path, body, status, code in (
        ("POST", "/v1/instances", {"offer": 1}, 404, "no_such_offer"),
        ("POST", "/v1/instances", {"offer": host.ask, "typo": 1}, 422, "invalid"),
        ("POST", "/v1/instances", {"offer": host.ask, "state": "frozen"}, 422, "invalid"),
        ("POST", "/v1/instances", {"offer": host.ask, "onstart": "x" * 4049}, 422, None),
        ("POST", f"/v1/instances/{id}/start", None, 409, "instance_ended"),
        ("POST", f"/v1/instances/{box}/stop", None, 409, "instance_announced"),
        ("DELETE", f"/v1/instances/{box}", None, 409, "instance_announced"),
        ("DELETE", "/v1/instances/999", None, 404, "no_such_instance"),
        ("PATCH", f"/v1/instances/{id}", {"label": "12"}, 422, "invalid"),
        ("POST", f"/v1/instances/{id}/execute", {"command": "id"}, 422, "bad_command"),
        ("POST", f"/v1/instances/{id}/logs", {"tail": 0}, 422, "invalid"),
        ("GET", f"/v1/instances/{id}/answers/q_x", None, 404, "no_such_question"),
        ("POST", "/v1/ssh-keys", {"public_key": "x"}, 422, "bad_ssh_key"),
        ("DELETE", "/v1/ssh-keys/9", None, 404, "no_such_ssh_key"),
        ("DELETE", f"/v1/instances/{id}/ssh-keys/9", None, 404, "no_such_ssh_key"),
    ):
        reply = await plane.ask(method, path, body)
        told = (reply.status_code, reply.json()["code"])
        assert told == (status, code or "onstart_too_long"), (path, body)


async def test_of_a_silent_machine_nothing_is_asked(plane: Plane, host: Hosted):
    id = await host.create()
    then = plane.services.now() + timedelta(minutes=2)
    object.__setattr__(plane.services.instances, "now", lambda: then)
    for what, body in (("start", None), ("logs", {}), ("execute", {"command": "ls"})):
        reply = await plane.ask("POST", f"/v1/instances/{id}/{what}", body)
        assert (reply.status_code, reply.json()["code"]) == (409, "machine_silent")


async def test_every_route_is_documented_with_how_it_refuses(plane: Plane):
    paths = (await plane.client.get("/openapi.json")).json()["paths"]
    for path, methods in NATIVE.items():
        assert set(paths.get(path, {})) == methods, path
        for method in methods:
            operation = paths[path][method]
            assert {"401", "404", "409", "422"} <= set(operation["responses"]), path
            assert operation["description"], path
            assert operation["security"] == [{"BearerAuth": []}]
            body = operation.get("requestBody")
            assert body is None or body["content"]["application/json"]["examples"], path


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (v1.NewInstance, examples.NEW_INSTANCE),
        (v1.InstanceChange, examples.INSTANCE_CHANGE),
        (v1.AskLogs, examples.ASK_LOGS),
        (v1.AskExecute, examples.ASK_EXECUTE),
        (v1.NewSshKey, examples.NEW_SSH_KEY),
    ],
)
def test_an_example_of_a_body_is_one(model: type[BaseModel], values):
    for each in values.values():
        model.model_validate(each["value"])
