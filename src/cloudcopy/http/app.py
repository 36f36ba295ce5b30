"""The web application: routes, doors and error shapes put together."""

from importlib.metadata import version
from typing import Final

from fastapi import FastAPI

from cloudcopy.http import agents, document, documents, errors, metrics, relay
from cloudcopy.http.doors import BoundedBody, BoundedHead, OneSpelling, Straight
from cloudcopy.http.services import Services
from cloudcopy.http.shortcut import Shortcut
from cloudcopy.http.shutdown import Shutdown
from cloudcopy.http.v0 import (
    account,
    asks,
    copies,
    directs,
    lifecycles,
    questions,
    scheduled_jobs,
    ssh,
)
from cloudcopy.http.v0 import instances as compatible_instances
from cloudcopy.http.v0 import keys as compatible_keys
from cloudcopy.http.v1 import (
    accounts,
    checks,
    connections,
    events,
    files,
    instances,
    keys,
    machines,
    plans,
    receipts,
    schedules,
    transfers,
)

DESCRIPTION: Final = (
    "Move data between compute instances and cloud stores. `/api` is compatible with the public "
    "cloud copy API; `/v1` is native and answers errors as problem+json."
)

_ROUTERS: Final = (
    copies.router,
    scheduled_jobs.router,
    directs.router,
    account.router,
    compatible_instances.router,
    compatible_keys.router,
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
    schedules.router,
    metrics.router,
    connections.router,
    instances.router,
    machines.router,
    keys.router,
    accounts.router,
    documents.router,
    agents.router,
    relay.router,
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
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it is asked for each time
        openapi_tags=document.TAGS,
    )
    app.state.services = services
    app.state.streams = events.Streams()
    app.state.shutdown = Shutdown(services.closing)
    for router in _ROUTERS:
        app.include_router(router)
    app.state.routes = [route for router in _ROUTERS for route in router.routes]
    errors.install(app)
    app.add_middleware(Shortcut)  # the innermost
    app.add_middleware(OneSpelling)
    app.add_middleware(BoundedBody)
    app.add_middleware(BoundedHead)
    app.add_middleware(Straight, agents.PATH, agents.speak)  # the outermost
    document.install(app)
    return app
