"""Copies from one instance to another: through the relay, and directly on one machine."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.stack import Program
from tests.journeys.two import Two, lay, memory_from_now_on, most_memory, tree, two

MIB = 1 << 20
SLOW = "--bwlimit=8M"
SIZE = 16 * MIB
TOKEN = re.compile(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")  # 256 bits


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """One for all: each test leaves all of it running."""
    top = tmp_path_factory.mktemp("two")
    started: list[Program] = []

    def run(*arguments: str) -> Program:
        number = len(started)
        started.append(Program(list(arguments), top / f"{number}.stdout", top / f"{number}.stderr"))
        return started[-1]

    with two(run, top) as made:
        yield made
    for program in started:
        if program.process.poll() is None:
            program.kill()


@pytest.fixture
def pair(system: Two) -> Iterator[Two]:
    """With empty instances, and nothing left over by the test."""
    yield system
    system.nothing_left()
    for label in ("one", "other", "far"):
        shutil.rmtree(system.root(label))
        system.root(label).mkdir()


def test_a_tree_goes_through_the_relay_and_is_verified_by_hash(pair: Two):
    files = lay(pair.root("one") / "data", 64 * MIB)
    done = pair.api.wait(pair.copy("one/data", "far/in"))
    assert (done["state"], done["reason"]) == ("succeeded", "")
    assert tree(pair.root("far") / "in") == files
    result = done["result"]
    assert (result["verified"], result["hash"], result["by_hash"]) == ("hash", "md5", len(files))
    assert "through the control plane's relay" in result["notes"][-1]
    assert result["recheck"]["why_not"].startswith("the source is an instance")
    assert (done["source_instance"], done["src"]) == (pair.ids["one"], "/data")
    receipt = pair.api.ok("GET", f"/v1/transfers/{done['id']}/receipt")
    assert json.dumps(receipt).count(f'"@{pair.ids["one"]}"') == 1
    rows = pair.api.request("GET", f"/v1/transfers/{done['id']}/files").text.splitlines()
    assert len(rows) == len(files)


def test_a_tree_goes_directly_on_one_machine(pair: Two):
    files = lay(pair.root("one") / "data", 8 * MIB)
    done = pair.api.wait(pair.copy("one/data", "other/in"))
    assert (done["state"], done["reason"]) == ("succeeded", "")
    assert tree(pair.root("other") / "in") == files
    assert "directly on one machine" in done["result"]["notes"][-1]
    assert sum(done["result"]["skipped"].values()) == 2


def test_a_single_file_goes_both_ways(pair: Two):
    (pair.root("one") / "a").mkdir()
    (pair.root("one") / "a" / "it").write_bytes(b"it")
    (pair.root("one") / "a" / "not it").write_bytes(b"not it")
    for label in ("far", "other"):
        done = pair.api.wait(pair.copy("one/a/it", f"{label}/in"))
        assert (done["state"], done["reason"]) == ("succeeded", "")
        assert tree(pair.root(label) / "in") == {"it": b"it"}


@pytest.mark.parametrize("victim", ["destination", "server"])
def test_a_kill_in_the_middle_is_survived(pair: Two, victim: str):
    content = os.urandom(SIZE)
    (pair.root("one") / "big").write_bytes(content)
    id = pair.copy("one/", "far/in", SLOW)
    pair.api.wait_for_bytes(id)
    if victim == "server":
        pair.server.kill()
        pair.start_server()
    else:
        pair.agents["away"].kill()
        pair.start_agent("away")
    _has_come_whole(pair, id, content)


def _has_come_whole(pair: Two, id: str, content: bytes) -> None:
    done = pair.api.wait(id)
    assert (done["state"], done["reason"], done["attempt"]) == ("succeeded", "", 1)
    assert done["result"]["verified"] == "hash"
    assert tree(pair.root("far") / "in") == {"big": content}


def test_a_copy_waits_for_a_source_that_was_killed_and_another_is_refused_meanwhile(pair: Two):
    content = os.urandom(SIZE)
    (pair.root("one") / "big").write_bytes(content)
    id = pair.copy("one/", "far/in", SLOW)
    pair.api.wait_for_bytes(id)
    pair.agents["near"].kill()
    late = pair.copy("one/", "far/late")
    done = pair.api.wait(late)
    assert done["state"] == "failed"
    assert done["reason"].startswith("The source instance's machine is not connected. Start its")
    pair.start_agent("near")
    _has_come_whole(pair, id, content)
    pair.api.ok("POST", f"/v1/transfers/{late}/retry")
    assert pair.api.wait(late)["state"] == "succeeded"
    assert tree(pair.root("far") / "late") == {"big": content}


def test_what_is_not_there_or_leaves_the_source_is_refused_in_words(pair: Two):
    outside = pair.top / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret").write_bytes(b"secret")
    (pair.root("one") / "out").symlink_to(outside)
    for label in ("far", "other"):
        for path, words in (("nowhere", "does not exist"), ("out", "leaves the instance")):
            done = pair.api.wait(pair.copy(f"one/{path}", f"{label}/in"))
            assert done["state"] == "failed"
            assert words in done["reason"]
            assert str(pair.top) not in done["reason"]
        assert tree(pair.root(label)) == {}


def test_a_cancel_ends_both_ends(pair: Two):
    (pair.root("one") / "big").write_bytes(os.urandom(SIZE))
    id = pair.copy("one/", "far/in", "--bwlimit=1M")
    pair.api.wait_for_bytes(id)
    pair.api.ok("POST", f"/v1/transfers/{id}/cancel")
    assert pair.api.wait(id)["state"] == "cancelled"


def test_a_mirror_from_instance_to_instance_deletes_what_only_the_destination_has(pair: Two):
    lay(pair.root("one") / "data")
    (pair.root("far") / "in").mkdir()
    (pair.root("far") / "in" / "extra").write_bytes(b"extra")
    body = pair.sides("one/data", "far/in") | {"mode": "mirror"}
    plan = pair.api.ok("POST", "/v1/plans", body)["id"]
    assert pair.api.wait(plan)["result"]["deleted"] == 1
    applied = pair.api.ok("POST", f"/v1/plans/{plan}/apply", {"confirm_deletions": 1})["id"]
    done = pair.api.wait(applied)
    assert (done["state"], done["reason"]) == ("succeeded", "")
    check = pair.api.ok("POST", "/v1/checks", pair.sides("one/data", "far/in"))["id"]
    assert pair.api.wait(check)["state"] == "succeeded"
    assert not (pair.root("far") / "in" / "extra").exists()


def test_the_server_passes_on_256_mib_in_bounded_memory(pair: Two):
    """The reader is slower than the source: what piled up would pile up in the server."""
    (pair.root("one") / "big").write_bytes(os.urandom(MIB) * 256)
    before = memory_from_now_on(pair.server)
    done = pair.api.wait(pair.copy("one/", "far/in", "--bwlimit=96M", verify="size"))
    assert (done["state"], done["result"]["bytes_copied"]) == ("succeeded", 256 * MIB)
    assert most_memory(pair.server) - before < 32 * MIB


def test_no_token_is_in_an_argument_or_a_log(pair: Two):
    (pair.root("one") / "big").write_bytes(os.urandom(SIZE))
    id = pair.copy("one/", "far/in", "--bwlimit=4M")
    pair.api.wait_for_bytes(id)
    arguments = [Path(f"/proc/{each}/cmdline").read_bytes() for each in pair.rclones()]
    assert len(arguments) == 2, "the copy, and what it is served by"
    pair.api.ok("POST", f"/v1/transfers/{id}/cancel")
    pair.api.wait(id)
    programs = (pair.server, *pair.agents.values())
    written = [each.err.read_bytes() for each in programs]
    assert any(b"source served" in each for each in written)
    for text in (*arguments, *written):
        assert not TOKEN.search(text)


def test_what_stands_for_the_source_is_no_connection_of_anybody(pair: Two):
    (pair.root("one") / "it").write_bytes(b"it")
    id = pair.api.wait(pair.copy("one/it", "far/in"))["connection"]
    assert pair.api.ok("GET", "/v1/connections")["data"] == []
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test")):
        assert pair.api.request(method, f"/v1/connections/{id}{path}").status_code == 404
