"""A server that speaks the native API's documented bodies, as a test tells it to."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cloudcopy.wire.v1 import EventView, Problem, ProgressView


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: object


class Scripted:
    """An ASGI app. Each route gives its answers in turn; the last one stays."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self.seen: list[Seen] = []
        self.on_request: Callable[[Seen], None] = lambda _: None
        self._answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self._answers[method, path] = list(answers)

    def bodies(self, method: str, path: str) -> list[object]:
        return [each.body for each in self.seen if (each.method, each.path) == (method, path)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        seen = Seen(
            request.method,
            request.url.path,
            dict(request.query_params),
            dict(request.headers),
            json.loads(raw) if raw else None,
        )
        self.seen.append(seen)
        self.on_request(seen)
        answers = self._answers[seen.method, seen.path]
        answer = answers.pop(0) if len(answers) > 1 else (answers or [no_route(seen.path)])[0]
        response = Response(
            answer.body, answer.status, headers=answer.headers, media_type=answer.media_type
        )
        await response(scope, receive, send)


def ok(body: BaseModel, status: int = 200) -> Answer:
    return Answer(status, body.model_dump_json().encode())


def lines(*rows: BaseModel) -> Answer:
    """JSON lines."""
    body = "".join(f"{row.model_dump_json()}\n" for row in rows)
    return Answer(200, body.encode(), "application/x-ndjson")


def told(*events: EventView | ProgressView | None) -> Answer:
    """A stream of events that then ends; None is a sign of life."""
    body = "".join(_event(each) for each in events)
    return Answer(200, body.encode(), "text/event-stream")


def _event(each: EventView | ProgressView | None) -> str:
    match each:
        case None:
            return ": still here\n\n"
        case EventView():
            return f"event: state\nid: {each.number}\ndata: {each.model_dump_json()}\n\n"
        case _:
            return f"event: progress\ndata: {each.model_dump_json()}\n\n"


def problem(
    status: int,
    code: str,
    detail: str,
    *next: str,
    retryable: bool = False,
    headers: dict[str, str] | None = None,
) -> Answer:
    body = Problem(
        type=f"/docs/errors#{code}",
        title="No",
        status=status,
        detail=detail,
        code=code,
        retryable=retryable,
        next=list(next),
    )
    return Answer(
        status, body.model_dump_json().encode(), "application/problem+json", headers or {}
    )


def no_route(path: str) -> Answer:
    return problem(404, "no_such_route", f"There is nothing at {path}.")
