"""kill -9 of both sides: an instance comes to be as it is wanted, and nothing runs twice."""

from typing import Any

import pytest

from tests.adapters.test_runtime_process import marked, nap
from tests.journeys.conftest import Pair
from tests.journeys.stack import eventually


def created(pair: Pair, script: str) -> int:
    [offer] = eventually(lambda: pair.api.ok("GET", "/v1/offers")["data"], "there is an offer")
    body: dict[str, Any] = {"offer": offer["id"], "onstart": script}
    return int(pair.api.ok("POST", "/v1/instances", body)["id"])


def until(pair: Pair, id: int, status: str, text: str = "") -> None:
    def look() -> bool:
        seen = pair.api.ok("GET", f"/v1/instances/{id}")
        return bool(seen["actual_status"] == status and text in seen["status_msg"])

    eventually(look, f"instance {id} is {status}")


@pytest.mark.parametrize("victims", [("server",), ("agent", "server")])
def test_what_is_wanted_comes_to_be_whoever_is_killed(pair: Pair, victims: tuple[str, ...]):
    seconds = nap()
    homes = pair.work.parent / "instances"
    id = created(pair, f"echo x >> boots; (setsid sleep {seconds} &)")
    until(pair, id, "running", "has finished")
    eventually(lambda: len(marked(seconds)) == 1, "it runs")
    pair.api.ok("PATCH", f"/v1/instances/{id}", {"label": "kept"})
    for victim in victims:
        getattr(pair, victim).kill()
    if "agent" in victims:
        eventually(lambda: not marked(seconds), "nothing outlives the agent")
    pair.start_server()
    pair.api.wait_until_up()
    if "agent" in victims:
        pair.start_agent()
    until(pair, id, "running", "has finished")
    eventually(lambda: len(marked(seconds)) == 1, "it runs once")
    [home] = homes.iterdir()
    assert (home / "root" / "boots").read_text() == "x\n" * (1 + ("agent" in victims))
    assert pair.api.ok("GET", f"/v1/instances/{id}")["label"] == "kept"
    pair.api.ok("DELETE", f"/v1/instances/{id}")
    eventually(lambda: not list(homes.iterdir()) and not marked(seconds), "it is gone")


def test_what_was_asked_of_a_machine_that_is_away_is_done_when_it_is_back(pair: Pair):
    seconds = nap()
    id = created(pair, f"sleep {seconds}")
    until(pair, id, "running", "is running")
    pair.agent.kill()
    pair.api.ok("POST", f"/v1/instances/{id}/stop")
    second = pair.start_agent()
    until(pair, id, "stopped")
    assert marked(seconds) == []
    second.kill()
    pair.api.ok("DELETE", f"/v1/instances/{id}")
    homes = pair.work.parent / "instances"
    assert len(list(homes.iterdir())) == 1
    pair.start_agent()
    eventually(lambda: not list(homes.iterdir()), "it is gone")
