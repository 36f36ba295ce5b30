"""What a machine is told of its instances fits its frames, whatever they were created with."""

import base64
import json
import os
import struct
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from cloudcopy.control import hosting
from cloudcopy.domain.flags import MAX_PATTERN_BYTES, MAX_WORDS
from cloudcopy.domain.paths import MAX_PATH_BYTES
from cloudcopy.domain.question import ANSWER_LIFE
from cloudcopy.wire import agent as wire
from cloudcopy.wire.instances import Asked
from cloudcopy.wire.parts import ROOM, parts, size_bytes
from tests.http.conftest import Plane
from tests.http.hosted import Hosted


@pytest.fixture
async def host(plane: Plane) -> Hosted:
    host = Hosted(plane)
    await host.announce()
    return host


@pytest.mark.parametrize("body", [{"args": ["\ud800"]}, {"env": {"A": "\ud800"}}])
async def test_what_no_machine_can_be_told_is_not_created(plane: Plane, host: Hosted, body):
    text = json.dumps(body).encode()
    for method, path in (("PUT", f"/api/v0/asks/{host.ask}/"), ("POST", "/v1/instances")):
        sent = text if method == "PUT" else json.dumps({"offer": host.ask, **body}).encode()
        reply = await plane.client.request(method, path, content=sent, headers=plane.auth)
        assert reply.status_code in (400, 422), (path, reply.text)
    assert await host.wanted() == []


async def test_many_instances_with_all_they_may_have_come_in_frames_that_fit(
    plane: Plane, host: Hosted
):
    for _ in range(30):
        head = b"ssh-rsa"
        raw = struct.pack(">I", len(head)) + head + os.urandom(2_900)
        key = f"ssh-rsa {base64.b64encode(raw).decode()}"
        assert (await plane.ask("POST", "/api/v0/ssh/", {"ssh_key": key})).status_code == 200
    most = {"args": ["\U0001f680" * 4_096] * 4, "env": {"A": "\U0001f680" * 16_383}}
    ids = [await host.create(**most, target_state="stopped") for _ in range(20)]
    frames = await host.frames()
    assert all(len(wire.pack(each)) <= wire.MAX_FRAME_BYTES for each in frames)
    assert [each.id for frame in frames for each in frame.instances] == ids
    assert len(frames) > 1


async def test_one_that_cannot_be_sent_does_not_keep_the_machine_from_the_rest(
    plane: Plane, host: Hosted, monkeypatch: pytest.MonkeyPatch
):
    """As one is that was stored before it would have been refused."""
    bad, good = [await host.create() for _ in range(2)]
    told = hosting._wanted

    def poisoned(seen, env):
        made = told(seen, env)
        return (
            made
            if made.id == good
            else type(made)(name=made.name, id=bad, want="running", boot=1, args=["\ud800"])
        )

    monkeypatch.setattr(hosting, "_wanted", poisoned)
    with capture_logs() as logs:
        assert [each.id for each in await host.wanted()] == [good]
    assert [line["event"] for line in logs] == ["a machine cannot be told"]


def test_parts_are_in_order_and_full():
    asked = [
        Asked(id=str(each), name="~a", kind="logs", command="x" * 4_000) for each in range(2_500)
    ]
    made = parts(asked)
    assert [each for part in made for each in part] == asked
    assert all(sum(map(size_bytes, part)) <= ROOM for part in made)
    assert len(made) == 3
    assert parts([]) == []
    with pytest.raises(ValueError, match="more than a frame"):
        size_bytes(Asked(id="q", name="~a", kind="logs", command="x" * ROOM))


def test_the_longest_orders_fit_a_frame_by_their_number():
    path = "x" * MAX_PATH_BYTES
    flags = [f"--exclude={'x' * MAX_PATTERN_BYTES}"] * MAX_WORDS
    order = wire.Order(
        transfer="t" * 64,
        attempt=1,
        fence="f" * 64,
        want="run",
        instance="i" * 512,
        direction="to_instance",
        local=path,
        remote=path,
        flags=flags,
        bwlimit="b" * 1_024,
        agreed=("d" * 64, "d" * 64),
    )
    frame = wire.pack(wire.Desired(full=True, orders=[order] * wire.MAX_ORDERS))
    assert len(frame) <= wire.MAX_FRAME_BYTES


async def test_answers_are_forgotten_without_being_asked_for_again(plane: Plane, host: Hosted):
    id = await host.create()
    await plane.ask("PUT", f"/api/v0/instances/request_logs/{id}/", {})
    (asked,) = await host.asked()
    app = plane.services
    await hosting.forget(open_store=app.open_store, now=app.now)
    assert (await app.reads.question(asked.id)).id == asked.id
    later = app.now() + ANSWER_LIFE + timedelta(seconds=1)
    await hosting.forget(open_store=app.open_store, now=lambda: later)
    assert await host.asked() == []
