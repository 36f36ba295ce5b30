"""Relays, over a real port: a source's and a destination's agent, played by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from cloudcopy.control import machines
from cloudcopy.domain.machine import MachineId
from cloudcopy.wire import agent as wire
from tests.http.conftest import OWNER, Plane
from tests.http.test_agents import address, hear_kind

__all__ = ["address"]  # a fixture


@dataclass
class Agent:
    """One agent's socket, logged in."""

    socket: ClientConnection

    async def say(self, message: wire.Message) -> None:
        await self.socket.send(wire.pack(message))

    async def hear(self, kind):
        return await hear_kind(self.socket, kind)


@dataclass
class Two:
    """Two machines. The one of `plane` is copied to, from the instance `far` on the other."""

    plane: Plane
    address: str
    machine: MachineId
    key: Ed25519PrivateKey

    @asynccontextmanager
    async def source(self, *, relays: bool = True) -> AsyncIterator[Agent]:
        async with self._agent(self.machine, self.key, "far", relays=relays) as agent:
            yield agent

    @asynccontextmanager
    async def target(self, *, relays: bool = True) -> AsyncIterator[Agent]:
        plane = self.plane
        async with self._agent(plane.machine, plane.private_key, "box", relays=relays) as agent:
            yield agent

    @asynccontextmanager
    async def _agent(
        self, machine: MachineId, key: Ed25519PrivateKey, label: str, *, relays: bool
    ) -> AsyncIterator[Agent]:
        async with connect(self.address, proxy=None) as socket:
            agent = Agent(socket)
            await agent.say(wire.Hello(protocol=wire.PROTOCOL, machine=machine))
            challenge = await agent.hear(wire.Challenge)
            signature = key.sign(wire.CHALLENGE_CONTEXT + challenge.nonce)
            await agent.say(wire.Proof(signature=signature))
            instances = [wire.AnnouncedInstance(label, f"/srv/{label}", "running")]
            await agent.say(wire.Announce(instances=instances, relays=relays))
            await agent.hear(wire.Welcome)
            yield agent

    async def ordered(self, target: Agent) -> wire.NeedBackend:
        """A copy from the other machine, and what its agent asks for."""
        body = {"instance": "box", "source_instance": "far", "src": "/data", "dst": "/in"}
        made = await self.plane.ask("POST", "/v1/transfers", body)
        assert made.status_code == 202, made.text
        orders: list[wire.Order] = []
        while not orders:
            orders = (await target.hear(wire.Desired)).orders
        order = orders[-1]
        return wire.NeedBackend(transfer=order.transfer, attempt=1, fence=order.fence)

    async def opened(self, source: Agent, target: Agent) -> tuple[wire.NeedBackend, str, str]:
        """A served relay: what was asked for, the relay's id, and its token."""
        wanted = await self.ordered(target)
        await target.say(wanted)
        asked = await source.hear(wire.ServeSource)
        assert (asked.instance, asked.path) == ("far", "data")
        await source.say(wire.SourceServed(relay=asked.relay, name=""))
        granted = await target.hear(wire.BackendGranted)
        return wanted, asked.relay, granted.options["token"]

    def joining(self, secret: str) -> connect:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        url = self.address.replace("/v1/agent", "/v1/relay")
        return connect(url, proxy=None, compression=None, additional_headers=headers)

    async def refusal(self, secret: str) -> tuple[int, str]:
        with pytest.raises(InvalidStatus) as caught:
            await self.joining(secret)
        response = caught.value.response
        return response.status_code, bytes(response.body or b"").decode()

    @asynccontextmanager
    async def pair(
        self, source: Agent, token: str
    ) -> AsyncIterator[tuple[ClientConnection, ClientConnection, str]]:
        """Both halves of one connection, and the secret that the source's half was joined with."""
        ours = asyncio.ensure_future(_entered(self.joining(token)))
        asked = await source.hear(wire.OpenHalf)
        async with self.joining(asked.secret) as far, await ours as near:
            yield near, far, asked.secret


async def _entered(joining: connect) -> ClientConnection:
    return await joining


async def closed(socket: ClientConnection) -> bool:
    async with asyncio.timeout(10):
        await socket.wait_closed()
    return True


@pytest.fixture
async def two(plane: Plane, address: str) -> Two:
    key = Ed25519PrivateKey.generate()
    token, _ = await machines.invite(caller=OWNER, desk=plane.services.machines)
    machine = await machines.enrol(
        token,
        public_key=key.public_key().public_bytes_raw(),
        name="far",
        desk=plane.services.machines,
    )
    told = wire.Announce(instances=[wire.AnnouncedInstance("far", "/srv/far", "running")])
    await machines.announce(told, machine=machine.id, desk=plane.services.machines)
    plane.services.relays.grace = 0.05
    return Two(plane, address, machine.id, key)


