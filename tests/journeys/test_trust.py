"""What people do with a copy under way or half done, through real processes."""

import json
import os

import httpx2

from demo.seaweed import S3
from tests.faults import faults
from tests.faults.faults import Call, Fault, Request
from tests.faults.proxy import fault_proxy
from tests.journeys.conftest import Pair, Up
from tests.journeys.stack import eventually, rclones

SIZE = 24 << 20


def files(api, id: str, **asked: str) -> list[dict]:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = api.request("GET", f"/v1/transfers/{id}/files?{query}")
    assert answer.status_code == httpx2.codes.OK, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_pause_outlives_the_kill_of_both_and_the_rest_is_copied_on_resume(pair: Pair):
    small, big = os.urandom(1000), os.urandom(SIZE)
    (pair.root / "data").mkdir()
    (pair.root / "data" / "small.bin").write_bytes(small)
    (pair.root / "data" / "big.bin").write_bytes(big)
    id = pair.api.copy(
        instance=pair.instance,
        connection=pair.connection,
        direction="instance_to_cloud",
        src="/data",
        dst=f"{pair.bucket}/run",
        bwlimit="4M",
    )
    eventually(lambda: (pair.api.transfer(id)["progress"] or {}).get("copied"), "one has arrived")
    pair.api.ok("POST", f"/v1/transfers/{id}/pause")
    assert pair.api.wait(id, "paused")["phase"] == "paused"
    assert not rclones(pair.work)
    pair.server.kill()
    pair.agent.kill()
    pair.start_server()
    pair.start_agent()
    pair.api.wait_until_up()
    assert pair.api.transfer(id)["state"] == "paused"
    pair.api.ok("PATCH", f"/v1/transfers/{id}", {"bwlimit": "off"})
    pair.api.ok("POST", f"/v1/transfers/{id}/resume")
    done = pair.api.wait(id)
    assert (done["state"], done["attempt"], done["bwlimit"]) == ("succeeded", 2, "off")
    assert (done["result"]["copied"], done["result"]["unchanged"]) == (1, 1)
    # Nobody had proven the one that was there already, so it is proven now.
    assert (done["result"]["by_hash"], done["result"]["by_size_only"]) == (2, 0)
    assert done["result"]["recheck"] == {"files": 2, "hashed": 2, "why_not": ""}


def test_a_limit_that_is_taken_away_lets_a_running_copy_go(up: Up):
    (up.root / "big.bin").write_bytes(os.urandom(SIZE))
    id = up.upload("/big.bin", "run", "--bwlimit=64k")  # six minutes at this rate
    up.api.wait_for_bytes(id)
    up.api.ok("PATCH", f"/v1/transfers/{id}", {"bwlimit": "off"})
    assert up.api.wait(id, patience=60)["state"] == "succeeded"


def test_only_the_files_that_failed_are_tried_again(up: Up, s3: S3):
    for name in ("good", "bad", "worse"):
        (up.root / f"{name}.txt").write_text(name)

    def deny(request: Request) -> Fault | None:
        refused = request.call is Call.PUT and (
            "bad" in request.target or "worse" in request.target
        )
        return faults.DENIED if refused else None

    with fault_proxy(s3, deny) as proxy:
        up.connection = up.api.connect("through", proxy.store.parameters)
        id = up.upload("/", "run")
        part = up.api.wait(id)
        assert (part["state"], part["result"]["failed"], part["result"]["copied"]) == (
            "partial",
            2,
            1,
        )
        (group,) = part["result"]["errors"]
        assert (group["code"], group["count"]) == ("access_denied", 2)
        assert group["samples"] == ["bad.txt", "worse.txt"]
        assert [each["path"] for each in files(up.api, id, outcome="failed")] == group["samples"]
        proxy.faults = faults.nothing
        up.api.ok("POST", f"/v1/transfers/{id}/retry", {"only": "failed"})
        done = up.api.wait(id)
    assert (done["state"], done["scope"], done["result"]["copied"]) == ("succeeded", "failed", 2)
    assert {each["path"]: each["outcome"] for each in files(up.api, id)} == {
        "bad.txt": "copied",
        "worse.txt": "copied",
    }
    assert [each["path"] for each in files(up.api, id, attempt="1", outcome="copied")] == [
        "good.txt"
    ]


def test_a_plan_is_carried_out_and_a_second_time_it_is_stale(up: Up):
    (up.root / "data").mkdir()
    (up.root / "data" / "new.txt").write_text("new")
    (up.root / "old").mkdir()
    (up.root / "old" / "extra.txt").write_text("extra")
    up.api.wait(up.upload("/old", "run"))
    sides = {
        "instance": up.instance,
        "connection": up.connection,
        "direction": "instance_to_cloud",
        "src": "/data",
        "dst": f"{up.bucket}/run",
    }
    plan = up.api.ok("POST", "/v1/plans", {**sides, "mode": "mirror"})["id"]
    assert up.api.wait(plan)["state"] == "succeeded"
    assert {each["path"]: each["outcome"] for each in files(up.api, plan)} == {
        "new.txt": "new",
        "extra.txt": "delete",
    }
    refused = up.api.request("POST", f"/v1/plans/{plan}/apply", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "deletions_not_confirmed")
    confirmed = {"confirm_deletions": 1}
    done = up.api.wait(up.api.ok("POST", f"/v1/plans/{plan}/apply", confirmed)["id"])
    assert (done["state"], done["result"]["copied"], done["result"]["deleted"]) == (
        "succeeded",
        1,
        1,
    )
    stale = up.api.wait(up.api.ok("POST", f"/v1/plans/{plan}/apply", confirmed)["id"])
    assert stale["state"] == "failed"
    assert "changed since the plan was made" in stale["reason"]
    equal = up.api.wait(up.api.ok("POST", "/v1/checks", sides)["id"])
    assert (equal["state"], equal["result"]["unchanged"]) == ("succeeded", 1)
