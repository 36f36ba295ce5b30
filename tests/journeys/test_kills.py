"""kill -9 in the middle of a copy: nothing is lost, and nothing runs twice."""

import os

import pytest

from tests.journeys.conftest import Pair, Up
from tests.journeys.stack import eventually, rclones, watched

SIZE = 24 << 20
SLOW = "--bwlimit=6M"


@pytest.mark.parametrize("victims", [("server",), ("agent",), ("server", "agent")])
def test_a_copy_survives_the_kill_of_its_server_and_its_agent(pair: Pair, victims: tuple[str, ...]):
    content = os.urandom(SIZE)
    (pair.root / "big.bin").write_bytes(content)
    order = {"instance": pair.instance, "connection": pair.connection}
    with watched(pair.work) as most:
        id = pair.api.copy(
            **order,
            direction="instance_to_cloud",
            src="/big.bin",
            dst=f"{pair.bucket}/run",
            flags=[SLOW],
        )
        pair.api.wait_for_bytes(id)
        for victim in victims:
            getattr(pair, victim).kill()
        if "agent" in victims:
            eventually(lambda: not rclones(pair.work), "rclone died with its agent")
        if "server" in victims:
            pair.start_server()
        if "agent" in victims:
            pair.start_agent()
        done = pair.api.wait(id)
    assert (done["state"], done["reason"], done["attempt"]) == ("succeeded", "", 1)
    assert done["result"]["verified"] == "hash"
    assert most[id] == 1
    back = pair.api.copy(
        **order,
        direction="cloud_to_instance",
        src=f"{pair.bucket}/run/big.bin",
        dst="/back",
    )
    assert pair.api.wait(back)["state"] == "succeeded"
    assert (pair.root / "back" / "big.bin").read_bytes() == content


def test_a_download_cut_by_a_kill_leaves_no_torn_file(up: Up):
    content = os.urandom(SIZE)
    (up.root / "big.bin").write_bytes(content)
    up.api.wait(up.upload("/big.bin", "run"))
    id = up.download("run", "/back", SLOW)
    up.api.wait_for_bytes(id)
    up.program.kill()
    assert not (up.root / "back" / "big.bin").exists()
    up.again()
    assert up.api.wait(id)["state"] == "succeeded"
    assert [each.name for each in (up.root / "back").iterdir()] == ["big.bin"]
    assert (up.root / "back" / "big.bin").read_bytes() == content


def test_an_upload_cut_by_a_kill_leaves_no_unfinished_upload(up: Up, s3):
    (up.root / "big.bin").write_bytes(os.urandom(SIZE))
    in_parts = {**s3.parameters, "upload_cutoff": "5Mi", "chunk_size": "5Mi"}
    up.connection = up.api.connect("in-parts", in_parts)
    id = up.upload("/big.bin", "run", SLOW)
    with s3.client() as client:

        def pending() -> list[object]:
            return list(client.list_multipart_uploads(Bucket=up.bucket).get("Uploads") or [])

        eventually(pending, "the upload in parts has begun")
        up.program.kill()
        assert pending(), "the kill left one behind, or this test proves nothing"
        up.again()
        assert up.api.wait(id)["state"] == "succeeded"
        assert pending() == []


def test_ctrl_c_stops_cleanly_and_the_copy_goes_on_at_the_next_start(up: Up):
    content = os.urandom(SIZE)
    (up.root / "big.bin").write_bytes(content)
    id = up.upload("/big.bin", "run", SLOW)
    up.api.wait_for_bytes(id)
    assert up.program.interrupt() == 0
    assert not rclones(up.work)
    second = up.again()
    assert '"api_key": null' in second.line()
    assert up.api.wait(id)["state"] == "succeeded"
