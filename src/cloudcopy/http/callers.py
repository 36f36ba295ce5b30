"""Who sent this request: from the key it carries to a `Caller`."""

import json
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field

from cloudcopy.control import keys
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import MAX_ID
from cloudcopy.http.services import Services, services

bearer = HTTPBearer(scheme_name="BearerAuth", auto_error=False, description="An API key.")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
App = Annotated[Services, Depends(services)]


async def native(credentials: Credentials, app: App) -> Caller:
    """The native API takes the key in the Authorization header and nowhere else.

    Raises:
        Unauthenticated: there is none, or it is wrong.
    """
    return await keys.prove(credentials.credentials if credentials else None, desk=app.keys)


async def compatible(request: Request, credentials: Credentials, app: App) -> Caller:
    """The compatible API takes it from the header, then the query, then the JSON body.

    The first that is there decides, right or wrong.

    Raises:
        Unauthenticated: there is none, or it is wrong.
    """
    text = credentials.credentials if credentials else request.query_params.get("api_key")
    if not text:
        text = _in_body(await request.body())
    return await keys.prove(text, desk=app.keys)


def _in_body(body: bytes) -> str | None:
    if not body:
        return None
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    key = parsed.get("api_key") if isinstance(parsed, dict) else None
    return key if isinstance(key, str) else None


Id = Annotated[int, Field(ge=0, le=MAX_ID)]
"""An id in a path or a query."""

Native = Annotated[Caller, Depends(native)]
Compatible = Annotated[Caller, Depends(compatible)]
