"""A proxy between a client and a real S3 server that spoils what it is told to spoil.

One thread with its own event loop, so that tests of both kinds can use it. Bodies pass in
pieces and nothing is kept.
"""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from demo.seaweed import S3
from tests.faults.connection import MAX_HEAD, Connection, Flying, Seen
from tests.faults.faults import Fault, Plan, Request, Requests, nothing


class FaultProxy:
    """A running proxy.

    Attributes:
        store: The store as it is reached through the proxy.
        faults: Decides about each request; may be changed at any time, from any thread.
        seen: How often each fault was done, and how many requests of each kind passed.
        flying: How many were on their way at once.
    """

    def __init__(self, upstream: S3, faults: Plan) -> None:
        self.faults = faults
        self.seen: Seen = Counter()
        self.flying = Flying()
        self._upstream = upstream
        self._requests = Requests()
        # asyncio holds on to no reader, nor to the task that waits for one.
        self._open: set[Connection] = set()
        self._defects: list[dict[str, Any]] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        # Those it accepts inherit this; asyncio does it for sockets that name TCP, which this
        # one does not. Without it, small answers wait 40 ms for the acknowledgement before.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = int(self._listening.getsockname()[1])
        self.store = replace(upstream, endpoint=f"http://127.0.0.1:{port}", port=port)
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fault-proxy")

    def start(self) -> None:
        self._loop = self._runner.get_loop()
        self._thread.start()

    def stop(self) -> None:
        """Ends every connection.

        Raises:
            RuntimeError: The proxy itself failed meanwhile, which clients took for a fault.
        """
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        if self._defects:
            raise RuntimeError(f"the proxy failed: {self._defects[0]}")

    def _run(self) -> None:
        with self._runner:
            self._runner.run(self._serve())

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self._defects.append(context)
        )
        server = await asyncio.start_server(self._accept, sock=self._listening, limit=MAX_HEAD)
        await self._closing.wait()
        server.close()

    async def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        connection = Connection(
            self._upstream.port, self._decide, self.seen, client, to_client, flying=self.flying
        )
        self._open.add(connection)
        try:
            with suppress(asyncio.CancelledError):  # which asyncio would take for a defect
                await connection.run()
        finally:
            self._open.discard(connection)

    def _decide(self, method: str, target: str) -> tuple[Request, Fault | None]:
        request = self._requests.number(method, target)
        return request, self.faults(request)


@contextmanager
def fault_proxy(store: S3, plan: Plan = nothing) -> Iterator[FaultProxy]:
    """A proxy before `store`, as long as this lasts."""
    proxy = FaultProxy(store, plan)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
