"""Examples of schedules for the served document, as in `examples`."""

from typing import Any, Final

from fastapi.openapi.models import Example

_SIDES: Final[dict[str, Any]] = {
    "instance": "box",
    "connection": "lab",
    "direction": "instance_to_cloud",
    "src": "/workspace/runs",
    "dst": "my-bucket/runs",
}
NEW: Final = {
    "nightly": Example(
        summary="Each night at 3 in Berlin",
        value={**_SIDES, "cron": "0 3 * * *", "zone": "Europe/Berlin"},
    ),
    "download": Example(
        summary="Every hour to an instance, caught up once after an outage",
        value={
            "instance": 101,
            "connection": 1001,
            "direction": "cloud_to_instance",
            "src": "my-bucket/data",
            "dst": "/workspace/data",
            "cron": "0 * * * *",
            "catch_up": "once",
            "overlap": "queue",
            "jitter_seconds": 300,
            "end_at": "2099-01-01T00:00:00Z",
        },
    ),
}
CHANGE: Final = {
    "time": Example(summary="Another time", value={"cron": "30 4 * * 1-5"}),
    "endless": Example(summary="Without an end", value={"end_at": None}),
}
RUN: Final[dict[str, Any]] = {
    "slot": "2026-01-15T02:00:00Z",
    "manual": False,
    "outcome": "accepted",
    "reason": "",
    "missed": 0,
    "at": "2026-01-15T02:00:00.021000Z",
    "transfer": "t_01K6ZB3N5R8T2V4X6Y8Z0A1B2C",
    "state": "succeeded",
    "ended_at": "2026-01-15T02:04:10Z",
    "failure": "",
}
SCHEDULE: Final[dict[str, Any]] = {
    "id": 5,
    "state": "active",
    "instance": 101,
    "instance_label": "box",
    "connection": 1001,
    "connection_name": "lab",
    "cloud_type": "s3",
    "direction": "instance_to_cloud",
    "src": "/workspace/runs",
    "dst": "my-bucket/runs",
    "flags": [],
    "compare": "mtime",
    "verify": "hash",
    "bwlimit": "",
    "cron": "0 3 * * *",
    "zone": "Europe/Berlin",
    "start_at": None,
    "end_at": None,
    "overlap": "skip",
    "catch_up": "none",
    "jitter_seconds": 0,
    "pause_after": 5,
    "created_at": "2026-01-14T10:00:00Z",
    "paused_why": "",
    "next_at": "2026-01-16T02:00:00Z",
    "last_success": "2026-01-15T02:04:10Z",
    "overdue": False,
    "next_runs": [f"2026-01-{day}T02:00:00Z" for day in range(16, 21)],
    "runs": [RUN],
}
