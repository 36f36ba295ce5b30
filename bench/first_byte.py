"""From the POST until the mover's first byte at the store: what a copy waits for before it begins.

The store is behind a tap that notes when bytes come. The agent is warm: some copies have been
made before those that count.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import machine
from bench.rounds import say
from cloudcopy.sdk import Client
from demo.seaweed import S3, seaweed
from demo.stack import Stack, stack

COPIES: Final = 20
WARM: Final = 3  # before those that count
INSTANCE: Final = "bench"
BUCKET: Final = "first-byte"
PAUSE_SECONDS: Final = 1.0  # what is made ready for the next copy is ready then
CHUNK: Final = 1 << 16


@dataclass
class Tap:
    """Attributes:
    first: When the first byte came to the store since this was last set to None.
    """

    upstream: int
    first: float | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until both of its ends have closed."""
        with contextlib.suppress(OSError):
            back, forth = await asyncio.open_connection("127.0.0.1", self.upstream)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, forth, noted=True))
                group.create_task(self._carry(back, writer))

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, noted: bool = False
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                if noted and self.first is None:
                    self.first = time.monotonic()
                sink.write(data)
                await sink.drain()
        sink.close()


def measure(place: Path, *, copies: int = COPIES) -> dict[str, str]:
    """By what it is, with its unit in the name."""
    root = place / "first-byte-files"
    root.mkdir()
    (root / "one.txt").write_text("one")
    with seaweed() as store, stack(place / "first-byte", {INSTANCE: root}) as running:
        with store.client() as client:
            client.create_bucket(Bucket=BUCKET)
        say(f"{copies} copies, until their first byte at the store")
        seconds = asyncio.run(_each(store, running, copies))
    least, most = min(seconds), max(seconds)
    return {
        "version": machine.version(),
        "copies": f"{len(seconds)}",
        "POST until the mover's first byte at the store, median, ms": _ms(
            statistics.median(seconds)
        ),
        "the fastest and the slowest, ms": f"{_ms(least)} / {_ms(most)}",
    }


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f}"


async def _each(store: S3, running: Stack, copies: int) -> list[float]:
    found: list[float] = []
    async with _tapped(store.port) as (tap, port), Client(running.url, running.api_key) as client:
        parameters = store.parameters | {"endpoint": f"http://127.0.0.1:{port}"}
        await client.connections.create(
            name="store", cloud_type="s3", parameters=parameters, test=False
        )
        for number in range(WARM + copies):
            await asyncio.sleep(PAUSE_SECONDS)
            tap.first, begun = None, time.monotonic()
            transfer = await client.transfers.create(
                instance=INSTANCE,
                connection="store",
                direction="instance_to_cloud",
                src="/",
                dst=f"{BUCKET}/{number}",
                flags=[],
            )
            ended = await client.transfers.wait(transfer.id)
            if ended.state != "succeeded" or tap.first is None:
                raise RuntimeError(f"the copy {ended.state}: {ended.reason}")
            found.append(tap.first - begun)
    return found[WARM:]


@asynccontextmanager
async def _tapped(upstream: int) -> AsyncIterator[tuple[Tap, int]]:
    tap = Tap(upstream)
    server = await asyncio.start_server(tap.serve, "127.0.0.1", 0)
    try:
        yield tap, server.sockets[0].getsockname()[1]
    finally:
        server.close()
