"""Who sent this request, and whether their key may do what its route does.

Each route says above its function what it needs: ``@needs("instance_read")``, or `@anyone`
where no key is asked for. A route that says neither lets no caller in.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field

from cloudcopy.control import keys
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import MAX_ID
from cloudcopy.domain.permissions import ENDPOINTS, Category
from cloudcopy.http.services import Services, services

bearer = HTTPBearer(scheme_name="BearerAuth", auto_error=False, description="An API key.")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
App = Annotated[Services, Depends(services)]

_NEED: Final = "_cloudcopy_need"
F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Need:
    """What a caller of a route must be allowed.

    Attributes:
        category: None: the route is open to everyone.
        endpoint: The route's name in permissions that do not give the whole category.
        operator: The account must be an operator's, too.
    """

    category: Category | None
    endpoint: str | None = None
    operator: bool = False


def needs(
    category: Category | str, endpoint: str | None = None, *, operator: bool = False
) -> Callable[[F], F]:
    """Say what a route needs."""
    found = Category(category)
    if endpoint is not None and endpoint not in ENDPOINTS.get(found, ()):
        raise ValueError(f"{endpoint} is not among domain.permissions.ENDPOINTS of {found}")

    def declare(function: F) -> F:
        vars(function)[_NEED] = Need(found, endpoint, operator)
        return function

    return declare


def anyone(function: F) -> F:
    """Say that a route asks for no key."""
    vars(function)[_NEED] = Need(None)
    return function


def need_of(function: Callable[..., object]) -> Need:
    """What the function of a route declared.

    Raises:
        LookupError: nothing, which is a defect.
    """
    need: Need | None = vars(function).get(_NEED)
    if need is None:
        raise LookupError(f"{function.__module__}.{function.__qualname__} declares no permission")
    return need


async def allowed(text: str | None, need: Need, app: Services) -> Caller:
    """Who sent this key, where it may do what needs `need`; raises as `native` does."""
    caller = await keys.prove(text, desk=app.keys)
    if need.category is None:
        return caller
    return caller.asking(need.category, need.endpoint, operator=need.operator)


async def native(request: Request, credentials: Credentials, app: App) -> Caller:
    """The native API takes the key in the Authorization header and nowhere else.

    Raises:
        Unauthenticated: there is none, or it is wrong.
        TooMany: it is used too often.
        Forbidden: it may not do this.
    """
    text = credentials.credentials if credentials else None
    return await allowed(text, need_of(request.scope["endpoint"]), app)


async def compatible(request: Request, credentials: Credentials, app: App) -> Caller:
    """The compatible API takes it from the header, then the query, then the JSON body.

    The first that is there decides, right or wrong.

    Raises:
        Unauthenticated: there is none, or it is wrong.
        TooMany: it is used too often.
        Forbidden: it may not do this.
    """
    text = credentials.credentials if credentials else request.query_params.get("api_key")
    if not text:
        text = _in_body(await request.body())
    return await allowed(text, need_of(request.scope["endpoint"]), app)


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
