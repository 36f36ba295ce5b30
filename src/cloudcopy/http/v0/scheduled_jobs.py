"""Scheduled copies in the compatible API: hourly, daily or weekly, in UTC.

Its clients read a 422 as "this job exists" and want its id there. What is wrong with a
request is answered with 400.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from cloudcopy.control import schedules
from cloudcopy.domain.errors import Invalid, NotFound
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.machine import MAX_ID
from cloudcopy.domain.schedule import (
    Pause,
    Schedule,
    ScheduleExists,
    ScheduleId,
    Terms,
    Timing,
)
from cloudcopy.http.callers import App, Compatible, needs
from cloudcopy.http.errors import shaped
from cloudcopy.http.services import Services
from cloudcopy.http.v0 import bodies, copies, frequencies
from cloudcopy.http.v0.frequencies import ENDPOINT, METHOD, identity_of, row
from cloudcopy.wire.v0 import Refusal, Success
from cloudcopy.wire.v0_scheduled_jobs import (
    JobExists,
    ScheduledJob,
    ScheduledJobChange,
    ScheduledJobMade,
    ScheduledJobRequest,
)

router = APIRouter(prefix="/api/v0", tags=["Scheduled jobs"])

_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Refusal, "description": "Nothing was changed; `msg` says why."},
    401: {"model": Refusal},
}
_KNOWN: Final[dict[int | str, dict[str, Any]]] = {**_REFUSED, 404: {"model": Refusal}}
_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    422: {"model": JobExists, "description": "There is such a job; change that one."}
}


@router.post(
    "/commands/schedule_job/",
    summary="schedule a cloud copy",
    response_model=ScheduledJobMade,
    responses={**_REFUSED, **_TAKEN},
    openapi_extra=bodies.documented(ScheduledJobRequest),
)
@needs("instance_write", "api.instance.copy")
async def create(request: Request, caller: Compatible, app: App) -> Any:
    """Copy again and again. Slots of the past are never run, wherever `start_time` lies."""
    body = await bodies.read(request)
    _served(body)
    order = await copies.order(_copy(body), caller, app)
    _agree(body, order.instance)
    identity = identity_of(caller.account, order)
    cron = frequencies.cron(body, identity)
    timing = Timing(
        cron=cron, start_at=frequencies.moment(body, "start_time"),
        end_at=frequencies.moment(body, "end_time"),
    )  # fmt: skip
    wish = schedules.Wish(order=order, timing=timing, terms=Terms(), identity=identity)
    try:
        made = await schedules.create(wish, caller=caller, desk=app.schedules)
    except ScheduleExists as error:
        return _exists(request, error)
    except NotFound as error:
        raise copies.misnamed(error) from None
    except Invalid as error:
        raise frequencies.respelled(error) from None
    return ScheduledJobMade(
        success=True, scheduled_job_id=made.id, msg=f"Scheduled job {made.id} created."
    )


@router.get(
    "/commands/schedule_job/",
    summary="show scheduled jobs",
    responses={401: {"model": Refusal}},
)
@needs("instance_read", "api.schedule.show")
async def every(caller: Compatible, app: App) -> list[ScheduledJob]:
    """All schedules of the account: a bare list, newest first, never with a key."""
    found = await schedules.every(caller=caller, desk=app.schedules)
    return [row(each.seen.schedule) for each in found]


@router.put(
    "/commands/schedule_job/{job_id}/",
    summary="change a scheduled job",
    response_model=ScheduledJobMade,
    responses={**_KNOWN, **_TAKEN},
    openapi_extra=bodies.documented(ScheduledJobChange),
)
@needs("instance_write", "api.schedule.change")
async def change(job_id: str, request: Request, caller: Compatible, app: App) -> Any:
    """Change what is given; what is absent stays as it is. One that has paused itself goes on."""
    id = _id(job_id)
    body = await bodies.read(request)
    _served(body, partial=True)
    order = None
    if body.get("request_body") is not None:
        order = await copies.order(_copy(body), caller, app)

    def edit(was: Schedule) -> Schedule:
        now = order or was.order
        _agree(body, now.instance)
        if order is not None:  # what the clients cannot say stays
            now = replace(now, verify=was.order.verify)
        identity = identity_of(caller.account, now)
        timing = frequencies.retimed(was, body, identity)
        kept = was.identity if was.identity is None else identity
        wanted = replace(was, order=now, timing=timing, identity=kept)
        if was.paused is Pause.FAILURES:  # this API has no other way to let it go on
            wanted = replace(wanted, paused=None, paused_why="")
        return wanted

    try:
        await _changed(id, edit, caller, app)
    except ScheduleExists as error:
        return _exists(request, error)
    return ScheduledJobMade(success=True, scheduled_job_id=id, msg=f"Scheduled job {id} changed.")


async def _changed(
    id: ScheduleId, edit: Callable[[Schedule], Schedule], caller: Caller, app: Services
) -> None:
    try:
        await schedules.change(id, edit, caller=caller, desk=app.schedules)
    except NotFound as error:
        raise error if error.code == "no_such_schedule" else copies.misnamed(error) from None
    except Invalid as error:
        raise frequencies.respelled(error) from None


@router.delete(
    "/commands/schedule_job/{job_id}/", summary="delete a scheduled job", responses=_KNOWN
)
@needs("instance_write", "api.schedule.change")
async def remove(job_id: str, caller: Compatible, app: App) -> Success:
    """Forget it. A copy that it has started goes on."""
    id = _id(job_id)
    await schedules.remove(id, caller=caller, desk=app.schedules)
    return Success(success=True, msg=f"Scheduled job {id} deleted.")


def _id(text: str) -> ScheduleId:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_ID):
        raise NotFound("schedule", text[:40])
    return ScheduleId(int(text))


def _served(body: dict[str, Any], *, partial: bool = False) -> None:
    """Raises Invalid: it asks for something else than a cloud copy."""
    for field, served in (("api_endpoint", ENDPOINT), ("request_method", METHOD)):
        if partial and body.get(field) is None:
            continue
        said = bodies.text(body, field)
        if said.strip("/").lower() != served.strip("/").lower():
            raise Invalid(
                field,
                f"{said[:60]!r} cannot be scheduled here",
                code="not_schedulable",
                next=(f"Only cloud copies can: {METHOD} {ENDPOINT}.",),
            )


def _copy(body: dict[str, Any]) -> dict[str, Any]:
    found = body.get("request_body")
    if found is None:
        raise Invalid("request_body", "is missing", code="missing_request_body")
    if not isinstance(found, dict):
        raise Invalid("request_body", "must be an object", code="bad_request_body")
    return found


def _agree(body: dict[str, Any], instance: int) -> None:
    if body.get("instance_id") is None:
        return
    said = bodies.id_(body, "instance_id", code="no_such_instance")
    if said != instance:
        raise Invalid(
            "instance_id",
            f"{said} is not the instance of the copy, which is {instance}",
            code="instances_differ",
        )


def _exists(request: Request, error: ScheduleExists) -> JSONResponse:
    said, _ = shaped(request.url.path, 422, error.code, str(error), next=error.next)
    return JSONResponse({**said, "scheduled_job_id": error.schedule}, status_code=422)
