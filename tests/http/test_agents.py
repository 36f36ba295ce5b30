"""The agents' socket, over a real port."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect

from cloudcopy.adapters.sql.database import open_database
from cloudcopy.compose import server
from cloudcopy.compose.settings import ServerSettings
from cloudcopy.domain.offer import Hardware
from cloudcopy.domain.progress import Phase, Progress
from cloudcopy.wire import agent as wire
from tests.http.conftest import Plane
from tests.http.hosted import HARDWARE, Hosted


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server waits for another process's write for a moment only."""
    monkeypatch.setattr(server, "open_database", partial(open_database, busy_seconds=0.1))


@pytest.fixture
async def address(plane: Plane, tmp_path) -> AsyncIterator[str]:
    settings = ServerSettings(data_dir=tmp_path, host="127.0.0.1", port=0)
    bound = server.listening(settings)
    stop = asyncio.Event()
    serving = asyncio.create_task(server.serve(plane.services, bound, stop=stop))
    yield server.local_url(bound, settings).replace("http", "ws") + "/v1/agent"
    stop.set()
    await serving


async def hear(socket: ClientConnection) -> wire.FromServer:
    async with asyncio.timeout(10):
        return wire.from_server(await socket.recv(decode=False))


async def hear_kind(socket: ClientConnection, kind):
    while not isinstance(message := await hear(socket), kind):
        pass
    return message


@asynccontextmanager
async def logged_in(
    plane: Plane,
    address: str,
    *,
    key: Ed25519PrivateKey | None = None,
    hardware: Hardware | None = None,
    **hello,
) -> AsyncIterator[ClientConnection]:
    async with connect(address, proxy=None) as socket:
        first = {"protocol": wire.PROTOCOL, "machine": plane.machine} | hello
        await socket.send(wire.pack(wire.Hello(**first)))
        challenge = await hear(socket)
        assert isinstance(challenge, wire.Challenge)
        signature = (key or plane.private_key).sign(wire.CHALLENGE_CONTEXT + challenge.nonce)
        await socket.send(wire.pack(wire.Proof(signature=signature)))
        instances = [wire.AnnouncedInstance("box", "/srv/box", "running")]
        await socket.send(wire.pack(wire.Announce(instances=instances, hardware=hardware)))
        yield socket


async def test_a_connected_agent_is_told_everything_and_then_what_is_new(
    plane: Plane, address: str
):
    first = (await plane.ask("POST", "/v1/transfers", plane.native())).json()
    async with logged_in(plane, address) as socket:
        welcome = await hear(socket)
        assert isinstance(welcome, wire.Welcome)
        assert welcome.instances == {"box": plane.instance}
        everything = await hear_kind(socket, wire.Desired)
        assert (everything.full, [each.transfer for each in everything.orders]) == (
            True,
            [first["id"]],
        )
        second = (await plane.ask("POST", "/v1/transfers", plane.native(src="/b"))).json()
        news = await hear_kind(socket, wire.Desired)
        assert (news.full, [each.transfer for each in news.orders]) == (False, [second["id"]])
        await plane.ask("POST", f"/v1/transfers/{first['id']}/cancel")
        news = await hear_kind(socket, wire.Desired)
        assert [(each.transfer, each.want) for each in news.orders] == [(first["id"], "stop")]


async def test_a_report_is_acknowledged_after_its_effect_and_also_when_it_has_none(
    plane: Plane, address: str
):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()
    async with logged_in(plane, address) as socket:
        order = (await hear_kind(socket, wire.Desired)).orders[0]
        for fence in ("stale", order.fence, order.fence):
            report = wire.Report(
                transfer=made["id"],
                attempt=1,
                fence=fence,
                kind="succeeded",
                at=plane.services.now(),
            )
            await socket.send(wire.pack(report))
            ack = await hear_kind(socket, wire.Ack)
            assert (ack.transfer, ack.attempt, ack.kind) == (made["id"], 1, "succeeded")
            state = (await plane.ask("GET", f"/v1/transfers/{made['id']}")).json()["state"]
            assert state == ("queued" if fence == "stale" else "succeeded")


