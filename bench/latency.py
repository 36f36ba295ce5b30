"""A TCP proxy that makes a store on this machine as far away as one on a real network.

Each byte leaves half a round trip after it came, in either direction, however many are on
their way: nothing waits for the one before it, so throughput is that of the loopback. A new
connection costs one more round trip, as its handshake would. Bandwidth, loss and TCP's slow
start are not imitated.

It is a program of its own, so that a busy peer does not hold it up, and takes nothing but Python:
uvloop was tried and moves no more bytes.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

IN_FLIGHT: Final = 32 << 20  # bytes of one direction that may be on their way; TCP allows fewer


class Pipe:
    """One direction of one connection.

    Args:
        delay: Seconds from a byte's coming to its leaving.
        not_before: Nothing counts as sent earlier than this, in seconds of the loop's clock.
    """

    def __init__(self, source: asyncio.Transport, delay: float, not_before: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._delay = delay
        self._not_before = not_before
        self._under_way: deque[tuple[float, bytes]] = deque()  # empty bytes: the end
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = True
        self._sink: asyncio.Transport | None = None

    def opened(self, sink: asyncio.Transport) -> None:
        self._sink = sink
        self.unblock()

    def put(self, data: bytes) -> None:
        due = max(self._loop.time(), self._not_before) + self._delay
        self._under_way.append((due, data))
        self._size += len(data)
        if self._size > IN_FLIGHT:
            self._source.pause_reading()
        self._arm()

    def block(self) -> None:
        self._blocked = True

    def unblock(self) -> None:
        self._blocked = False
        self._arm()

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._under_way.clear()
        self._blocked = True

    def _arm(self) -> None:
        if self._timer is None and self._under_way and not self._blocked:
            self._timer = self._loop.call_at(self._under_way[0][0], self._leave)

    def _leave(self) -> None:
        self._timer = None
        sink, now = self._sink, self._loop.time()
        while sink and not self._blocked and self._under_way and self._under_way[0][0] <= now:
            _, data = self._under_way.popleft()
            self._size -= len(data)
            if data:
                sink.write(data)
            else:
                with contextlib.suppress(OSError):  # it was reset meanwhile
                    sink.write_eof()
        if self._size <= IN_FLIGHT // 2:
            with contextlib.suppress(RuntimeError):  # its side has closed
                self._source.resume_reading()
        self._arm()


class End(asyncio.Protocol):
    """One end of a connection; the accepted one opens the other."""

    def __init__(self, upstream: int, delay: float, accepted: "End | None" = None) -> None:
        self._upstream, self._delay = upstream, delay
        self._other = accepted
        self.transport: asyncio.Transport
        self.outgoing: Pipe  # what is read here and leaves at the other end
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        loop = asyncio.get_running_loop()
        handshake = 0.0 if self._other else 2 * self._delay
        self.outgoing = Pipe(self.transport, self._delay, loop.time() + handshake)
        if self._other:
            self._other.outgoing.opened(self.transport)
            self.outgoing.opened(self._other.transport)
            self._other._other = self
        else:
            self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(
                lambda: End(self._upstream, self._delay, self), "127.0.0.1", self._upstream
            )
        except OSError:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.outgoing.put(data)

    def eof_received(self) -> bool:
        self.outgoing.put(b"")
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        if self._other:
            self._other.outgoing.block()

    def resume_writing(self) -> None:
        if self._other:
            self._other.outgoing.unblock()

    def connection_lost(self, exc: Exception | None) -> None:
        self.outgoing.close()
        if self._other:
            self._other.transport.close()


async def serve(upstream: int, rtt_ms: float) -> None:
    """Proxy a free loopback port to `upstream` until stdin ends; says the port on stdout."""
    loop = asyncio.get_running_loop()
    delay = rtt_ms / 2_000
    server = await loop.create_server(lambda: End(upstream, delay), "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@contextmanager
def far(port: int, rtt_ms: float) -> Iterator[int]:
    """Run one in front of `port`; gives its own port. At 0 ms there is none."""
    if not rtt_ms:
        yield port
        return
    words = [sys.executable, str(Path(__file__)), f"--to={port}", f"--rtt={rtt_ms}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(json.loads(process.stdout.readline())["port"])
        finally:
            process.stdin.close()
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=int, required=True, help="the port behind it")
    parser.add_argument("--rtt", type=float, required=True, help="milliseconds")
    asked = parser.parse_args()
    asyncio.run(serve(asked.to, asked.rtt))


if __name__ == "__main__":
    main()
