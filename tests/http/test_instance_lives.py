"""What becomes of created instances over the compatible API, and of copies of them."""

from datetime import timedelta
from typing import Any

from tests.http.conftest import Plane
from tests.http.hosted import Hosted
from tests.http.test_instances import INSTANCES, host, later, refused

__all__ = ["host"]  # a fixture


async def test_an_instance_lives_as_it_is_told_to(plane: Plane, host: Hosted):
    id = await host.create(label="x")
    path = f"{INSTANCES}{id}/"

    async def shown() -> tuple[str, str, str]:
        row = await host.row(id)
        return row["actual_status"], row["intended_status"], row["status_msg"]

    await host.say("running", "up")
    assert await shown() == ("running", "running", "up")
    assert (await plane.ask("PUT", path, {"state": "stopped"})).json()["success"]
    assert await shown() == ("running", "stopped", "up")
    assert [each.want for each in await host.wanted()] == ["stopped"]
    await host.say("stopped")
    assert await shown() == ("stopped", "stopped", "")
    told = await refused(plane, "PUT", f"{INSTANCES}reboot/{id}/", {})
    assert told["error"] == "instance_stopped"
    assert (await plane.ask("PUT", path, {"state": "running"})).json()["success"]
    assert await shown() == ("loading", "running", "")
    await host.say("running")
    assert (await plane.ask("PUT", f"{INSTANCES}reboot/{id}/", {})).json()["success"]
    assert await shown() == ("rebooting", "running", "")
    await host.say("running", boot=2)  # about the boot before
    assert await shown() == ("rebooting", "running", "")
    await host.say("running")
    assert await shown() == ("running", "running", "")
    assert (await plane.ask("PUT", path, {"label": "new name"})).json()["success"]
    assert (await host.row(id))["label"] == "new name"


async def test_what_has_exited_stays_so_and_says_to_destroy_it(plane: Plane, host: Hosted):
    id = await host.create()
    await host.say("exited", "onstart ended with exit code 3")
    await host.say("running")
    row = await host.row(id)
    assert (row["actual_status"], row["status_msg"]) == ("exited", "onstart ended with exit code 3")
    assert [each.want for each in await host.wanted()] == ["stopped"]
    for path, body in (
        (f"{INSTANCES}{id}/", {"state": "running"}),
        (f"{INSTANCES}{id}/", {"state": "stopped"}),
        (f"{INSTANCES}reboot/{id}/", {}),
        (INSTANCES, {"ids": [id], "state": "running"}),
    ):
        told = await refused(plane, "PUT", path, body)
        assert told["error"] == "instance_ended"
        assert "destroy it" in told["msg"]
    assert (await plane.ask("DELETE", f"{INSTANCES}{id}/", {})).json()["success"]


async def test_a_status_that_is_not_known_is_unknown_and_an_end(plane: Plane, host: Hosted):
    id = await host.create()
    await host.say("melting")
    assert (await host.row(id))["actual_status"] == "unknown"
    await refused(plane, "PUT", f"{INSTANCES}{id}/", {"state": "running"})


async def test_on_a_silent_machine_it_is_offline_and_is_not_started(plane: Plane, host: Hosted):
    id = await host.create()
    await host.say("running")
    later(plane, timedelta(minutes=2))
    assert (await host.row(id))["actual_status"] == "offline"
    assert (await plane.ask("PUT", f"{INSTANCES}{id}/", {"state": "stopped"})).json()["success"]
    told = await refused(plane, "PUT", f"{INSTANCES}{id}/", {"state": "running"})
    assert told["error"] == "machine_silent"
    assert "destroy it" in told["msg"]
    for path in (f"{INSTANCES}request_logs/{id}/", f"{INSTANCES}command/{id}/"):
        told = await refused(plane, "PUT", path, {"command": "ls"})
        assert told["error"] == "machine_silent"


async def test_where_the_agent_hosts_no_longer_it_is_offline(plane: Plane, host: Hosted):
    id = await host.create()
    await host.say("running")
    await host.announce(None)
    assert (await host.row(id))["actual_status"] == "offline"


