"""The few calls of the Docker Engine API that are needed, over its Unix socket.

Version 1.44, the oldest that every engine from 25 to 29 speaks. Written from knowledge of that
version, and never run against a real engine.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2

from cloudcopy.domain.errors import Unavailable

API: Final = "http://docker/v1.44"
SECONDS: Final = 30.0  # for one answer; an engine that stops a container takes its grace on top
PULL_SECONDS: Final = 3600.0
PING_SECONDS: Final = 2.0
_HEAD: Final = 8  # bytes before each piece of a log: stream, three zeros, length


class Engine:
    """Each method raises Unavailable where the engine does not answer, or refuses."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def answers(self) -> bool:
        """Whether an engine listens there."""
        if not self._socket.is_socket():
            return False
        try:
            reply = await self._ask("GET", "/_ping", seconds=PING_SECONDS)
        except Unavailable:
            return False
        return reply.status_code == httpx2.codes.OK

    async def inspect(self, container: str) -> dict[str, Any] | None:
        """None: there is no such container."""
        reply = await self._ask("GET", f"/containers/{container}/json", missing=True)
        if reply.status_code == httpx2.codes.NOT_FOUND:
            return None
        found: dict[str, Any] = reply.json()
        return found

    async def has(self, image: str) -> bool:
        reply = await self._ask("GET", f"/images/{quote(image, safe='/')}/json", missing=True)
        return reply.status_code == httpx2.codes.OK

    async def pull(self, image: str) -> None:
        """Fetch an image. Its registry's refusal comes in the middle of a good answer."""
        name, tag = _tagged(image)
        query = {"fromImage": name, **({"tag": tag} if tag else {})}
        async with self._client(PULL_SECONDS) as client:
            try:
                path = f"{API}/images/create"
                async with client.stream("POST", path, params=query) as reply:
                    if reply.is_error:
                        raise _refused(reply.status_code, await reply.aread())
                    async for line in reply.aiter_lines():
                        _check(line)
            except httpx2.TransportError as error:
                raise _silent(error) from error

    async def create(self, container: str, body: dict[str, Any]) -> None:
        await self._ask("POST", "/containers/create", params={"name": container}, body=body)

    async def start(self, container: str) -> None:
        await self._ask("POST", f"/containers/{container}/start")

    async def stop(self, container: str, *, grace_seconds: int) -> None:
        """One that is not there has stopped."""
        await self._ask(
            "POST",
            f"/containers/{container}/stop",
            params={"t": str(grace_seconds)},
            missing=True,
            seconds=SECONDS + grace_seconds,
        )

    async def restart(self, container: str, *, grace_seconds: int) -> None:
        await self._ask(
            "POST",
            f"/containers/{container}/restart",
            params={"t": str(grace_seconds)},
            seconds=SECONDS + grace_seconds,
        )

    async def remove(self, container: str) -> None:
        """Kill and remove it with its volumes; one that is not there is removed."""
        query = {"force": "true", "v": "true"}
        await self._ask("DELETE", f"/containers/{container}", params=query, missing=True)

    async def logs(self, container: str, *, lines: int) -> str:
        """The last lines of what it wrote; none where there is no such container."""
        query = {"stdout": "true", "stderr": "true", "tail": str(lines)}
        path = f"/containers/{container}/logs"
        reply = await self._ask("GET", path, params=query, missing=True)
        if reply.status_code == httpx2.codes.NOT_FOUND:
            return ""
        return unframed(reply.content).decode(errors="replace")

    @asynccontextmanager
    async def _client(self, seconds: float) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.AsyncHTTPTransport(uds=str(self._socket))
        async with httpx2.AsyncClient(transport=transport, timeout=seconds) as client:
            yield client

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        missing: bool = False,
        seconds: float = SECONDS,
    ) -> httpx2.Response:
        """The answer, if it is none of a refusal. `missing`: a 404 is an answer."""
        async with self._client(seconds) as client:
            try:
                reply = await client.request(method, f"{API}{path}", params=params, json=body)
            except httpx2.TransportError as error:
                raise _silent(error) from error
        if reply.is_error and not (missing and reply.status_code == httpx2.codes.NOT_FOUND):
            raise _refused(reply.status_code, reply.content)
        return reply


def unframed(stream: bytes) -> bytes:
    """A log without the heads of its pieces."""
    out, at = [], 0
    while at + _HEAD <= len(stream):
        length = int.from_bytes(stream[at + 4 : at + _HEAD], "big")
        out.append(stream[at + _HEAD : at + _HEAD + length])
        at += _HEAD + length
    return b"".join(out)


def _tagged(image: str) -> tuple[str, str]:
    """A name and its tag; a digest stays with the name. Without a tag all would be fetched."""
    if "@" in image:
        return image, ""
    head, colon, tag = image.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (image, "latest")


def _check(line: str) -> None:
    """Raises Unavailable where a line of a pull's progress is its end."""
    try:
        told = json.loads(line) if line.strip() else {}
    except ValueError:
        return
    if isinstance(told, dict) and told.get("error"):
        raise Unavailable(f"The image cannot be fetched: {str(told['error'])[:500]}")


def _refused(status: int, content: bytes) -> Unavailable:
    try:
        words = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        words = f"status {status}"
    return Unavailable(f"Docker refused: {words[:500]}")


def _silent(error: Exception) -> Unavailable:
    return Unavailable(f"Docker does not answer: {type(error).__name__}.")
