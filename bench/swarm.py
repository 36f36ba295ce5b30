"""Many simulated agents in one process: real WebSockets, the real words of the wire, no copies.

A line on stdin is an order, a line on stdout is a fact: joined after the start, then `connect`
and what is connected, then every order that reaches an agent, with the second at which it came.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.posts import Line
from cloudcopy.wire import agent as wire

KEY: Final = "BENCH_API_KEY"  # the name of the variable: a key is in no process's arguments
JOINING: Final = 8  # at once
CONNECTING: Final = 64


class Refused(Exception):
    """The server let an agent not in; says what it answered."""


class Swarm:
    """Attributes:
    keys: By machine id.
    """

    def __init__(self, port: int, api_key: str) -> None:
        self.port = port
        self.keys: dict[int, Ed25519PrivateKey] = {}
        self._api_key = api_key
        self._known: set[str] = set()
        self._listening: list[asyncio.Task[None]] = []

    async def join(self, count: int) -> None:
        numbers = iter(range(count))

        async def some() -> None:
            async with Line(self.port, self._api_key) as line:
                for number in numbers:
                    await self._join(line, f"agent-{os.getpid()}-{number}")

        async with asyncio.TaskGroup() as group:
            for _ in range(min(JOINING, count)):
                group.create_task(some())

    async def _join(self, line: Line, name: str) -> None:
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        _, token = await line.post("/v1/machines/tokens", {})
        _, told = await line.post(
            "/v1/machines/enrol",
            {"token": token["token"], "name": name, "public_key": b64encode(public).decode()},
        )
        self.keys[told["machine"]] = key

    async def connect(self) -> list[int]:
        """Every agent, and the ids of their instances."""
        found: list[int] = []
        machines = iter(self.keys)

        async def some() -> None:
            for machine in machines:
                socket, instances = await self._logged_in(machine)
                found.extend(instances.values())
                self._listening.append(asyncio.create_task(self._listen(socket)))

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTING):
                group.create_task(some())
        return found

    async def _logged_in(self, machine: int) -> tuple[ClientConnection, Mapping[str, int]]:
        """Tried again, as an agent does, when it is told that it took too long."""
        while True:
            try:
                return await self._log_in(machine)
            except (Refused, ConnectionClosed) as error:
                say({"again": str(error)})

    async def _log_in(self, machine: int) -> tuple[ClientConnection, Mapping[str, int]]:
        address = f"ws://127.0.0.1:{self.port}/v1/agent"
        # As compose.agent connects.
        socket = await connect(
            address, max_size=wire.MAX_FRAME_BYTES, open_timeout=60, proxy=None, compression=None
        )
        await socket.send(wire.pack(wire.Hello(protocol=wire.PROTOCOL, machine=machine)))
        challenge = wire.from_server(await socket.recv(decode=False))
        assert isinstance(challenge, wire.Challenge), challenge
        signature = self.keys[machine].sign(wire.CHALLENGE_CONTEXT + challenge.nonce)
        await socket.send(wire.pack(wire.Proof(signature=signature)))
        instance = wire.AnnouncedInstance(f"of-{machine}", "/nowhere", "running")
        await socket.send(wire.pack(wire.Announce(instances=[instance], relays=True)))
        welcome = wire.from_server(await socket.recv(decode=False))
        if not isinstance(welcome, wire.Welcome):
            await socket.close()
            raise Refused(str(welcome))
        return socket, welcome.instances

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            while True:
                message = wire.from_server(await socket.recv(decode=False))
                at = time.monotonic()
                if isinstance(message, wire.Desired):
                    for order in message.orders:
                        if order.transfer not in self._known:
                            self._known.add(order.transfer)
                            say({"order": order.transfer, "at": at})
        except ConnectionClosed as error:
            say({"lost": str(error)})


def say(fact: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


async def run(port: int, count: int) -> None:
    swarm = Swarm(port, os.environ[KEY])
    await swarm.join(count)
    say({"joined": count})
    await asyncio.to_thread(sys.stdin.readline)
    say({"connected": await swarm.connect()})
    await asyncio.to_thread(sys.stdin.read)  # until whoever started this has seen enough


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--agents", type=int, required=True)
    asked = parser.parse_args()
    asyncio.run(run(asked.port, asked.agents))


if __name__ == "__main__":
    main()
