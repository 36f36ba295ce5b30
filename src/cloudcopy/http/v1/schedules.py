"""Schedules in the native API."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from cloudcopy.control import schedules
from cloudcopy.control.schedules import Standing
from cloudcopy.domain.compare import level_of
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.order import Direction, Verify
from cloudcopy.domain.schedule import CatchUp, Overlap, Schedule, ScheduleId, Terms, Timing
from cloudcopy.http.callers import App, Id, Native, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v1 import orders, schedule_examples
from cloudcopy.http.v1.transfers import PROBLEMS, shows
from cloudcopy.ports.schedules import RunSeen
from cloudcopy.wire import v1

router = APIRouter(prefix="/v1/schedules", tags=["Schedules"])


@router.post(
    "",
    summary="create a schedule",
    status_code=201,
    responses=shows(201, schedule_examples.SCHEDULE),
)
@needs("instance_write", "api.instance.copy")
async def create(
    body: Annotated[v1.NewSchedule, Body(openapi_examples=schedule_examples.NEW)],
    caller: Native,
    app: App,
    response: Response,
) -> v1.ScheduleView:
    """Copy again and again, at the times of a cron line. Slots of the past are not run."""
    wish = schedules.Wish(
        order=await orders.schedule(body, caller=caller, app=app),
        bwlimit=body.bwlimit,
        timing=Timing(
            cron=body.cron,
            zone=body.zone,
            start_at=body.start_at,
            end_at=body.end_at,
            jitter_seconds=body.jitter_seconds,
        ),
        terms=Terms(
            overlap=Overlap(body.overlap),
            catch_up=CatchUp(body.catch_up),
            pause_after=body.pause_after,
        ),
    )
    made = await schedules.create(wish, caller=caller, desk=app.schedules)
    response.headers["Location"] = f"/v1/schedules/{made.id}"
    return await _shown(made.id, caller, app)


@router.get("", summary="list schedules", responses=PROBLEMS)
@needs("instance_read", "api.schedule.show")
async def every(caller: Native, app: App) -> v1.SchedulePage:
    """All schedules of the account, newest first."""
    found = await schedules.every(caller=caller, desk=app.schedules)
    return v1.SchedulePage(data=[_view(each) for each in found])


@router.get(
    "/{schedule_id}", summary="show a schedule", responses=shows(200, schedule_examples.SCHEDULE)
)
@needs("instance_read", "api.schedule.show")
async def one(schedule_id: Id, caller: Native, app: App) -> v1.ScheduleView:
    """One schedule with its next five slots and its last thirty runs."""
    return await _shown(ScheduleId(schedule_id), caller, app)


@router.patch(
    "/{schedule_id}", summary="change a schedule", responses=shows(200, schedule_examples.SCHEDULE)
)
@needs("instance_write", "api.schedule.change")
async def change(
    schedule_id: Id,
    body: Annotated[v1.ChangeSchedule, Body(openapi_examples=schedule_examples.CHANGE)],
    caller: Native,
    app: App,
) -> v1.ScheduleView:
    """Change when it runs and on which terms. Another copy is another schedule."""
    id = ScheduleId(schedule_id)
    await schedules.change(id, lambda was: _edited(was, body), caller=caller, desk=app.schedules)
    return await _shown(id, caller, app)


def _edited(was: Schedule, body: v1.ChangeSchedule) -> Schedule:
    given = body.model_dump(exclude_unset=True)
    ends = {name: given.pop(name) for name in ("start_at", "end_at") if name in given}
    new = {name: value for name, value in given.items() if value is not None}
    timing = {name: new[name] for name in ("cron", "zone", "jitter_seconds") if name in new}
    terms: dict[str, Any] = {
        name: kind(new[name])
        for name, kind in (("overlap", Overlap), ("catch_up", CatchUp), ("pause_after", int))
        if name in new
    }
    verify = Verify(new.get("verify", was.order.verify))
    return replace(
        was,
        order=replace(was.order, verify=verify),
        bwlimit=new.get("bwlimit", was.bwlimit),
        timing=replace(was.timing, **timing, **ends),
        terms=replace(was.terms, **terms),
    )


@router.post(
    "/{schedule_id}/pause",
    summary="pause a schedule",
    responses=shows(200, schedule_examples.SCHEDULE),
)
@needs("instance_write", "api.schedule.change")
async def pause(schedule_id: Id, caller: Native, app: App) -> v1.ScheduleView:
    """Run no slot until it is resumed. A transfer that runs goes on."""
    id = ScheduleId(schedule_id)
    await schedules.pause(id, caller=caller, desk=app.schedules)
    return await _shown(id, caller, app)


@router.post(
    "/{schedule_id}/resume",
    summary="resume a schedule",
    responses=shows(200, schedule_examples.SCHEDULE),
)
@needs("instance_write", "api.schedule.change")
async def resume(schedule_id: Id, caller: Native, app: App) -> v1.ScheduleView:
    """Go on with the next slot. Its failures are forgotten; it runs with your key from now on."""
    id = ScheduleId(schedule_id)
    await schedules.resume(id, caller=caller, desk=app.schedules)
    return await _shown(id, caller, app)


@router.post(
    "/{schedule_id}/run",
    summary="run a schedule now",
    status_code=202,
    responses=shows(202, schedule_examples.RUN),
)
@needs("instance_write", "api.instance.copy")
async def run(schedule_id: Id, caller: Native, app: App) -> v1.RunView:
    """Run it once, now, also while it is paused. Its slots stay as they are."""
    id = ScheduleId(schedule_id)
    return _run(await schedules.run_now(id, caller=caller, desk=app.schedules))


@router.delete("/{schedule_id}", summary="delete a schedule", status_code=204, responses=PROBLEMS)
@needs("instance_write", "api.schedule.change")
async def remove(schedule_id: Id, caller: Native, app: App) -> None:
    """Forget it and its history. Transfers that it made stay, and go on."""
    await schedules.remove(ScheduleId(schedule_id), caller=caller, desk=app.schedules)


async def _shown(id: ScheduleId, caller: Caller, app: Services) -> v1.ScheduleView:
    found = await schedules.one(id, caller=caller, desk=app.schedules)
    runs = await schedules.history(id, caller=caller, desk=app.schedules)
    return _view(found).model_copy(
        update={"next_runs": [*found.coming], "runs": [_run(each) for each in runs]}
    )


def _view(standing: Standing) -> v1.ScheduleView:
    seen = standing.seen
    each, order = seen.schedule, seen.schedule.order
    sides = (str(order.local), str(order.remote))
    src, dst = sides if order.direction is Direction.TO_CLOUD else sides[::-1]
    return v1.ScheduleView.model_validate(
        {
            "id": each.id,
            "state": each.state,
            "instance": order.instance,
            "instance_label": seen.instance_label,
            "connection": order.connection,
            "connection_name": seen.connection_name,
            "cloud_type": seen.cloud_type,
            "direction": order.direction,
            "src": src,
            "dst": dst,
            "flags": order.flags.words(),
            "compare": level_of(order.flags),
            "verify": order.verify,
            "bwlimit": each.bwlimit,
            "cron": each.timing.cron,
            "zone": each.timing.zone,
            "start_at": each.timing.start_at,
            "end_at": each.timing.end_at,
            "overlap": each.terms.overlap,
            "catch_up": each.terms.catch_up,
            "jitter_seconds": each.timing.jitter_seconds,
            "pause_after": each.terms.pause_after,
            "created_at": each.created_at,
            "paused_why": each.paused_why,
            "next_at": each.next_at,
            "last_success": seen.last_success,
            "overdue": standing.overdue,
        }
    )


def _run(seen: RunSeen) -> v1.RunView:
    each = seen.run
    return v1.RunView.model_validate(
        {
            "slot": each.slot,
            "manual": each.manual,
            "outcome": each.outcome,
            "reason": each.reason,
            "missed": each.missed,
            "at": each.at,
            "transfer": each.transfer,
            "state": seen.state,
            "ended_at": seen.ended_at,
            "failure": seen.failure or "",
        }
    )
