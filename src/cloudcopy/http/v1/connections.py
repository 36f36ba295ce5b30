"""Connections in the native API."""

from fastapi import APIRouter

from cloudcopy.control import connections, queries
from cloudcopy.domain.connection import ConnectionId, NewConnection
from cloudcopy.domain.errors import StoreUnreachable
from cloudcopy.http.callers import App, Id, Native, needs
from cloudcopy.http.v1 import views
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import v1

router = APIRouter(prefix="/v1/connections", tags=["Connections"])


@router.post("", summary="add a connection", status_code=201, responses=PROBLEMS)
@needs("user_write", "api.connection.change")
async def create(
    body: v1.NewConnection, caller: Native, app: App, test: bool = True
) -> v1.ConnectionView:
    """Keep a cloud store's credentials, sealed, after they have been shown to work.

    `?test=false` keeps them untested.
    """
    new = NewConnection.parse(body.name, body.cloud_type, body.parameters)
    made = await connections.create(new, caller=caller, desk=app.connections, test=test)
    return views.connection(made)


@router.get("", summary="list connections", responses=PROBLEMS)
@needs("user_read", "api.connection.show")
async def every(caller: Native, app: App) -> v1.ConnectionPage:
    """All connections of the account, without their secrets."""
    found = await queries.connections(caller=caller, desk=app.queries)
    return v1.ConnectionPage(data=[views.connection(each) for each in found])


@router.get("/{connection_id}", summary="show a connection", responses=PROBLEMS)
@needs("user_read", "api.connection.show")
async def one(connection_id: Id, caller: Native, app: App) -> v1.ConnectionView:
    """One connection, without its secrets."""
    return views.connection(
        await queries.connection(connection_id, caller=caller, desk=app.queries)
    )


@router.post("/{connection_id}/test", summary="test a connection", responses=PROBLEMS)
@needs("user_write", "api.connection.change")
async def test(connection_id: Id, caller: Native, app: App) -> v1.ConnectionTest:
    """List the store's top once and say what came of it; a store that refuses is no error."""
    try:
        await connections.test(ConnectionId(connection_id), caller=caller, desk=app.connections)
    except StoreUnreachable as error:
        return v1.ConnectionTest(ok=False, detail=" ".join((str(error), *error.next)))
    return v1.ConnectionTest(ok=True, detail="The store answered and lists its content.")


@router.delete(
    "/{connection_id}", summary="remove a connection", status_code=204, responses=PROBLEMS
)
@needs("user_write", "api.connection.change")
async def remove(connection_id: Id, caller: Native, app: App) -> None:
    """Forget the connection and its credentials. Refused while a live transfer uses it."""
    await connections.remove(ConnectionId(connection_id), caller=caller, desk=app.connections)
