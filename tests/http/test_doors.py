"""What is served past everything that is about requests, and what is not."""

import pytest
from starlette.websockets import WebSocket

from cloudcopy.http.doors import Straight


@pytest.mark.parametrize(
    ("kind", "path", "served"),
    [
        ("websocket", "/v1/agent", True),
        ("websocket", "/v1/relay", False),
        ("http", "/v1/agent", False),
        ("lifespan", None, False),
    ],
)
async def test_only_the_socket_at_that_path_goes_straight(
    kind: str, path: str | None, served: bool
) -> None:
    went: list[str] = []

    async def app(scope, receive, send) -> None:
        went.append("in")

    async def serve(socket: WebSocket) -> None:
        went.append("straight")

    async def nothing(*_) -> dict[str, str]:
        return {}

    scope = {"type": kind} | ({} if path is None else {"path": path})
    await Straight(app, "/v1/agent", serve)(scope, nothing, nothing)
    assert went == ["straight" if served else "in"]
