"""The store's ceiling: obstore from memory to nowhere; run in the peers' own environment."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import obstore
from obstore.store import S3Store

AT_ONCE: Final = 64
SMALL: Final = 2_000
KIB: Final = 1 << 10
PART: Final = 16 << 20
LARGE: Final = 512 << 20


async def measure(endpoint: str, bucket: str) -> dict[str, float]:
    store = S3Store(
        bucket,
        endpoint=endpoint,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    small, large = os.urandom(10 * KIB), os.urandom(LARGE)

    async def put(number: int) -> None:
        await obstore.put_async(store, f"small/{number}", small, use_multipart=False)

    async def get(number: int) -> None:
        await (await obstore.get_async(store, f"small/{number}")).bytes_async()

    async def part(number: int) -> None:
        await obstore.get_range_async(store, "large", start=number * PART, length=PART)

    await _all(put, 200)  # warms up
    puts, gets = await _all(put, SMALL), await _all(get, SMALL)
    begun = time.perf_counter()
    await obstore.put_async(store, "large", large, chunk_size=PART, max_concurrency=8)
    up = time.perf_counter() - begun
    down = await _all(part, LARGE // PART)
    return {
        "store: PUT of 10 KiB, 64 at once, /s": SMALL / puts,
        "store: GET of 10 KiB, 64 at once, /s": SMALL / gets,
        "store: PUT of 512 MiB in parts, MB/s": LARGE / 1e6 / up,
        "store: GET of 512 MiB in parts, MB/s": LARGE / 1e6 / down,
    }


async def _all(do: Callable[[int], Awaitable[None]], count: int) -> float:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with turns:
            await do(number)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(*sys.argv[1:]))), flush=True)
    os._exit(0)  # see obstore_copy.py
