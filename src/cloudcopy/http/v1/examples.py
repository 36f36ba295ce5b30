"""Examples for the served document. A test holds each against the model it is an example of."""

import json
from typing import Any, Final

from fastapi.openapi.models import Example

from cloudcopy.http.v0.examples import PUBLIC_KEY

_SIDES: Final[dict[str, Any]] = {
    "instance": "box",
    "connection": "lab",
    "direction": "instance_to_cloud",
    "src": "/workspace/runs",
    "dst": "my-bucket/runs",
}


def _named(**values: tuple[str, dict[str, Any]]) -> dict[str, Example]:
    return {
        name: Example(summary=summary, value=value) for name, (summary, value) in values.items()
    }


_BETWEEN: Final[dict[str, Any]] = {
    "instance": "other-box",
    "source_instance": "box",
    "src": "/workspace/runs",
    "dst": "/workspace/runs",
}


NEW_TRANSFER: Final = _named(
    upload=("From an instance to the cloud", _SIDES),
    download=(
        "To an instance, compared by checksum, slower by day",
        {
            "instance": 101,
            "connection": 1001,
            "direction": "cloud_to_instance",
            "src": "my-bucket/data",
            "dst": "/workspace/data",
            "flags": ["--exclude", "*.tmp"],
            "compare": "checksum",
            "verify": "hash",
            "bwlimit": "08:00,10M 18:00,off [Europe/Berlin]",
        },
    ),
    between=("From an instance to another", _BETWEEN),
)
NEW_PLAN: Final = _named(
    copy=("What a copy would do", _SIDES),
    mirror=("What a mirror would do, deletions too", {**_SIDES, "mode": "mirror"}),
    between=("From an instance to another", _BETWEEN),
)
NEW_CHECK: Final = _named(
    checksum=("By checksum", _SIDES),
    size=("By size", {**_SIDES, "compare": "size"}),
    between=("Two instances", _BETWEEN),
)
APPLY: Final = _named(
    plain=("As planned", {}),
    deleting=("With many deletions, confirmed by their number", {"confirm_deletions": 1234}),
)
RETRY: Final = _named(
    all=("Everything once more", {"only": "all"}),
    failed=("The files that failed", {"only": "failed"}),
)
CHANGE: Final = _named(
    rate=("10 MiB per second", {"bwlimit": "10M"}),
    off=("No limit", {"bwlimit": "off"}),
    timetable=("Slower by day", {"bwlimit": "08:00,1M 18:00,off [Europe/Berlin]"}),
)

NEW_INSTANCE: Final = _named(
    script=(
        "With a script",
        {
            "offer": 10000001,
            "label": "trainer",
            "onstart": "echo ready",
            "env": {"SEED": "1"},
        },
    ),
    stopped=("A directory to copy into", {"offer": 10000001, "state": "stopped"}),
)
INSTANCE_CHANGE: Final = _named(label=("Another label", {"label": "trainer-2"}))
ASK_LOGS: Final = _named(
    end=("The last 100 lines", {"tail": 100}),
    filtered=("Lines that hold a text", {"filter": "loss"}),
)
ASK_EXECUTE: Final = _named(list=("List files", {"command": "ls -l workspace"}))
NEW_SSH_KEY: Final = _named(
    key=("A public key", {"public_key": f"{PUBLIC_KEY} me@here"}),
)

TRANSFER: Final[dict[str, Any]] = {
    "id": "t_01K6ZB3N5R8T2V4X6Y8Z0A1B2C",
    "work": "transfer",
    "mode": "copy",
    "state": "running",
    "phase": "transferring",
    "instance": 101,
    "instance_label": "box",
    "connection": 1001,
    "connection_name": "lab",
    "cloud_type": "s3",
    "source_instance": None,
    "direction": "instance_to_cloud",
    "src": "/workspace/runs",
    "dst": "my-bucket/runs",
    "flags": [],
    "compare": "mtime",
    "verify": "hash",
    "scope": "all",
    "bwlimit": "",
    "plan": None,
    "attempt": 1,
    "created_at": "2026-01-15T10:00:00Z",
    "started_at": "2026-01-15T10:00:01Z",
    "ended_at": None,
    "reason": "",
    "ahead": None,
    "machine_silent": False,
    "progress": {
        "phase": "transferring",
        "found": 812,
        "to_copy": 800,
        "copied": 310,
        "skipped": 12,
        "failed": 0,
        "deleted": 0,
        "retried": 1,
        "verified": 0,
        "bytes_found": 3221225472,
        "bytes_to_copy": 3113851289,
        "bytes_copied": 1288490188,
        "bytes_verified": 0,
        "percent": 41,
        "rate": 104857600.0,
        "eta_seconds": 17,
        "current": [{"name": "run-7/model.bin", "bytes": 73400320, "size": 419430400}],
        "limited_by": "the network or the store (100.0 MiB/s)",
    },
    "result": None,
}
_WAITING: Final = {**TRANSFER, "state": "queued", "phase": "queued"} | {
    "started_at": None,
    "progress": None,
    "ahead": 3,
}
PLAN: Final = {**_WAITING, "work": "plan", "mode": "mirror"}
CHECK: Final = {**_WAITING, "work": "check", "compare": "checksum"}
APPLIED: Final = {**_WAITING, "mode": "mirror", "plan": "t_01K6ZB0QWERTYV4X6Y8Z0A1B2C"}

_QUEUED: Final = {
    "number": 1,
    "at": "2026-01-15T10:00:00Z",
    "state": "queued",
    "attempt": 1,
    "reason": "",
}
EVENTS: Final = (
    f"event: state\nid: 1\ndata: {json.dumps(_QUEUED)}\n\n"
    f"event: progress\ndata: {json.dumps(TRANSFER['progress'])}\n\n"
    ": still here\n\n"
)
