"""What a monitoring system may watch, in Prometheus' text format.

Each key sees its own account's series and no other's.
"""

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from cloudcopy.control import schedules
from cloudcopy.control.schedules import Standing
from cloudcopy.domain.schedule import Pause
from cloudcopy.http.callers import App, Native, needs
from cloudcopy.http.examples import METRICS
from cloudcopy.http.v1.transfers import PROBLEMS

router = APIRouter(tags=["Server"])


@router.get(
    "/metrics",
    summary="metrics for Prometheus",
    response_class=Response,
    responses=PROBLEMS
    | {
        200: {
            "content": {METRICS: {"schema": {"type": "string"}}},
            "description": "Prometheus' text format.",
        }
    },
)
@needs("instance_read", "api.schedule.show")
async def metrics(caller: Native, app: App) -> Response:
    """The account's schedules: when each last succeeded, and whether that is too long ago."""
    registry = CollectorRegistry()
    _schedules(registry, await schedules.every(caller=caller, desk=app.schedules))
    return Response(generate_latest(registry), media_type=METRICS)


def _schedules(registry: CollectorRegistry, found: Sequence[Standing]) -> None:
    def gauge(name: str, words: str) -> Gauge:
        return Gauge(f"cloudcopy_schedule_{name}", words, ["schedule"], registry=registry)

    success = gauge("last_success_timestamp_seconds", "When the last good run ended, Unix time.")
    next_slot = gauge("next_slot_timestamp_seconds", "The next slot, Unix time.")
    overdue = gauge("overdue", "1 when two slots have come since the last success.")
    paused = gauge("paused", "1 when it is paused.")
    failing = gauge("paused_by_failures", "1 when it has paused itself.")
    for each in found:
        schedule = each.seen.schedule
        id = str(schedule.id)
        if each.seen.last_success is not None:
            success.labels(id).set(each.seen.last_success.timestamp())
        if schedule.next_at is not None:
            next_slot.labels(id).set(schedule.next_at.timestamp())
        overdue.labels(id).set(each.overdue)
        paused.labels(id).set(schedule.paused is not None)
        failing.labels(id).set(schedule.paused is Pause.FAILURES)
