"""The web application: routes, doors and error shapes put together."""

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI

from cloudcopy.http import agents, errors
from cloudcopy.http.doors import BoundedBody, BoundedHead, OneSpelling
from cloudcopy.http.services import Services
from cloudcopy.http.v0 import account, asks, copies, lifecycles, questions, ssh
from cloudcopy.http.v0 import instances as compatible_instances
from cloudcopy.http.v1 import (
    checks,
    connections,
    events,
    files,
    instances,
    keys,
    machines,
    plans,
    receipts,
    transfers,
)

DESCRIPTION: Final = (
    "Move data between compute instances and cloud stores. `/api` is compatible with the public "
    "cloud copy API; `/v1` is native and answers errors as problem+json."
)

_ROUTERS: Final = (
    copies.router,
    account.router,
    compatible_instances.router,
    lifecycles.router,
    asks.router,
    ssh.router,
    questions.router,
    transfers.router,
    events.router,
    plans.router,
    checks.router,
    files.router,
    receipts.router,
    connections.router,
    instances.router,
    machines.router,
    keys.router,
    agents.router,
)


def build_app(services: Services) -> FastAPI:
    """An application that serves these services; starts nothing."""
    app = FastAPI(
        title="cloudcopy",
        version=version("cloudcopy"),
        description=DESCRIPTION,
        redirect_slashes=False,
        docs_url="/docs",
        redoc_url=None,
    )
    app.state.services = services
    app.state.streams = events.Streams()
    for router in _ROUTERS:
        app.include_router(router)
    app.state.routes = [route for router in _ROUTERS for route in router.routes]
    errors.install(app)
    app.add_middleware(OneSpelling)
    app.add_middleware(BoundedBody)
    app.add_middleware(BoundedHead)
    _trim_document(app)
    return app


def _trim_document(app: FastAPI) -> None:
    """FastAPI documents a 422 wherever there are parameters; the compatible API has none."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        for path, operations in document["paths"].items():
            if path.startswith("/api/"):
                for operation in operations.values():
                    operation["responses"].pop("422", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
