"""Logs and commands of an instance in the compatible API: asked for, then read at a URL."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from cloudcopy.control import instances, questions
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.question import DEFAULT_TAIL, Question
from cloudcopy.http.callers import App, Compatible, anyone, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v0 import bodies
from cloudcopy.wire.v0 import Refusal
from cloudcopy.wire.v0_instances import CommandRequest, LogsRequest

router = APIRouter(
    prefix="/api/v0/instances",
    tags=["Instances"],
    responses={400: {"model": Refusal}, 404: {"model": Refusal}},
)


class Asked(BaseModel):
    """The machine was asked."""

    success: bool
    msg: str
    result_url: str = Field(
        description="404 until the machine has answered, then plain text. Needs no key."
    )


class Executing(Asked):
    """The machine was asked to carry out a command."""

    writeable_path: str = Field(description="Older clients take it out of the text; empty here.")


@router.put(
    "/request_logs/{instance_id}/", summary="logs", openapi_extra=bodies.documented(LogsRequest)
)
@needs("instance_read", "api.instance.request_logs")
async def logs(instance_id: str, request: Request, caller: Compatible, app: App) -> Asked:
    """The end of an instance's log: `tail` lines that hold `filter`."""
    id = bodies.instance_id(instance_id)
    body = await bodies.read(request)
    tail = bodies.optional(body, "tail") or str(DEFAULT_TAIL)
    if not (tail.isascii() and tail.isdigit() and len(tail) < 10):
        raise Invalid("tail", f"{tail[:40]!r} is not a number of lines", code="bad_tail")
    asked = await instances.ask_logs(
        id,
        caller=caller,
        desk=app.instances,
        tail=int(tail),
        filter=bodies.optional(body, "filter"),
        daemon=bodies.optional(body, "daemon_logs").lower() in ("true", "1"),
    )
    return Asked(success=True, msg="The log was asked for.", result_url=_url(asked, request, app))


@router.put(
    "/command/{instance_id}/", summary="execute", openapi_extra=bodies.documented(CommandRequest)
)
@needs("instance_write", "api.instance.command")
async def execute(instance_id: str, request: Request, caller: Compatible, app: App) -> Executing:
    """Carry out `ls`, `rm` or `du` in an instance, also while it is stopped."""
    id = bodies.instance_id(instance_id)
    command = bodies.text(await bodies.read(request), "command")
    asked = await instances.ask_execute(id, command, caller=caller, desk=app.instances)
    return Executing(
        success=True,
        msg="The command was sent.",
        result_url=_url(asked, request, app),
        writeable_path="",
    )


@router.get(
    "/results/{token}/",
    summary="result of logs and execute",
    response_class=PlainTextResponse,
)
@anyone
async def result(token: str, app: App) -> PlainTextResponse:
    """The answer in plain text, for success and failure alike. The token is the proof."""
    told = await questions.text(token, desk=app.queries)
    return PlainTextResponse(
        told, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    )


def _url(asked: Question, request: Request, app: Services) -> str:
    base = app.public_url or str(request.base_url).rstrip("/")
    token = questions.token(asked, vault=app.vault)
    return f"{base}/api/v0/instances/results/{token}/"