async def test_bytes_and_numbers_go_both_ways_and_one_end_ends_the_other(two: Two):
    async with two.source() as source, two.target() as target:
        _, _, token = await two.opened(source, target)
        async with two.pair(source, token) as (near, far, _):
            await near.send(b"GET")
            assert await far.recv() == b"GET"
            await far.send(b"\0" * 200_000)
            await far.send("17")
            assert (await near.recv(), await near.recv()) == (b"\0" * 200_000, "17")
            await far.close()
            assert await closed(near)
        async with two.pair(source, token) as (near, far, _):
            await near.close()
            assert await closed(far)


async def test_a_token_is_for_its_relay_and_a_secret_for_one_connection(two: Two):
    async with two.source() as source, two.target() as target:
        wanted, _, token = await two.opened(source, target)
        async with two.pair(source, token) as (_, _, secret):
            for wrong in ("", "x", token[:-1], secret, two.plane.key):
                status, words = await two.refusal(wrong)
                assert (status, token in words) == (401, False)
        report = wire.Report(
            transfer=wanted.transfer,
            attempt=1,
            fence="of another attempt",
            kind="failed",
            at=two.plane.services.now(),
        )
        await target.say(report)
        await target.hear(wire.Ack)
        async with two.pair(source, token):
            pass  # it is still good


async def test_a_question_that_is_repeated_has_the_same_answer(two: Two):
    async with two.source() as source, two.target() as target:
        wanted, relay, token = await two.opened(source, target)
        await target.say(wanted)
        assert (await source.hear(wire.ServeSource)).relay == relay
        await source.say(wire.SourceServed(relay=relay, name="it"))
        granted = await target.hear(wire.BackendGranted)
        assert granted.options == {"way": "relay", "token": token, "name": "it"}


async def test_the_end_of_the_attempt_ends_its_relay(two: Two):
    async with two.source() as source, two.target() as target:
        wanted, relay, token = await two.opened(source, target)
        async with two.pair(source, token) as (near, far, _):
            report = wire.Report(
                transfer=wanted.transfer,
                attempt=1,
                fence=wanted.fence,
                kind="failed",
                at=two.plane.services.now(),
            )
            await target.say(report)
            assert (await source.hear(wire.EndSource)).relay == relay
            assert await closed(near)
            assert await closed(far)
        assert (await two.refusal(token))[0] == 401


async def test_a_destination_that_goes_ends_its_relay(two: Two):
    async with two.source() as source:
        async with two.target() as target:
            _, relay, token = await two.opened(source, target)
        assert (await source.hear(wire.EndSource)).relay == relay
        assert (await two.refusal(token))[0] == 401


async def test_a_source_that_went_is_asked_again_when_it_is_back(two: Two):
    async with two.target() as target:
        async with two.source() as source:
            _, _, token = await two.opened(source, target)
        async with asyncio.timeout(10):
            status, words = await two.refusal(token)
        assert (status, "not connected. Start its agent" in words) == (503, True)
        async with two.source() as again, two.pair(again, token) as (near, far, _):
            await near.send(b"x")
            assert await far.recv() == b"x"


async def test_a_source_that_refuses_is_quoted(two: Two):
    async with two.source() as source, two.target() as target:
        await target.say(await two.ordered(target))
        asked = await source.hear(wire.ServeSource)
        await source.say(wire.SourceRefused(relay=asked.relay, reason="src: /data is gone"))
        refused = await target.hear(wire.BackendRefused)
        assert refused.reason == "The source instance refused: src: /data is gone"
        _, _, token = await two.opened(source, target)
        joining = asyncio.ensure_future(two.refusal(token))
        half = await source.hear(wire.OpenHalf)
        await source.say(wire.SourceRefused(relay=half.relay, reason="src: /data is gone"))
        assert await joining == (409, refused.reason)


async def test_nobody_answers_for_another_machine(two: Two):
    async with two.source() as source, two.target() as target:
        await target.say(await two.ordered(target))
        asked = await source.hear(wire.ServeSource)
        await target.say(wire.SourceServed(relay=asked.relay, name="mine"))
        await target.say(wire.SourceRefused(relay=asked.relay, reason="mine"))
        await source.say(wire.SourceServed(relay=asked.relay, name="its own"))
        granted = await target.hear(wire.BackendGranted)
        assert granted.options["name"] == "its own"


@pytest.mark.parametrize(
    ("source_knows", "target_knows", "words"),
    [
        (None, True, "The source instance's machine is not connected. Start its agent"),
        (False, True, "The agent of the source instance's machine is too old"),
        (True, False, "The agent of the destination's machine is too old"),
    ],
)
async def test_who_is_away_or_too_old_is_told_in_words(
    two: Two, source_knows: bool | None, target_knows: bool, words: str
):
    async with two.target(relays=target_knows) as target:
        if source_knows is None:
            await target.say(await two.ordered(target))
            assert (await target.hear(wire.BackendRefused)).reason.startswith(words)
            return
        async with two.source(relays=source_knows):
            await target.say(await two.ordered(target))
            assert (await target.hear(wire.BackendRefused)).reason.startswith(words)