async def test_an_agent_that_hosts_instances_is_told_of_them_and_heard(plane: Plane, address: str):
    host = Hosted(plane)
    async with logged_in(plane, address, hardware=HARDWARE) as socket:
        await hear_kind(socket, wire.Desired)
        id = await host.create(onstart="true")
        told = await hear_kind(socket, wire.DesiredInstances)
        [wanted] = told.instances
        assert (wanted.id, wanted.want, wanted.boot, wanted.onstart) == (id, "running", 1, "true")
        now = wire.InstanceNow(name=wanted.name, boot=1, actual_status="running", text="up")
        await socket.send(wire.pack(now))
        asked = await plane.ask("PUT", f"/api/v0/instances/command/{id}/", {"command": "ls"})
        while not (told := await hear_kind(socket, wire.DesiredInstances)).questions:
            pass
        [question] = told.questions
        assert (question.name, question.command) == (wanted.name, "ls")
        await socket.send(wire.pack(wire.InstanceAnswer(id=question.id, text="made\n")))
        async with asyncio.timeout(10):
            while (reply := await plane.client.get(asked.json()["result_url"])).is_error:
                pass
        assert reply.text == "made\n"
        row = await host.row(id)
        assert (row["actual_status"], row["status_msg"]) == ("running", "up")


async def test_an_agent_that_knows_nothing_of_instances_is_told_nothing_of_them(
    plane: Plane, address: str
):
    host = Hosted(plane)
    await host.announce()
    await host.create()
    async with logged_in(plane, address) as socket:  # as an older agent does
        assert isinstance(await hear(socket), wire.Welcome)
        assert isinstance(await hear(socket), wire.Desired)
        await plane.ask("POST", "/v1/transfers", plane.native())
        assert isinstance(await hear(socket), wire.Desired)
    assert (await plane.ask("POST", "/api/v0/bundles/", {})).json() == {"offers": []}


async def test_the_newest_socket_of_a_machine_wins(plane: Plane, address: str):
    async with logged_in(plane, address) as old:
        first = await hear_kind(old, wire.Welcome)
        async with logged_in(plane, address) as new:
            second = await hear_kind(new, wire.Welcome)
            assert second.epoch == first.epoch + 1
            bye = await hear_kind(old, wire.Bye)
            assert "newer connection" in bye.reason
            await old.wait_closed()
            assert old.close_code == 4409
            assert isinstance(await hear_kind(new, wire.Desired), wire.Desired)


@pytest.mark.parametrize(
    ("hello", "forged", "words"),
    [
        ({"machine": 999}, False, "unknown here"),
        ({}, True, "unknown here"),
        ({"protocol": 99}, False, "protocol"),
    ],
)
async def test_a_socket_that_proves_nothing_is_closed_in_words(
    plane: Plane, address: str, hello, forged: bool, words: str
):
    key = Ed25519PrivateKey.generate() if forged else None
    async with logged_in(plane, address, key=key, **hello) as socket:
        bye = await hear(socket)
        assert isinstance(bye, wire.Bye)
        assert words in bye.reason
        await socket.wait_closed()
        assert socket.close_code == 4403


@pytest.mark.parametrize("frame", [b"\xc1", b"", msgspec.msgpack.encode({"type": "report"})])
async def test_a_frame_that_is_no_message_ends_the_socket(plane: Plane, address: str, frame: bytes):
    async with logged_in(plane, address) as socket:
        await hear_kind(socket, wire.Desired)
        await socket.send(frame)
        await hear_kind(socket, wire.Bye)
        await socket.wait_closed()
        assert socket.close_code == 4403


async def test_a_public_key_that_is_not_base64_is_refused_in_words(plane: Plane):
    for text in ("not base64", "ключ", "a", "\x00"):
        body = {"token": "ccj_x", "name": "m", "public_key": text}
        reply = await plane.client.post("/v1/machines/enrol", json=body)
        assert (reply.status_code, reply.json()["detail"]) == (422, "public_key: is not base64")


async def test_a_join_token_works_once_and_its_repetition_is_the_same_machine(plane: Plane):
    token = (await plane.ask("POST", "/v1/machines/tokens")).json()["token"]
    from base64 import b64encode

    def enrol(seed: bytes):
        key = Ed25519PrivateKey.from_private_bytes(seed * 32).public_key().public_bytes_raw()
        body = {"token": token, "name": "gpu-2", "public_key": b64encode(key).decode()}
        return plane.client.post("/v1/machines/enrol", json=body)

    first, again, thief = await enrol(b"1"), await enrol(b"1"), await enrol(b"2")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert thief.status_code == 403
    assert thief.json()["code"] == "forbidden"


