"""The served document: what the framework makes of the routes, completed by what is true of all
routes of a surface, so that no route has to say it.

Every operation gets the statuses it can be refused with, each with a body as `http.errors`
shapes it, and an example of each body. `tests/http/test_openapi.py` walks it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from cloudcopy.http.errors import COMPATIBLE, shaped
from cloudcopy.http.examples import BY_MODEL, BY_ROUTE, JOB_EXISTS

Json = dict[str, Any]

TAGS: Final = [
    {"name": "Transfers", "description": "Copies: asked for, followed, changed."},
    {"name": "Plans", "description": "What a copy would do, listed first, carried out as listed."},
    {"name": "Checks", "description": "Two sides compared, nothing changed."},
    {"name": "Receipts", "description": "What a copy can prove without this server."},
    {"name": "Schedules", "description": "Copies that are made again and again."},
    {"name": "Scheduled jobs", "description": "Schedules, as the compatible API knows them."},
    {"name": "Connections", "description": "Cloud stores, their credentials sealed."},
    {
        "name": "Instances",
        "description": "Directories that copies work on: announced, or created here.",
    },
    {"name": "Offers", "description": "Machines on which instances can be created."},
    {"name": "Machines", "description": "Hosts that run an agent."},
    {"name": "Keys", "description": "API keys."},
    {"name": "SSH keys", "description": "The account's, and those in an instance."},
    {"name": "Accounts", "description": "Who owns keys, connections and instances."},
    {"name": "Server", "description": "What is asked of the server itself."},
    {"name": "Documents", "description": "What this version is and does, as Markdown."},
]

# What a refusal of each status says, by an example: its code, and its words.
_REFUSED: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_json", "The body is not JSON."),
    401: ("unauthenticated", "No API key was sent."),
    403: ("forbidden", "This API key may not do this."),
    404: ("not_found", "Transfer t_01K6ZB3N5R8T2V4X6Y8Z0A1B2C is not yours or does not exist."),
    409: ("conflict", "The transfer t_01K6ZB3N5R8T2V4X6Y8Z0A1B2C has ended."),
    413: ("too_large", "The body is larger than 262144 bytes; nothing was done."),
    414: ("too_large", "The address is larger than 16384 bytes; nothing was done."),
    422: ("invalid", "limit: must be 1 to 200"),
    429: ("too_many", "Too many at once; Retry-After says when to try again."),
    431: ("too_large", "The headers are larger than 32768 bytes; nothing was done."),
    500: ("internal", "Something went wrong here; it has been logged."),
    503: ("unavailable", "The database is busy; nothing was started."),
}
_MEANS: Final[Mapping[int, str]] = {
    400: "The body or a value is malformed; nothing was done.",
    401: "No API key, or one that is not known.",
    403: "The API key may not do this.",
    404: "Nothing of yours has this id.",
    409: "It is not in a state that allows this.",
    413: "The body is over 256 KiB.",
    414: "The address is over 16 KiB.",
    422: "A value breaks a rule; the detail names it.",
    429: "Too many at once; see `Retry-After`. Nothing was started.",
    431: "The headers are over 32 KiB.",
    500: "A defect of the server; it was logged.",
    503: "It cannot be served right now; see `Retry-After`. Nothing was started.",
}
_RETRYABLE: Final = (429, 503)
_ALWAYS: Final = (414, 431, 500, 503)
_NOT_SERVED: Final = ("HTTPValidationError", "ValidationError")  # the framework's own shapes


def install(app: FastAPI) -> None:
    """Make `app` serve the completed document."""
    made = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            document = made()
            _complete(document, app.state.routes)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: Json, routes: list[Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in _NOT_SERVED:
        schemas.pop(name, None)
    _restore(document, routes)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _refusals(path, operation)
            _examples(f"{method.upper()} {path}", operation)


def _restore(document: Json, routes: list[Any]) -> None:
    """The framework takes every null out of the document, also out of the examples."""
    for route in routes:
        if not (isinstance(route, APIRoute) and route.include_in_schema):
            continue
        for method in route.methods or ():
            answers = document["paths"][route.path_format][method.lower()]["responses"]
            for status, said in route.responses.items():
                for kind, content in said.get("content", {}).items():
                    if "example" in content:
                        answers[str(status)]["content"][kind]["example"] = content["example"]


def _refusals(path: str, operation: Json) -> None:
    compatible = path.startswith(COMPATIBLE)
    answers = operation["responses"]
    exists = compatible and "JobExists" in str(answers.get("422"))
    if compatible and not exists:
        answers.pop("422", None)  # its clients read that as "this job exists already"
    declared = [int(status) for status in answers if status.startswith(("4", "5"))]
    for status in sorted({*declared, *_possible(operation, compatible=compatible)}):
        told = answers.get(str(status), {}).get("description", "")
        generic = not told or told.istitle() or told.endswith(("Content", "Entity"))
        body, kind = shaped(path, status, *_REFUSED[status], retryable=status in _RETRYABLE)
        model = "Refusal" if compatible else "Problem"
        if exists and status == 422:
            model, body = "JobExists", JOB_EXISTS
        schema = {"$ref": f"#/components/schemas/{model}"}
        answers[str(status)] = {
            "description": _MEANS[status] if generic else told,
            "content": {kind: {"schema": schema, "example": body}},
        }
    operation["responses"] = dict(sorted(answers.items()))


def _possible(operation: Json, *, compatible: bool) -> Iterator[int]:
    """With what any route of this form may be refused."""
    yield from _ALWAYS
    if operation.get("security"):
        yield from (401, 403, 429)
    if "requestBody" in operation:
        yield from (400, 413)
    if operation.get("parameters"):
        yield 400 if compatible else 422


def _examples(route: str, operation: Json) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if not {"example", "examples"} & content.keys():
            _show(content, content["schema"].get("example"))
    for status, said in operation["responses"].items():
        for kind, content in said.get("content", {}).items():
            if status.startswith("2") and "example" not in content:
                _show(content, BY_ROUTE.get(route, {}).get(kind))


def _show(content: Json, known: Any) -> None:
    """Put an example there, if there is one."""
    if known is None:
        known = _of(content["schema"])
    if known is not None:
        content["example"] = known


def _of(schema: Json) -> Any:
    """The example of a model, or a list with that of its items'."""
    if schema.get("type") == "array":
        item = _of(schema["items"])
        return None if item is None else [item]
    choices = [schema, *schema.get("anyOf", ())]
    names = [each["$ref"].rpartition("/")[2] for each in choices if "$ref" in each]
    return next((BY_MODEL[name] for name in names if name in BY_MODEL), None)
