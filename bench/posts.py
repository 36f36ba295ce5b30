"""The cheapest client: keep-alive HTTP from bytes made before, so that it is not what is slow.

As a program it pours orders into a server for some seconds and says how many were accepted.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

ACCEPTED: Final = 200, 202
PATH: Final = "/v1/transfers"
COMPATIBLE_PATH: Final = "/api/v0/commands/rclone/"
LINES: Final = 32  # connections at once


class Line:
    """One keep-alive connection. One request at a time."""

    def __init__(self, port: int, api_key: str) -> None:
        self._port = port
        self._head = (
            f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {api_key}\r\n"
            "Content-Type: application/json\r\n"
        )

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: object
    ) -> None:
        self._writer.close()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and decoded body."""
        status, answer = await self.send(self.request(path, body))
        return status, json.loads(answer)

    def request(self, path: str, body: Any) -> bytes:
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n\r\n"
        return head.encode() + content

    async def send(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, _, rest = head.partition(b"content-length:")
        length = int(rest.partition(b"\r\n")[0])
        return int(head[9:12]), await self._reader.readexactly(length)


def order(instance: int, number: int) -> dict[str, Any]:
    """A copy to the connection that `bench.plane` made."""
    return {
        "instance": instance,
        "connection": "store",
        "direction": "instance_to_cloud",
        "src": "/data",
        "dst": f"bucket/{number}",
        "flags": [],
    }


def compatible(instance: int, number: int, connection: int) -> dict[str, Any]:
    """The same through the compatible API."""
    return {
        "instance_id": instance,
        "selected": connection,
        "transfer": "Instance To Cloud",
        "src": "/data",
        "dst": f"compatible/{number}",
        "flags": [],
    }


async def pour(
    port: int,
    api_key: str,
    instances: list[int],
    seconds: float,
    *,
    connection: int | None = None,
) -> dict[str, float]:
    """Orders for every instance in turn, `LINES` at once; the rate of those accepted.

    Args:
        connection: Its id, for the compatible API; without one it is the native one.
    """
    taken: list[float] = []
    refused: list[str] = []
    end = time.monotonic() + seconds
    path = PATH if connection is None else COMPATIBLE_PATH
    orders = (
        order(each, number) if connection is None else compatible(each, number, connection)
        for number, each in enumerate(itertools.cycle(instances))
    )

    async def one(several: Iterator[Mapping[str, Any]]) -> None:
        async with Line(port, api_key) as line:
            while time.monotonic() < end:
                request = line.request(path, next(several))
                begun = time.monotonic()
                status, answer = await line.send(request)
                taken.append(time.monotonic() - begun)
                if status not in ACCEPTED:
                    refused.append(answer.decode(errors="replace")[:200])

    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(LINES):
            group.create_task(one(orders))
    took = time.monotonic() - begun
    if refused:
        raise RuntimeError(f"{len(refused)} of {len(taken)} orders were refused: {refused[0]}")
    cuts = statistics.quantiles(taken, n=100)
    return {"accepted": len(taken), "rate": len(taken) / took, "p50": cuts[49], "p99": cuts[98]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--key", required=True, help="the variable that the API key is in")
    parser.add_argument("--connection", type=int, help="its id, for the compatible API")
    asked = parser.parse_args()
    instances = json.loads(sys.stdin.readline())
    key, connection = os.environ[asked.key], asked.connection
    told = pour(asked.port, key, instances, asked.seconds, connection=connection)
    found = asyncio.run(told)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
