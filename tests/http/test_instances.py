"""Created instances in the compatible API, with the machine's side played by the test."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloudcopy.domain.question import ANSWER_LIFE, PATIENCE
from tests.http.conftest import Plane
from tests.http.hosted import HARDWARE, KEY, Hosted

INSTANCES = "/api/v0/instances/"


@pytest.fixture
async def host(plane: Plane) -> Hosted:
    made = Hosted(plane)
    await made.announce()
    return made


def later(plane: Plane, by: timedelta) -> None:
    """Set every clock forward."""
    then = plane.services.now() + by
    for desk in (plane.services, plane.services.instances, plane.services.queries):
        object.__setattr__(desk, "now", lambda: then)
    object.__setattr__(plane.services.offers, "now", lambda: then)


async def refused(plane: Plane, method: str, path: str, body: Any, *, status: int = 400) -> dict:
    reply = await plane.ask(method, path, body)
    assert (reply.status_code, reply.json()["success"]) == (status, False), reply.text
    assert reply.json()["msg"]
    return dict(reply.json())


async def test_an_offer_is_a_machine_with_memory_in_mb(plane: Plane, host: Hosted):
    for method, path, body in (
        ("POST", "/api/v0/bundles/", {"gpu_ram": {"gte": 24000.0}, "num_gpus": {"eq": "2"}}),
        ("PUT", "/api/v0/search/asks/", {"select_cols": ["*"], "q": {"gpu_ram": {"gte": 24}}}),
    ):
        [offer] = (await plane.ask(method, path, body)).json()["offers"]
        assert (offer["id"], offer["machine_id"]) == (host.ask, plane.machine)
        assert (offer["gpu_name"], offer["num_gpus"], offer["gpu_ram"]) == ("RTX 4090", 2, 24564)
        assert (offer["gpu_total_ram"], offer["cpu_ram"]) == (49128, 64_000)
        assert (offer["verified"], offer["rentable"], offer["rented"]) == (True, True, False)
    none = await plane.ask("POST", "/api/v0/bundles/", {"gpu_ram": {"gte": 25000.0}})
    assert none.json() == {"offers": []}
    few = {"select_cols": ["id", "gpu_ram"], "q": {}}
    narrow = await plane.ask("PUT", "/api/v0/search/asks/", few)
    assert narrow.json()["offers"] == [{"id": host.ask, "gpu_ram": 24564}]


async def test_a_machine_without_gpus_is_an_offer_without_gpus(plane: Plane, host: Hosted):
    await host.announce(replace(HARDWARE, gpus=()))
    [offer] = (await plane.ask("POST", "/api/v0/bundles/", {})).json()["offers"]
    assert (offer["num_gpus"], offer["gpu_name"], offer["gpu_ram"]) == (0, None, 0)


async def test_a_machine_that_is_silent_or_hosts_nothing_is_no_offer(plane: Plane, host: Hosted):
    later(plane, timedelta(minutes=2))
    assert (await plane.ask("POST", "/api/v0/bundles/", {})).json() == {"offers": []}
    told = await refused(plane, "PUT", f"/api/v0/asks/{host.ask}/", {"image": "x"})
    assert told["error"] == "machine_silent"
    await host.announce(None)
    assert (await plane.ask("POST", "/api/v0/bundles/", {})).json() == {"offers": []}
    told = await refused(plane, "PUT", f"/api/v0/asks/{host.ask}/", {}, status=404)
    assert told["error"] == "no_such_offer"


async def test_a_search_that_cannot_be_read_is_refused(plane: Plane, host: Hosted):
    for path, body in (
        ("/api/v0/bundles/", {"num_gpus": {"about": 1}}),
        ("/api/v0/search/asks/", {"q": [1]}),
        ("/api/v0/search/asks/", {"q": {"order": 1}}),
    ):
        method = "POST" if "bundles" in path else "PUT"
        assert (await refused(plane, method, path, body))["error"] == "bad_filter"


@pytest.mark.parametrize(("method", "slash"), [("PUT", "/"), ("POST", "")])
async def test_creating_answers_with_new_contract_and_no_id(
    plane: Plane, host: Hosted, method: str, slash: str
):
    body = {"client_id": "me", "image": "img", "disk": 10, "label": "my box", "onstart": "true"}
    reply = await plane.ask(method, f"/api/v0/asks/{host.ask}{slash}", body)
    assert reply.status_code == 200
    told = reply.json()
    assert (told["success"], "id" in told) == (True, False)
    assert told["new_contract"] != host.ask
    row = await host.row(told["new_contract"])
    assert (row["label"], row["image_uuid"], row["disk_space"]) == ("my box", "img", 10.0)
    assert (row["actual_status"], row["intended_status"]) == ("loading", "running")
    assert (row["gpu_ram"], row["num_gpus"], row["extra_env"]) == (24564, 2, [])
    [wanted] = await host.wanted()
    assert (wanted.want, wanted.boot, wanted.image, wanted.onstart) == ("running", 1, "img", "true")


async def test_an_onstart_over_4048_characters_makes_no_instance(plane: Plane, host: Hosted):
    await host.create(onstart="x" * 4048)
    told = await refused(plane, "PUT", f"/api/v0/asks/{host.ask}/", {"onstart": "x" * 4049})
    assert told["error"] == "onstart_too_long"
    assert all(word in told["msg"] for word in ("4049", "4048", "gzip", "base64"))
    assert len(await host.wanted()) == 1


async def test_an_environment_is_sealed_and_reaches_the_machine_alone(plane: Plane, host: Hosted):
    id = await host.create(env={"TOKEN": "TOPSECRET", "N": 1})
    [wanted] = await host.wanted()
    assert wanted.env == {"TOKEN": "TOPSECRET", "N": "1"}
    assert "TOPSECRET" not in repr(wanted)
    assert "TOPSECRET" not in json.dumps(await host.row(id))
    async with plane.services.open_store() as store:
        assert "TOPSECRET" not in repr(await store.instances.get(id, account=1))


NOT_MADE: list[tuple[dict[str, Any], str]] = [
    ({"onstart": 1.5, "args": "x"}, "bad_args"),
    ({"env": "A=b"}, "bad_env"),
    ({"env": {"A": []}}, "bad_env"),
    ({"label": "123"}, "invalid"),
    ({"label": ["x"]}, "bad_label"),
    ({"disk": "much"}, "bad_disk"),
    ({"disk": True}, "bad_disk"),
    ({"template_hash_id": "abc"}, "not_served"),
    ({"volume_info": {"size": 1}}, "not_served"),
    ({"image_login": "-u me -p SECRET"}, "not_served"),
    ({"runtype": "vm"}, "no_ssh_key_for_vm"),
    ({"image": "docker.io/vastai/kvm:cuda"}, "no_ssh_key_for_vm"),
]


async def test_what_cannot_be_created_is_refused_before_anything_is_made(
    plane: Plane, host: Hosted
):
    for body, code in NOT_MADE:
        told = await refused(plane, "PUT", f"/api/v0/asks/{host.ask}/", body)
        assert told["error"] == code, body
        assert "SECRET" not in told["msg"]
    assert await host.wanted() == []


async def test_an_offer_that_is_none_is_not_found(plane: Plane, host: Hosted):
    for ask in ("999", str(host.ask + 1)):
        told = await refused(plane, "PUT", f"/api/v0/asks/{ask}/", {}, status=404)
        assert told["error"] == "no_such_offer"
    assert (await refused(plane, "PUT", "/api/v0/asks/x/", {}))["error"] == "no_such_offer"


async def test_a_machine_with_docker_needs_an_image(plane: Plane, host: Hosted):
    await host.announce(replace(HARDWARE, runtime="docker"))
    told = await refused(plane, "PUT", f"/api/v0/asks/{host.ask}/", {"image": None})
    assert told["error"] == "missing_image"


async def test_a_virtual_machine_is_refused_with_a_key_too(plane: Plane, host: Hosted):
    await plane.ask("POST", "/api/v0/ssh/", {"ssh_key": KEY})
    told = await refused(plane, "PUT", f"/api/v0/asks/{host.ask}/", {"runtype": "vm"})
    assert told["error"] == "not_served"


async def test_the_accounts_keys_are_placed_when_it_is_created(plane: Plane, host: Hosted):
    bare = await plane.ask("PUT", f"/api/v0/asks/{host.ask}/", {})
    assert "without an SSH key" in bare.json()["msg"]
    made = (await plane.ask("POST", "/api/v0/ssh/", {"ssh_key": f"{KEY} me"})).json()
    assert made["success"]
    assert made["key"]["public_key"] == made["key"]["key"] == f"{KEY} me"
    keyed = await plane.ask("PUT", f"/api/v0/asks/{host.ask}/", {})
    assert "1 SSH key was placed" in keyed.json()["msg"]
    assert [each.keys for each in await host.wanted()] == [[], [f"{KEY} me"]]


async def test_keys_are_listed_changed_removed_attached_and_detached(plane: Plane, host: Hosted):
    id = await host.create()
    told = (await plane.ask("POST", f"{INSTANCES}{id}/ssh/", {"ssh_key": KEY})).json()
    key = told["key"]["id"]
    assert (told["success"], [each.keys for each in await host.wanted()]) == (True, [[KEY]])
    assert [each["id"] for each in (await plane.ask("GET", "/api/v0/ssh/")).json()] == [key]
    other = KEY + " other"
    changed = await plane.ask("PUT", f"/api/v0/ssh/{key}/", {"id": key, "ssh_key": other})
    assert changed.json()["key"]["key"] == other
    assert [each.keys for each in await host.wanted()] == [[other]]
    gone = (await plane.ask("DELETE", f"/api/v0/ssh/{key}/")).json()
    assert gone["success"]
    assert (await plane.ask("GET", "/api/v0/ssh/")).json() == []
    listed = (await plane.ask("GET", f"{INSTANCES}{id}/ssh/")).json()["ssh_keys"]
    assert [each["public_key"] for each in listed] == [other]
    out = await plane.ask("DELETE", f"{INSTANCES}{id}/ssh/{key}/")
    assert out.json()["success"]
    assert [each.keys for each in await host.wanted()] == [[]]


async def test_a_key_for_one_instance_puts_no_new_ssh_key_into_others(plane: Plane, host: Hosted):
    id = await host.create()
    change = {"api.instance.change": {"constraints": {"id": {"eq": id}}}}
    body = {"name": "one", "permissions": {"api": {"instance_write": change}}}
    made = (await plane.ask("POST", "/v1/keys", body)).json()
    limited = {"Authorization": f"Bearer {made['key']}"}
    for path, field in (
        (f"{INSTANCES}{id}/ssh/", "ssh_key"),
        (f"/v1/instances/{id}/ssh-keys", "public_key"),
    ):
        reply = await plane.ask("POST", path, {field: KEY}, headers=limited)
        assert reply.status_code == 403, reply.text
        assert "user_write" in reply.text
    assert (await plane.ask("GET", "/api/v0/ssh/")).json() == []
    await host.create()
    assert [each.keys for each in await host.wanted()] == [[], []]

    await plane.ask("POST", "/api/v0/ssh/", {"ssh_key": KEY})
    known = await plane.ask("POST", f"{INSTANCES}{id}/ssh/", {"ssh_key": KEY}, headers=limited)
    assert known.json()["success"]
    assert [each.keys for each in await host.wanted()] == [[KEY], []]


async def test_keys_that_are_none_are_refused(plane: Plane, host: Hosted):
    id = await host.create()
    for path in ("/api/v0/ssh/", f"{INSTANCES}{id}/ssh/"):
        for text, code in (
            (None, "missing_ssh_key"),
            ("ssh-rsa x", "bad_ssh_key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private_key"),
        ):
            assert (await refused(plane, "POST", path, {"ssh_key": text}))["error"] == code
    for method, path in (
        ("DELETE", "/api/v0/ssh/99/"),
        ("DELETE", f"{INSTANCES}{id}/ssh/99/"),
        ("DELETE", f"{INSTANCES}999/ssh/1/"),
    ):
        await refused(plane, method, path, None, status=404)
    told = await refused(plane, "POST", f"{INSTANCES}{plane.instance}/ssh/", {"ssh_key": KEY})
    assert told["error"] == "instance_announced"


NOT_ASKED: list[tuple[str, str, dict[str, Any], str]] = [
    ("PUT", "{id}/", {}, "missing_state"),
    ("PUT", "{id}/", {"state": "frozen"}, "bad_state"),
    ("PUT", "{id}/", {"state": 1}, "bad_state"),
    ("PUT", "{id}/", {"label": 1}, "bad_label"),
    ("PUT", "{id}/", {"label": "77"}, "invalid"),
    ("PUT", "x/", {"state": "running"}, "no_such_instance"),
    ("PUT", "", {"state": "running"}, "missing_ids"),
    ("PUT", "", {"ids": [], "state": "running"}, "bad_ids"),
    ("PUT", "", {"ids": ["x"], "state": "running"}, "no_such_instance"),
    ("DELETE", "", {"instance_ids": 7}, "bad_instance_ids"),
    ("PUT", "{box}/", {"state": "stopped"}, "instance_announced"),
    ("PUT", "{box}/", {"label": "x"}, "instance_announced"),
    ("PUT", "reboot/{box}/", {}, "instance_announced"),
    ("DELETE", "{box}/", {}, "instance_announced"),
    ("PUT", "request_logs/{box}/", {}, "instance_announced"),
    ("PUT", "command/{box}/", {"command": "ls"}, "instance_announced"),
    ("PUT", "request_logs/{id}/", {"tail": "many"}, "bad_tail"),
    ("PUT", "request_logs/{id}/", {"tail": "0"}, "invalid"),
    ("PUT", "request_logs/{id}/", {"filter": "x" * 300}, "invalid"),
    ("PUT", "command/{id}/", {}, "missing_command"),
    ("PUT", "command/{id}/", {"command": "cat x"}, "bad_command"),
    ("PUT", "command/{id}/", {"command": "ls ../x"}, "bad_path"),
]


async def test_what_cannot_be_asked_is_refused(plane: Plane, host: Hosted):
    id = await host.create()
    for method, path, body, code in NOT_ASKED:
        address = INSTANCES + path.format(id=id, box=plane.instance)
        assert (await refused(plane, method, address, body))["error"] == code, (path, body)


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        (
            "request_logs",
            {"tail": "10", "filter": "x", "daemon_logs": "true"},
            ("logs", "", 10, "x", True),
        ),
        ("request_logs", {}, ("logs", "", 1000, "", False)),
        ("command", {"command": "ls -l"}, ("execute", "ls -l", 1000, "", False)),
    ],
)
async def test_an_answer_is_behind_an_unguessable_address_once_the_machine_gave_it(
    plane: Plane, host: Hosted, path: str, body: dict[str, Any], asked: tuple[Any, ...]
):
    id = await host.create()
    told = (await plane.ask("PUT", f"{INSTANCES}{path}/{id}/", body)).json()
    assert told["success"]
    assert told.get("writeable_path", "") == ""
    url = told["result_url"]
    assert url.startswith("http://plane/")
    [question] = await host.asked()
    assert asked == (
        question.kind,
        question.command,
        question.tail,
        question.filter,
        question.daemon,
    )

    async def read(address: str) -> tuple[int, str]:
        reply = await plane.client.get(address)
        return reply.status_code, reply.text if reply.status_code == 200 else reply.json()["error"]

    assert await read(url) == (404, "no_such_result")
    await host.answer(question.id, "the answer\n")
    assert await host.asked() == []
    assert await read(url) == (200, "the answer\n")
    await host.answer(question.id, "another")
    assert await read(url) == (200, "the answer\n")
    forged = url.rstrip("/")[:-1] + ("0" if url.rstrip("/")[-1] != "0" else "1")
    assert await read(forged) == (404, "no_such_result")
    later(plane, ANSWER_LIFE + timedelta(seconds=1))
    assert await read(url) == (404, "no_such_result")


async def test_a_machine_that_does_not_answer_is_said_so_in_the_end(plane: Plane, host: Hosted):
    id = await host.create()
    told = (await plane.ask("PUT", f"{INSTANCES}command/{id}/", {"command": "ls"})).json()
    later(plane, PATIENCE + timedelta(seconds=1))
    reply = await plane.client.get(told["result_url"])
    assert (reply.status_code, reply.text) == (200, "The machine did not answer. Ask again.\n")
    assert await host.asked() == []


async def test_the_list_counts_labels_and_filters_created_ones_too(plane: Plane, host: Hosted):
    await host.create(label="same")
    await host.create(label="same")
    await host.create()
    page = (await plane.ask("GET", "/api/v1/instances/?limit=2")).json()
    assert (page["total_instances"], page["next_token"]) == (5, "2")
    assert page["label_counts"] == {"box": 1, "other": 1, "same": 2, "": 1}
    filters = json.dumps({"label": {"in": ["same"]}, "actual_status": {"eq": "loading"}})
    found = (await plane.ask("GET", f"/api/v1/instances/?select_filters={filters}")).json()
    assert found["total_instances"] == 2
    kinds = (await plane.ask("GET", f"{INSTANCES}filters/")).json()["filters"]
    assert {each["gpu_name"] for each in kinds} == {None, "RTX 4090"}
