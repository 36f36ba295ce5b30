"""What somebody would write with obstore by hand; run in the peers' own environment.

64 files at once; large ones in 16 MiB parts, eight at once. With --resync only files that the
other side's listing does not show with this size, or shows as older.
"""

import argparse
import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.store import S3Store

AT_ONCE: Final = 64
PART: Final = 16 << 20
PARTS: Final = 8


async def _listing(store: S3Store) -> dict[str, Any]:
    found = {}
    async for page in obstore.list(store, chunk_size=1000):
        found.update({each["path"]: each for each in page})
    return found


async def _up(store: S3Store, root: Path, *, resync: bool) -> None:
    there = await _listing(store) if resync else {}
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path, name: str) -> None:
        async with turns:
            if path.stat().st_size > PART:
                await obstore.put_async(store, name, path, chunk_size=PART, max_concurrency=PARTS)
            else:
                await obstore.put_async(store, name, path.read_bytes(), use_multipart=False)

    async with asyncio.TaskGroup() as group:
        for path in root.rglob("*"):
            if path.is_file():
                name, known = path.relative_to(root).as_posix(), path.stat()
                seen = there.get(name)
                changed = datetime.fromtimestamp(known.st_mtime, UTC)
                if seen and seen["size"] == known.st_size and seen["last_modified"] >= changed:
                    continue
                group.create_task(one(path, name))


async def _down(store: S3Store, root: Path, *, resync: bool) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, size: int) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        async with turns:
            if size > PART:
                await _in_parts(store, name, path, size)
            else:
                answer = await obstore.get_async(store, name)
                path.write_bytes(await answer.bytes_async())

    async with asyncio.TaskGroup() as group:
        for name, seen in (await _listing(store)).items():
            path = root / name
            if resync and path.exists():
                known = path.stat()
                changed = datetime.fromtimestamp(known.st_mtime, UTC)
                if seen["size"] == known.st_size and seen["last_modified"] <= changed:
                    continue
            group.create_task(one(name, seen["size"]))


async def _in_parts(store: S3Store, name: str, path: Path, size: int) -> None:
    turns = asyncio.Semaphore(PARTS)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    async def part(start: int) -> None:
        async with turns:
            length = min(PART, size - start)
            data = await obstore.get_range_async(store, name, start=start, length=length)
            await asyncio.to_thread(os.pwrite, fd, memoryview(data), start)

    try:
        async with asyncio.TaskGroup() as group:
            for start in range(0, size, PART):
                group.create_task(part(start))
    finally:
        os.close(fd)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("direction", choices=["up", "down"])
    parser.add_argument("local", type=Path)
    parser.add_argument("endpoint")
    parser.add_argument("bucket")
    parser.add_argument("prefix")
    parser.add_argument("--resync", action="store_true")
    asked = parser.parse_args()
    store = S3Store(
        asked.bucket,
        prefix=asked.prefix,
        endpoint=asked.endpoint,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    copy = _up if asked.direction == "up" else _down
    asyncio.run(copy(store, asked.local, resync=asked.resync))
    # Its threads abort the process now and then (SIGABRT) when Python's end meets them.
    os._exit(0)


if __name__ == "__main__":
    main()
