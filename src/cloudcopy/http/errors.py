"""The one place where an error becomes an HTTP answer.

The compatible surface (everything under /api) answers with its own object, which its
clients need to explain themselves: `msg` is always there and never empty. Everything else
answers with problem+json (RFC 9457).
"""

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from cloudcopy.domain import errors

log = structlog.get_logger()

STATUS: Final[dict[type[errors.CloudCopyError], int]] = {
    errors.Invalid: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.StoreUnreachable: 422,
    errors.Rejected: 422,
    errors.Unavailable: 503,
    errors.TooMany: 429,
}
COMPATIBLE: Final = "/api/"
_TITLES: Final = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    414: "Too large",
    422: "Invalid",
    429: "Too many",
    431: "Too large",
    503: "Unavailable",
}
RETRY_SECONDS: Final = {
    503: 1,  # a locked database is free again within that
    429: 10,  # unless the error says when
}
MAX_SHOWN: Final = 200  # characters of an address, or of a field's name
MAX_DETAIL: Final = 2_000  # characters: what was sent is echoed only so far


def compatible(path: str) -> bool:
    """Whether what asks for this path is a client of the compatible API. A base address with a
    slash too many, or with nothing behind it, is one's, too."""
    return f"/{path.strip('/')}/".startswith(COMPATIBLE)


def status_of(error: errors.CloudCopyError) -> int:
    """The status for `error`: the nearest ancestor in `STATUS` decides."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def install(app: FastAPI) -> None:
    """Make every error of `app` one of the two shapes."""
    app.add_exception_handler(errors.CloudCopyError, known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(Exception, _defect)


async def known(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.CloudCopyError)  # noqa: S101
    status = status_of(error)
    if error.code == "bad_flag":
        status = 400
    if _compatible(request) and status in (STATUS[errors.Invalid], STATUS[errors.Conflict]):
        status = 400  # its clients read 422 as "this job exists already", and know no 409
    wait = {"Retry-After": str(error.wait_seconds)} if isinstance(error, errors.TooMany) else None
    return _answer(
        request,
        status,
        error.code,
        str(error),
        retryable=error.retryable,
        next=error.next,
        headers=wait,
    )


async def _http(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself: no such route, wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101
    path = request.url.path[:MAX_SHOWN]
    detail = {
        404: f"There is nothing at {path}.",
        405: f"{request.method} is not possible at {path}.",
    }.get(error.status_code, str(error.detail))
    code = {404: "no_such_route", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return _answer(request, error.status_code, code, detail, headers=headers)


async def _unreadable(request: Request, error: Exception) -> Response:
    """A body or a parameter that has the wrong form."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])[:MAX_SHOWN] or str(first["loc"][0])
    broken_json = first["type"] == "json_invalid"
    status = 400 if broken_json or _compatible(request) else 422
    code = "bad_json" if broken_json else "invalid"
    detail = "The body is not JSON." if broken_json else f"{place}: {first['msg']}"
    return _answer(request, status, code, detail)


async def _defect(request: Request, error: Exception) -> Response:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return _answer(
        request,
        500,
        "internal",
        "Something went wrong here; it has been logged.",
        next=("Try again; if it stays, report it with the server's log.",),
    )


def _answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    retryable: bool = False,
    next: tuple[str, ...] = (),
    headers: Any = None,
) -> Response:
    sent = dict(headers or {})
    if status in RETRY_SECONDS:
        sent.setdefault("Retry-After", str(RETRY_SECONDS[status]))
    if status == STATUS[errors.Unauthenticated] and not _compatible(request):
        sent["WWW-Authenticate"] = "Bearer"
    body, kind = shaped(request.url.path, status, code, detail, retryable=retryable, next=next)
    return JSONResponse(body, status_code=status, headers=sent, media_type=kind)


def shaped(
    path: str,
    status: int,
    code: str,
    detail: str,
    *,
    retryable: bool = False,
    next: tuple[str, ...] = (),
) -> tuple[dict[str, Any], str]:
    """A refusal's body and its media type, in the shape of the surface that has `path`."""
    detail = detail[:MAX_DETAIL].encode(errors="replace").decode()  # no lone surrogate can be sent
    if compatible(path):
        msg = " ".join(_sentence(each) for each in (detail or "The request was refused", *next))
        return {"success": False, "error": code, "msg": msg}, "application/json"
    body = {
        "type": f"urn:cloudcopy:problem:{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": retryable,
        "next": list(next),
    }
    return body, "application/problem+json"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _allowed(request: Request) -> str:
    """Every method of the path; the framework names those of the first route only."""
    methods = {
        method
        for route in request.app.state.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return ", ".join(sorted(methods))


def _compatible(request: Request) -> bool:
    return compatible(request.url.path)
