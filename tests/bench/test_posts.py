"""The client that pours orders: what is said about a server must be true of it."""

import asyncio
import json

import pytest

from bench.posts import pour


async def served(status: int, answers: list[str]) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                answers.append(body["dst"])
                content = b'{"id": "t"}'
                writer.write(
                    f"HTTP/1.1 {status} So\r\nContent-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
        except asyncio.IncompleteReadError:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def test_every_order_is_another_one_and_the_rate_is_of_those_answered():
    answers: list[str] = []
    async with await served(202, answers) as server:
        found = await pour(server.sockets[0].getsockname()[1], "key", [1, 2], 0.5)
    assert len(set(answers)) == len(answers) == found["accepted"] > 1
    assert 0 < found["rate"] < len(answers) / 0.5
    assert 0 < found["p50"] <= found["p99"]


async def test_a_refusal_is_no_acceptance():
    async with await served(429, []) as server:
        with pytest.raises(RuntimeError, match="orders were refused"):
            await pour(server.sockets[0].getsockname()[1], "key", [1], 0.5)
