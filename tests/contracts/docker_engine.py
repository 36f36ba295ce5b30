"""The answers of a Docker engine, behind a real Unix socket. No engine was at hand.

They were written by hand from knowledge of the Engine API 1.44: statuses, bodies, the framing of
logs, and an error in the middle of a pull. They were neither recorded from an engine nor copied
from the published reference. What runs in a container is up to the test.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

PREFIX = "/v1.44"


def framed(text: str, stream: int = 1) -> bytes:
    """A piece of a log, as an engine sends it for a container without a terminal."""
    content = text.encode()
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


def refusal(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


@dataclass
class Container:
    body: dict[str, Any]
    state: dict[str, Any] = field(
        default_factory=lambda: {
            "Status": "created",
            "Running": False,
            "Paused": False,
            "Restarting": False,
            "OOMKilled": False,
            "Dead": False,
            "Pid": 0,
            "ExitCode": 0,
            "Error": "",
            "StartedAt": "0001-01-01T00:00:00Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
        }
    )
    log: bytes = b""

    def run(self) -> None:
        self.state |= {"Status": "running", "Running": True, "Pid": 4242}

    def end(self, code: int, **more: Any) -> None:
        self.state |= {"Status": "exited", "Running": False, "Pid": 0, "ExitCode": code, **more}


class _Server(uvicorn.Server):
    """Leaves signals alone: pytest has its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class FakeEngine:
    """
    Attributes:
        images: Those that it has.
        registry: Those that can be fetched.
        seen: What was asked, as method and path with query.
        broken: Answers every request with this.
    """

    images: set[str] = field(default_factory=set)
    registry: set[str] = field(default_factory=set)
    containers: dict[str, Container] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    broken: tuple[int, str] | None = None

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        server = _Server(uvicorn.Config(self, log_level="error", lifespan="off", ws="none"))
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
            bound.listen()  # from here on a request waits
            serving = asyncio.create_task(server.serve(sockets=[bound]))
            yield
            server.should_exit = True
            await serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = request.url.path
        query = f"?{request.url.query}" if request.url.query else ""
        self.seen.append(f"{request.method} {path.removeprefix(PREFIX)}{query}")
        body = await request.body()
        response = await self._answer(request, json.loads(body) if body else {})
        await response(scope, receive, send)

    async def _answer(self, request: Request, body: dict[str, Any]) -> Response:
        if self.broken:
            return refusal(*self.broken)
        path = unquote(request.url.path)
        if not path.startswith(PREFIX):
            return refusal(404, "page not found")
        parts = path.removeprefix(PREFIX).strip("/").split("/")
        match request.method, parts:
            case "GET", ["_ping"]:
                return Response("OK", media_type="text/plain")
            case "GET", ["images", *name, "json"]:
                image = "/".join(name)
                if image in self.images:
                    return JSONResponse({"Id": "sha256:1", "RepoTags": [image]})
                return refusal(404, f"No such image: {image}")
            case "POST", ["images", "create"]:
                return self._pull(request.query_params)
            case "POST", ["containers", "create"]:
                return self._create(request.query_params["name"], body)
            case method, ["containers", name, *rest]:
                found = self.containers.get(name)
                if found is None:
                    return refusal(404, f"No such container: {name}")
                return self._container(method, name, found, rest)
        return refusal(404, "page not found")

    def _pull(self, query: Any) -> Response:
        image = query["fromImage"]
        tagged = f"{image}:{query['tag']}" if "tag" in query else image
        lines: list[dict[str, Any]] = [{"status": f"Pulling from {image}", "id": query.get("tag")}]
        if {image, tagged} & self.registry:
            self.images |= {image, tagged}
            lines.append({"status": f"Status: Downloaded newer image for {tagged}"})
        else:
            words = f"manifest for {tagged} not found: manifest unknown"
            lines.append({"errorDetail": {"message": words}, "error": words})
        return StreamingResponse(iter([json.dumps(each) + "\r\n" for each in lines]))

    def _create(self, name: str, body: dict[str, Any]) -> Response:
        if name in self.containers:
            return refusal(409, f'Conflict. The container name "/{name}" is already in use')
        if body["Image"] not in self.images:
            return refusal(404, f"No such image: {body['Image']}")
        self.containers[name] = Container(body)
        return JSONResponse({"Id": f"{len(self.containers):064x}", "Warnings": []}, 201)

    def _container(self, method: str, name: str, found: Container, rest: list[str]) -> Response:
        match method, rest:
            case "GET", ["json"]:
                shown = {"Id": "0" * 64, "Name": f"/{name}", "State": found.state}
                return JSONResponse(shown | {"Config": found.body})
            case "GET", ["logs"]:
                kind = "application/vnd.docker.multiplexed-stream"
                return Response(found.log, media_type=kind)
            case "POST", ["start"]:
                if found.state["Running"]:
                    return Response(status_code=304)
                found.run()
            case "POST", ["stop"]:
                if not found.state["Running"]:
                    return Response(status_code=304)
                found.end(143)
            case "POST", ["restart"]:
                found.run()
            case "DELETE", []:
                del self.containers[name]
            case _:
                return refusal(404, "page not found")
        return Response(status_code=204)