async def test_destroying_hides_it_at_once_and_ends_when_the_machine_says_so(
    plane: Plane, host: Hosted
):
    id = await host.create()
    assert (await plane.ask("DELETE", f"{INSTANCES}{id}/", {})).json()["success"]
    assert (await plane.ask("GET", f"{INSTANCES}{id}/")).json() == {"instances": None}
    listed = (await plane.ask("GET", INSTANCES)).json()["instances"]
    assert id not in [each["id"] for each in listed]
    assert [each.want for each in await host.wanted()] == ["destroyed"]
    for method, body in (("PUT", {"state": "running"}), ("PUT", {"label": "x"}), ("DELETE", {})):
        told = await refused(plane, method, f"{INSTANCES}{id}/", body, status=404)
        assert told["error"] == "instance_destroyed"
    await host.say("unknown", gone=True)
    assert await host.wanted() == []


async def test_a_machine_cannot_destroy_what_nobody_wants_destroyed(plane: Plane, host: Hosted):
    id = await host.create()
    await host.say("unknown", gone=True)
    assert (await host.row(id))["actual_status"] == "loading"
    assert len(await host.wanted()) == 1


async def test_a_copy_works_on_a_stopped_one_and_refuses_a_destroyed_one_in_words(
    plane: Plane, host: Hosted
):
    id = await host.create()
    await plane.ask("PUT", f"{INSTANCES}{id}/", {"state": "stopped"})
    await host.say("stopped")
    copy = "/api/v0/commands/rclone/"
    started = await plane.ask("POST", copy, plane.order(instance_id=str(id)))
    assert started.status_code == 200, started.text
    assert (await plane.newest()).order.instance == id
    await plane.ask("DELETE", f"{INSTANCES}{id}/", {})
    assert [each.want for each in await host.wanted()] == ["stopped"]  # its copy ends first
    assert (await plane.newest()).state.want == "stop"
    await plane.report("stopped")
    assert [each.want for each in await host.wanted()] == ["destroyed"]
    told = await refused(plane, "POST", copy, plane.order(instance_id=str(id)))
    assert told["error"] == "instance_destroyed"
    assert f"Instance {id} was destroyed" in told["msg"]
    native = await plane.ask("POST", "/v1/transfers", plane.native(instance=id))
    assert (native.status_code, native.json()["code"]) == (404, "instance_destroyed")
    ended = (await plane.newest()).id
    again = await plane.ask("POST", f"/v1/transfers/{ended}/retry", {})
    assert (again.status_code, again.json()["code"]) == (404, "instance_destroyed")


async def test_a_copy_that_waits_for_its_turn_does_not_hold_up_the_end(plane: Plane, host: Hosted):
    plane.limit_to(1)
    await plane.submitted()
    id = await host.create()
    waiting = await plane.submitted(instance=id)
    await plane.ask("DELETE", f"{INSTANCES}{id}/", {})
    assert (await plane.ask("GET", f"/v1/transfers/{waiting}")).json()["state"] == "cancelled"
    assert [each.want for each in await host.wanted()] == ["destroyed"]


async def test_several_are_changed_together_or_not_at_all(plane: Plane, host: Hosted):
    one, two = await host.create(), await host.create()
    body: dict[str, Any] = {"ids": [one, str(two)], "state": "stopped"}
    assert (await plane.ask("PUT", INSTANCES, body)).json()["success"]
    assert [each.want for each in await host.wanted()] == ["stopped", "stopped"]
    await refused(plane, "PUT", INSTANCES, {"ids": [one, 999], "state": "running"}, status=404)
    await refused(plane, "DELETE", INSTANCES, {"instance_ids": [one, plane.instance]})
    assert [each.want for each in await host.wanted()] == ["stopped", "stopped"]
    assert (await plane.ask("DELETE", INSTANCES, {"instance_ids": [one, two]})).json()["success"]
    assert [each.want for each in await host.wanted()] == ["destroyed", "destroyed"]
