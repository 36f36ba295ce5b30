"""The public client's commands about offers, instances and SSH keys, and what they print."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compat.bare import Bare
from tests.compat.client import Answer, Vastai
from tests.compat.place import Up
from tests.journeys.stack import eventually

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXsH2ev3l0nUe8K1WIxLhQZPjQtdd6CUz9h4Gp7S6Zc me@here"
SCRIPT = "echo hello $WHO; mkdir -p work && echo 12345 > work/made; sleep 1000 & echo ready"


def status(up: Up, id: int) -> str | None:
    row = up.api.ok("GET", f"/api/v0/instances/{id}/")["instances"]
    return str(row["actual_status"]) if row else None


def until(up: Up, id: int, wanted: str | None) -> None:
    eventually(lambda: status(up, id) == wanted, f"instance {id} is {wanted}")


def log(vastai: Vastai, id: int, *words: str) -> str:
    answer = vastai("logs", str(id), *words)
    assert (answer.code, answer.err) == (0, "")
    return answer.out


def until_ready(vastai: Vastai, id: int) -> None:
    """An instance is running from its start; what its script makes comes after that."""
    eventually(lambda: "ready" in log(vastai, id), "it has written its log")


def offer(vastai: Vastai) -> int:
    [found] = vastai.raw("search", "offers")
    return int(found["id"])


@pytest.fixture
def instance(up: Up) -> Iterator[int]:
    """A running one, made without the client."""
    [found] = up.api.ok("POST", "/api/v0/bundles/", {})["offers"]
    body = {"image": "img", "label": "made", "onstart": SCRIPT, "env": {"WHO": "you"}}
    id = int(up.api.ok("PUT", f"/api/v0/asks/{found['id']}/", body)["new_contract"])
    until(up, id, "running")
    yield id
    up.api.request("DELETE", f"/api/v0/instances/{id}/")
    until(up, id, None)


def test_offers_are_searched_with_memory_in_gb_on_the_command_line(vastai: Vastai):
    table = vastai("search", "offers", "cpu_ram>=1 num_gpus=0", "-o", "num_gpus-")
    assert (table.code, table.err) == (0, "")
    heads, row = (each for each in table.rows if len(each) > 5)
    [found] = vastai.raw("search", "offers", "cpu_ram>=1")
    assert row[heads.index("RAM")] == f"{found['cpu_ram'] / 1000:.1f}"
    assert row[heads.index("ID")] == str(found["id"])
    assert vastai.raw("search", "offers", "cpu_ram>=100000") == []
    assert vastai.raw("search", "offers", "num_gpus>=1", "--new") == []
    assert vastai.raw("search", "offers", "--new")[0]["id"] == found["id"]


def test_an_instance_is_created_shown_and_destroyed(vastai: Vastai, up: Up, tmp_path: Path):
    script = tmp_path / "onstart.sh"
    script.write_text(SCRIPT)
    words = ("--image", "img", "--label", "mine", "--onstart", str(script), "--env", "-e WHO=me")
    answer = vastai("create", "instance", str(offer(vastai)), *words)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("Started. {'success': True, 'new_contract': ")
    assert "'id'" not in answer.out
    id = int(re.findall(r"'new_contract': (\d+)", answer.out)[0])
    until(up, id, "running")
    row = vastai.row(id)
    assert (row["label"], row["image_uuid"], row["disk_space"]) == ("mine", "img", 10.0)
    shown = vastai("show", "instances", "--label", "mine")
    assert "Total: 1 instances" in shown.out
    assert [str(id), "running", "mine"] in [each[:3] for each in shown.rows]
    gone = vastai("destroy", "instance", str(id), "-y")
    assert (gone.code, gone.out) == (0, f"destroying instance {id}.\n")
    after = vastai("show", "instance", str(id))
    assert after.err == f"Instance {id} not found or no longer exists.\n"
    instances = up.data_dir / "agent" / "instances"
    eventually(lambda: not list(instances.iterdir()), "nothing is left of it")


def test_an_instance_is_stopped_started_rebooted_and_labelled(
    vastai: Vastai, up: Up, instance: int
):
    id = str(instance)
    assert vastai("stop", "instance", id).out == f"stopping instance {id}.\n"
    until(up, instance, "stopped")
    refused = vastai("reboot", "instance", id)
    assert refused.err.startswith(f"Failed with error 400: Instance {id} is stopped")
    assert vastai("start", "instance", id).out == f"starting instance {id}.\n"
    until(up, instance, "running")
    assert vastai("reboot", "instance", id).out == f"Rebooting instance {id}.\n"
    until(up, instance, "running")
    assert vastai("label", "instance", id, "new name").out == f"label for {id} set to new name.\n"
    assert vastai.row(instance)["label"] == "new name"
    assert vastai("stop", "instances", id).out == f"stopping instance [{id}].\n"
    until(up, instance, "stopped")


def test_its_log_is_shown_whole_its_end_and_by_what_it_holds(vastai: Vastai, instance: int):
    until_ready(vastai, instance)
    assert log(vastai, instance).split() == ["hello", "you", "ready"]
    assert log(vastai, instance, "--tail", "1").split() == ["ready"]
    assert log(vastai, instance, "--filter", "hello").split() == ["hello", "you"]
    assert "boot 1 started" in log(vastai, instance, "--daemon-logs")


def test_commands_are_carried_out_for_the_sdk_also_when_it_is_stopped(
    vastai: Vastai, up: Up, instance: int
):
    until_ready(vastai, instance)
    up.api.ok("PUT", f"/api/v0/instances/{instance}/", {"state": "stopped"})
    until(up, instance, "stopped")
    commands = ("ls work", "du -b work/made", "rm -r work", "ls", "ls work")
    answers = vastai.sdk(*(("execute", {"id": instance, "command": each}) for each in commands))
    missing = "ls: /work does not exist on the instance\n"
    assert answers == ["made\n", "6\twork/made\n", "", "", missing]


def test_the_command_line_crashes_after_a_command_that_was_carried_out(
    vastai: Vastai, instance: int
):
    """A defect of the client 1.9.1, which treats the text as an object; noted in the document."""
    answer = vastai("execute", str(instance), "ls")
    assert answer.code == 1
    assert answer.err.rstrip().endswith("AttributeError: 'str' object has no attribute 'get'")


def test_keys_are_created_placed_shown_attached_detached_and_deleted(vastai: Vastai, up: Up):
    made = vastai("create", "ssh-key", KEY)
    assert (made.code, made.err) == (0, "")
    assert "ssh-key created {'success': True, 'key': {'id': " in made.out
    [key] = vastai.raw("show", "ssh-keys")
    assert key["public_key"] == key["key"] == KEY
    created = vastai.raw("create", "instance", str(offer(vastai)), "--image", "img")
    id = created["new_contract"]
    try:
        until(up, id, "running")
        [home] = (up.data_dir / "agent" / "instances").iterdir()
        placed = home / "root" / ".ssh" / "authorized_keys"
        assert placed.read_text() == f"{KEY}\n"
        detached = vastai("detach", "ssh", str(id), str(key["id"]))
        assert "'success': True" in detached.out
        eventually(lambda: placed.read_text() == "", "it is taken out")
        assert "'success': True" in vastai("attach", "ssh", str(id), KEY).out
        eventually(lambda: placed.read_text() == f"{KEY}\n", "it is placed again")
    finally:
        vastai("destroy", "instance", str(id), "-y")
        deleted = vastai("delete", "ssh-key", str(key["id"]))
    assert "'success': True" in deleted.out
    assert vastai.raw("show", "ssh-keys") == []
    until(up, id, None)


def failed(answer: Answer) -> str:
    assert (answer.code, answer.out) == (0, ""), answer
    return answer.err


def test_what_is_refused_is_said_with_its_reason(vastai: Vastai, up: Up, tmp_path: Path):
    ask, box = str(offer(vastai)), str(up.ids["box"])
    long = tmp_path / "long.sh"
    long.write_text("#" * 4049)
    told = failed(vastai("create", "instance", ask, "--image", "i", "--onstart", str(long)))
    assert told.startswith("Failed with error 400: onstart: has 4049 characters; the limit is 4048")
    told = failed(vastai("create", "instance", "77", "--image", "i"))
    assert told.startswith("Failed with error 404: Offer 77 is not yours or does not exist.")
    for words in (("start", "instance", box), ("destroy", "instance", box, "-y"), ("logs", box)):
        told = failed(vastai(*words))
        assert told.startswith(f"Failed with error 400: Instance {box} "), words
        assert "announced" in told, words


def test_the_sdk_raises_with_the_same_reasons(vastai: Vastai, up: Up, instance: int):
    box = up.ids["box"]
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("stop_instance", {"id": box}, 400, "instance_announced"),
        ("reboot_instance", {"id": box}, 400, "instance_announced"),
        ("label_instance", {"id": box, "label": "x"}, 400, "instance_announced"),
        ("execute", {"id": box, "command": "ls"}, 400, "instance_announced"),
        ("attach_ssh", {"instance_id": box, "ssh_key": KEY}, 400, "instance_announced"),
        ("start_instance", {"id": [instance, 999]}, 404, "no_such_instance"),
        ("destroy_instance", {"id": [instance, box]}, 400, "instance_announced"),
        ("start_instance", {"id": 999}, 404, "no_such_instance"),
        ("label_instance", {"id": instance, "label": "5"}, 400, "invalid"),
        ("execute", {"id": instance, "command": "cat /etc/passwd"}, 400, "bad_command"),
        ("execute", {"id": instance, "command": "ls ../.."}, 400, "bad_path"),
        ("execute", {"id": instance, "command": "rm -rf /"}, 400, "bad_command"),
        ("logs", {"instance_id": instance, "tail": "x"}, 400, "bad_tail"),
        ("create_ssh_key", {"ssh_key": "nonsense"}, 400, "bad_ssh_key"),
        ("delete_ssh_key", {"id": 999}, 404, "no_such_ssh_key"),
        ("detach_ssh", {"instance_id": instance, "ssh_key_id": "999"}, 404, "no_such_ssh_key"),
    ]
    answers = vastai.sdk(*((method, options) for method, options, _, _ in cases))
    for answer, (method, _, code, error) in zip(answers, cases, strict=True):
        assert (answer["status"], answer["success"], answer["error"]) == (code, False, error), (
            method
        )
        assert answer["msg"]


def test_an_end_is_an_end_for_who_polls(vastai: Vastai, up: Up):
    words = ("--image", "i", "--onstart-cmd", "exit 7")
    id = vastai.raw("create", "instance", str(offer(vastai)), *words)["new_contract"]
    try:
        until(up, id, "exited")
        assert vastai.row(id)["status_msg"] == "onstart ended with exit code 7"
        told = failed(vastai("start", "instance", str(id)))
        assert told.startswith(f"Failed with error 400: Instance {id} is exited and stays so")
        assert "destroy it" in told
        assert status(up, id) == "exited"
    finally:
        vastai("destroy", "instance", str(id), "-y")
    until(up, id, None)


def test_a_copy_reaches_what_an_instance_made_and_not_one_that_was_destroyed(
    vastai: Vastai, up: Up, instance: int
):
    up.api.ok("PUT", f"/api/v0/instances/{instance}/", {"state": "stopped"})
    until(up, instance, "stopped")
    options = ("--connection", str(up.connection), "--transfer", "Instance To Cloud")
    words = ("--src", "/work", "--dst", f"{up.bucket}/i{instance}", *options)
    answer = vastai("cloud", "copy", "--instance", str(instance), *words)
    assert "Cloud Copy Started" in answer.out
    assert vastai.settled(instance) == "Cloud Copy Operation Finished"
    with up.s3.client() as client:
        found = client.get_object(Bucket=up.bucket, Key=f"i{instance}/made")["Body"].read()
    assert found == b"12345\n"
    vastai("destroy", "instance", str(instance), "-y")
    told = vastai("cloud", "copy", "--instance", str(instance), *words)
    assert told.err.startswith(
        f"Failed with error 400: instance_id: Instance {instance} was destroyed"
    )


def test_an_unguessable_url_needs_no_key_and_no_other_way_leads_to_it(up: Up, instance: int):
    body = {"command": "ls work"}
    asked = up.api.ok("PUT", f"/api/v0/instances/command/{instance}/", body)
    assert asked["writeable_path"] == ""
    bare = Bare(up.api.url)
    path = asked["result_url"].removeprefix(up.api.url)
    reply = eventually(
        lambda: (found := bare("GET", path)).status == 200 and found, "it is answered"
    )
    assert (reply.kind, reply.body) == ("text/plain", b"made\n")
    assert bare("GET", path[:-9] + "00000000/").status == 404
    bare.close()
