"""HOURLY, DAILY and WEEKLY of the compatible API, as cron lines in UTC and back.

The minute is the server's choice: always the same for one job, and spread over many.
"""

import hashlib
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.order import Direction, Order
from cloudcopy.domain.schedule import LAST_MOMENT, Schedule, Timing, spread_minute
from cloudcopy.http.v0.rows import FOREVER
from cloudcopy.wire.v0_scheduled_jobs import ScheduledJob

ENDPOINT: Final = "/api/v0/commands/rclone/"
METHOD: Final = "POST"
OTHER: Final = "CRON"  # a native schedule that none of the three words fits
_FORM: Final = re.compile(r"(\d+) (\*|\d+) \* \* (\*|[0-6])", re.ASCII)
_TRANSFERS: Final = {
    Direction.TO_CLOUD: "Instance To Cloud",
    Direction.TO_INSTANCE: "Cloud To Instance",
}
_NEEDS: Final = {
    "HOURLY": (False, False),
    "DAILY": (False, True),
    "WEEKLY": (True, True),
}  # a day, an hour
_NAMES: Final = {"cron": "frequency", "start_at": "start_time", "end_at": "end_time"}


def cron(body: dict[str, Any], identity: str) -> str:
    """The cron line of `frequency`, `day_of_the_week` and `hour_of_the_day`.

    Raises:
        Invalid: one is missing, out of its range, or not what the frequency needs.
    """
    said = body.get("frequency")
    if said is None:
        raise Invalid("frequency", "is missing", code="missing_frequency")
    needs = _NEEDS.get(said.upper()) if isinstance(said, str) else None
    if needs is None:
        raise Invalid(
            "frequency",
            f"{str(said)[:40]!r} must be HOURLY, DAILY or WEEKLY",
            code="bad_frequency",
        )
    day = _number(body, "day_of_the_week", 6, needed=needs[0], frequency=said)
    hour = _number(body, "hour_of_the_day", 23, needed=needs[1], frequency=said)
    return f"{spread_minute(identity)} {hour} * * {day}"


def _number(body: dict[str, Any], field: str, most: int, *, needed: bool, frequency: str) -> str:
    """The number as a field of a cron line; ``*`` where there is none."""
    value = body.get(field)
    if value is None or value == "*":
        if needed:
            raise Invalid(field, f"is missing, and {frequency} needs it", code=f"missing_{field}")
        return "*"
    written = "" if isinstance(value, bool) else str(value)[:8].removesuffix(".0")
    if not (written.isascii() and written.isdigit() and int(written) <= most):
        first = ", where 0 is Sunday" if most == 6 else ", in UTC"
        raise Invalid(field, f"{str(value)[:40]!r} must be 0 to {most}{first}", code=f"bad_{field}")
    if not needed:
        raise Invalid(field, f"must be null for {frequency}", code=f"bad_{field}")
    return str(int(written))


def moment(body: dict[str, Any], field: str) -> datetime | None:
    """Unix time; absent or null is None.

    Raises:
        Invalid: it is no number, or lies before 1970 or after 2100.
    """
    value = body.get(field)
    if value is None:
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < LAST_MOMENT:
        raise Invalid(
            field,
            f"{str(value)[:40]!r} must be the seconds since 1970, before the year 2101",
            code=f"bad_{field}",
        )
    return datetime.fromtimestamp(seconds, UTC)


def retimed(schedule: Schedule, body: dict[str, Any], identity: str) -> Timing:
    """Its timing with what the body gives. With a new frequency, an hour that it needs stays.

    Raises:
        Invalid: as `cron` and `moment` do.
    """
    was = schedule.timing
    changes: dict[str, Any] = {}
    for field, name in (("start_time", "start_at"), ("end_time", "end_at")):
        if body.get(field) is not None:
            changes[name] = moment(body, field)
    frequency, day, hour, _ = _shape(was)
    if any(body.get(f) is not None for f in ("frequency", "day_of_the_week", "hour_of_the_day")):
        said = body.get("frequency") or frequency
        needs = _NEEDS.get(said.upper(), (True, True)) if isinstance(said, str) else (True, True)
        kept = {
            "frequency": frequency,
            **({"day_of_the_week": day} if needs[0] else {}),
            **({"hour_of_the_day": hour} if needs[1] else {}),
        }
        given = {name: value for name, value in body.items() if value is not None}
        changes |= {"cron": cron(kept | given, identity), "zone": "UTC"}
    elif frequency != OTHER and schedule.identity is not None:  # the minute is the copy's
        shape = {"frequency": frequency, "day_of_the_week": day, "hour_of_the_day": hour}
        changes["cron"] = cron(shape, identity)
    return replace(was, **changes)


def identity_of(account: AccountId, order: Order) -> str:
    """Equal for two jobs of one owner that make the same copy, whatever its flags and times."""
    parts = [
        int(account),
        int(order.instance),
        ENDPOINT,
        order.local.value,
        order.remote.value,
        int(order.connection),
        order.direction.value,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def row(schedule: Schedule) -> ScheduledJob:
    """A schedule as the compatible API shows it. Its clients need numbers for both times."""
    frequency, day, hour, minute = _shape(schedule.timing)
    start, end = schedule.timing.start_at, schedule.timing.end_at
    return ScheduledJob(
        id=schedule.id,
        instance_id=schedule.order.instance,
        api_endpoint=ENDPOINT,
        request_method=METHOD,
        request_body=body_of(schedule.order),
        start_time=(start or schedule.created_at).timestamp(),
        end_time=end.timestamp() if end else FOREVER,
        frequency=frequency,
        day_of_the_week=day,
        hour_of_the_day=hour,
        min_of_the_hour=minute,
        paused=schedule.paused is not None,
    )


def body_of(order: Order) -> dict[str, Any]:
    """The copy's body, as its clients write it."""
    upload = order.direction is Direction.TO_CLOUD
    here, there = str(order.local), str(order.remote)
    return {
        "instance_id": str(order.instance),
        "src": here if upload else there,
        "dst": there if upload else here,
        "selected": str(order.connection),
        "transfer": _TRANSFERS[order.direction],
        "flags": list(order.flags.words()),
    }


def _shape(timing: Timing) -> tuple[str, int | None, int | None, int | None]:
    """The frequency, day, hour and minute; of a cron line of another shape, nothing."""
    match = _FORM.fullmatch(timing.cron) if timing.zone == "UTC" else None
    if match is None or (match[2] == "*" and match[3] != "*"):
        return OTHER, None, None, None
    day = None if match[3] == "*" else int(match[3])
    hour = None if match[2] == "*" else int(match[2])
    frequency = "HOURLY" if hour is None else "DAILY" if day is None else "WEEKLY"
    return frequency, day, hour, int(match[1])


def respelled(error: Invalid) -> Invalid:
    """The same, with the field in this API's spelling."""
    field = _NAMES.get(error.field, error.field)
    problem = str(error).removeprefix(f"{error.field}: ")
    return Invalid(field, problem, code=error.code, next=error.next)
