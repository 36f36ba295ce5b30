"""Instances that are created, and SSH keys."""

import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client
from cloudcopy.wire import v1
from tests.sdk import views
from tests.sdk.conftest import Pauses
from tests.sdk.scripted import Answer, Scripted, ok, problem

MADE = {"created": True, "root": ""}
OFFER = v1.OfferView(
    id=10_000_003,
    machine=3,
    machine_name="box",
    runtime="process",
    gpu_name=None,
    num_gpus=0,
    gpu_ram_mb=0,
    cpu_cores=2,
    cpu_ram_mb=1000,
    disk_gb=9.5,
)


async def test_one_is_created_and_waited_for(
    server: Scripted, client: Client, pauses: Pauses
) -> None:
    loading = views.instance(actual_status="loading", intended_status="running", **MADE)
    running = views.instance(intended_status="running", **MADE)
    server.on("GET", "/v1/offers", ok(v1.OfferPage(data=[OFFER])))
    server.on("POST", "/v1/instances", ok(loading, 201))
    server.on("GET", "/v1/instances/7", ok(loading), ok(loading), ok(running))

    [offer] = await client.instances.offers()
    made = await client.instances.create(offer=offer.id, onstart="true", env={"A": "b"})

    assert await client.instances.wait(made.id) == running
    assert pauses == pytest.approx([0.05, 0.075])
    assert server.bodies("POST", "/v1/instances") == [
        {
            "offer": 10_000_003,
            "label": "",
            "image": "",
            "onstart": "true",
            "args": [],
            "env": {"A": "b"},
            "disk_gb": 0.0,
            "state": "running",
        }
    ]


async def test_one_that_has_ended_is_not_waited_for(server: Scripted, client: Client) -> None:
    ended = views.instance(actual_status="exited", intended_status="running", **MADE)
    server.on("GET", "/v1/instances/7", ok(ended))

    assert await client.instances.wait(7) == ended


async def test_a_creation_whose_answer_is_lost_is_not_sent_twice(
    server: Scripted, client: Client
) -> None:
    server.on("POST", "/v1/instances", problem(502, "x", "lost"), ok(views.instance(), 201))

    with pytest.raises(sdk.ApiError):
        await client.instances.create(offer=1)
    assert len(server.seen) == 1


async def test_one_is_started_stopped_rebooted_labelled_and_destroyed(
    server: Scripted, client: Client
) -> None:
    for what in ("start", "stop", "reboot"):
        server.on("POST", f"/v1/instances/7/{what}", ok(views.instance(), 202))
    server.on("PATCH", "/v1/instances/7", ok(views.instance(label="x")))
    server.on("DELETE", "/v1/instances/7", Answer(204))

    for ask in (client.instances.start, client.instances.stop, client.instances.reboot):
        assert await ask(7) == views.instance()
    assert (await client.instances.label(7, "x")).label == "x"
    await client.instances.destroy(7)

    assert [each.method for each in server.seen] == ["POST", "POST", "POST", "PATCH", "DELETE"]


async def test_an_answer_is_asked_for_once_and_waited_for(
    server: Scripted, client: Client, pauses: Pauses
) -> None:
    waiting = v1.AnswerView(id="q_1", instance=7, text=None)
    told = v1.AnswerView(id="q_1", instance=7, text="a\n")
    server.on("POST", "/v1/instances/7/logs", ok(waiting, 202))
    server.on("POST", "/v1/instances/7/execute", ok(waiting, 202))
    server.on("GET", "/v1/instances/7/answers/q_1", ok(waiting), ok(told))

    assert await client.instances.logs(7, tail=5, filter="x", daemon=True) == "a\n"
    assert await client.instances.execute(7, "ls") == "a\n"

    logs = {"tail": 5, "filter": "x", "daemon": True}
    assert server.bodies("POST", "/v1/instances/7/logs") == [logs]
    assert server.bodies("POST", "/v1/instances/7/execute") == [{"command": "ls"}]
    assert pauses == [0.05]


async def test_a_machine_that_never_answers_is_given_up(server: Scripted, client: Client) -> None:
    waiting = v1.AnswerView(id="q_1", instance=7, text=None)
    server.on("POST", "/v1/instances/7/logs", ok(waiting, 202))
    server.on("GET", "/v1/instances/7/answers/q_1", ok(waiting))

    with pytest.raises(sdk.Unavailable, match="did not answer"):
        await client.instances.logs(7)


@pytest.mark.parametrize(
    ("instance", "path"), [(None, "/v1/ssh-keys"), (7, "/v1/instances/7/ssh-keys")]
)
async def test_keys_are_the_accounts_or_an_instances(
    server: Scripted, client: Client, instance: int | None, path: str
) -> None:
    key = v1.SshKeyView(id=4, public_key="ssh-ed25519 A", created_at=views.AT)
    server.on("GET", path, ok(v1.SshKeyPage(data=[key])))
    server.on("POST", path, ok(key, 201))
    server.on("DELETE", f"{path}/4", Answer(204))

    assert await client.ssh_keys.list(instance=instance) == [key]
    assert await client.ssh_keys.add("ssh-ed25519 A", instance=instance) == key
    await client.ssh_keys.remove(4, instance=instance)
    assert server.bodies("POST", path) == [{"public_key": "ssh-ed25519 A"}]