async def test_a_long_list_comes_in_several_messages(
    plane: Plane, address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wire, "MAX_ORDERS", 3)
    for number in range(wire.MAX_ORDERS + 1):
        await plane.ask("POST", "/v1/transfers", plane.native(src=f"/{number}"))
    async with logged_in(plane, address) as socket:
        first = await hear_kind(socket, wire.Desired)
        second = await hear_kind(socket, wire.Desired)
    assert [(each.full, each.more, len(each.orders)) for each in (first, second)] == [
        (True, True, wire.MAX_ORDERS),
        (True, False, 1),
    ]


async def test_numbers_of_an_attempt_that_the_machine_does_not_have_are_ignored(
    plane: Plane, address: str
):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()
    async with logged_in(plane, address) as socket:
        order = (await hear_kind(socket, wire.Desired)).orders[0]
        for fence, done in ((order.fence, 1), ("forged", 2)):
            told = wire.ProgressNow(
                transfer=made["id"],
                attempt=1,
                fence=fence,
                progress=Progress(phase=Phase.TRANSFERRING, bytes_copied=done),
            )
            await socket.send(wire.pack(told))
        report = wire.Report(
            transfer=made["id"], attempt=1, fence="stale", kind="started", at=plane.services.now()
        )
        await socket.send(wire.pack(report))
        await hear_kind(socket, wire.Ack)  # what was sent before it has been heard
        shown = (await plane.ask("GET", f"/v1/transfers/{made['id']}")).json()["progress"]
        assert shown["bytes_copied"] == 1


async def test_full_rounds_come_also_when_the_doorbell_never_rests(
    plane: Plane, address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloudcopy.http.agents.ROUND_SECONDS", 0.5)

    async def ring() -> None:
        while True:
            plane.services.bus.ring(plane.machine)
            await asyncio.sleep(0.01)

    ringing = asyncio.create_task(ring())
    async with logged_in(plane, address) as socket:
        for _ in range(3):
            assert (await hear_kind(socket, wire.Desired)).full
    ringing.cancel()


@pytest.mark.usefixtures("impatient")
async def test_a_database_that_is_busy_sends_an_agent_away_for_a_while_only(
    plane: Plane, address: str, tmp_path
):
    other = sqlite3.connect(tmp_path / "server" / "cloudcopy.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with logged_in(plane, address) as socket:
        bye = await hear(socket)
        assert isinstance(bye, wire.Bye)
        assert not bye.final
        await socket.wait_closed()
        assert socket.close_code == 1013
    other.execute("ROLLBACK")
    other.close()
    async with logged_in(plane, address) as socket:
        assert isinstance(await hear(socket), wire.Welcome)


@pytest.mark.usefixtures("impatient")
async def test_a_message_that_cannot_be_acted_on_leaves_the_socket_open(
    plane: Plane, address: str, tmp_path
):
    made = (await plane.ask("POST", "/v1/transfers", plane.native())).json()
    async with logged_in(plane, address) as socket:
        order = (await hear_kind(socket, wire.Desired)).orders[0]
        report = wire.Report(
            transfer=made["id"],
            attempt=1,
            fence=order.fence,
            kind="succeeded",
            at=plane.services.now(),
        )
        other = sqlite3.connect(tmp_path / "server" / "cloudcopy.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with structlog.testing.capture_logs() as logs:
            await socket.send(wire.pack(report))
            async with asyncio.timeout(10):
                while not any(  # noqa: ASYNC110 - what is waited for has no event
                    each["event"] == "message left unanswered" for each in logs
                ):
                    await asyncio.sleep(0.01)
        other.execute("ROLLBACK")
        other.close()
        await socket.send(wire.pack(report))  # what was not acknowledged is said again
        assert isinstance(await hear_kind(socket, wire.Ack), wire.Ack)


async def test_a_text_frame_is_no_message(plane: Plane, address: str):
    async with connect(address, proxy=None) as socket:
        await socket.send("hello")
        bye = await hear(socket)
        assert isinstance(bye, wire.Bye)
