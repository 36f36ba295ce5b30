"""An example of every body in the served document: by the name of its model, or by its route
where it has none. A test holds each against its schema.
"""

from collections.abc import Mapping
from typing import Any, Final

from cloudcopy.http.v0 import examples as compatible
from cloudcopy.http.v1.examples import EVENTS, TRANSFER
from cloudcopy.http.v1.schedule_examples import SCHEDULE

_CONNECTION: Final = {
    "id": 1001,
    "name": "lab",
    "cloud_type": "s3",
    "bucket": None,
    "parameters": {"region": "eu-central-1"},
    "created_at": "2026-01-15T09:00:00Z",
}
_INSTANCE: Final = {
    "id": 101,
    "label": "box",
    "machine": 1,
    "machine_name": "gpu-1",
    "root": "/srv/box",
    "actual_status": "running",
    "status_msg": "Cloud Copy Operation Finished",
    "connected": True,
    "created": False,
    "intended_status": None,
    "image": "",
}
_OFFER: Final = {
    "id": 10000001,
    "machine": 1,
    "machine_name": "gpu-1",
    "runtime": "process",
    "gpu_name": "RTX 4090",
    "num_gpus": 2,
    "gpu_ram_mb": 24564,
    "cpu_cores": 8,
    "cpu_ram_mb": 64000,
    "disk_gb": 500.0,
}
_SSH_KEY: Final = {
    "id": 3,
    "public_key": compatible.PUBLIC_KEY,
    "created_at": "2026-01-15T09:00:00Z",
}
_ACCOUNT: Final = {"id": 2, "name": "lab", "operator": False}
_MACHINE: Final = {
    "id": 1,
    "account": 1,
    "name": "gpu-1",
    "connected": True,
    "created_at": "2026-01-15T09:00:00Z",
    "seen_at": "2026-01-15T10:00:00Z",
}
_KEY: Final = {
    "id": "Ab3dEf6hIj9k",
    "number": 7,
    "name": "ci",
    "permissions": {"api": {"instance_read": {}, "instance_write": {}}},
    "created_at": "2026-01-15T09:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": "2026-01-15T10:00:00Z",
    "requests_per_second": None,
    "burst": None,
    "made_with": "Zy9xWv8uTs7r",
}
_FILE: Final = {
    "path": "run-7/model.bin",
    "outcome": "copied",
    "size": 419430400,
    "code": "",
    "why": "",
    "hash": "md5:9e107d9d372bb6826bd81d3542a419d6",
    "verified": "hash",
}
_RECEIPT: Final = {
    "format": "cloudcopy receipt",
    "version": 1,
    "transfer": "t_01K6ZB3N5R8T2V4X6Y8Z0A1B2C",
    "attempt": 1,
    "state": "succeeded",
    "reason": "",
    "order": {
        "work": "transfer",
        "mode": "copy",
        "direction": "instance_to_cloud",
        "instance": 101,
        "instance_label": "box",
        "connection": 1001,
        "connection_name": "lab",
        "cloud_type": "s3",
        "src": "/workspace/runs",
        "dst": "my-bucket/runs",
        "flags": [],
        "compare": "mtime",
        "verify": "hash",
        "scope": "all",
        "plan": None,
    },
    "counters": {
        "found": 812,
        "copied": 800,
        "unchanged": 12,
        "kept": 0,
        "skipped": {},
        "failed": 0,
        "deleted": 0,
        "retried": 1,
        "changed": 0,
        "bytes_found": 3221225472,
        "bytes_copied": 3113851289,
        "bytes_verified": 3221225472,
    },
    "times": {
        "created_at": "2026-01-15T10:00:00Z",
        "started_at": "2026-01-15T10:00:01Z",
        "ended_at": "2026-01-15T10:00:31Z",
    },
    "verification": {
        "level": "hash",
        "hash": "md5",
        "by_hash": 812,
        "by_size_only": 0,
        "recheck": {"files": 812, "hashed": 812, "why_not": ""},
    },
    "merkle": {
        "algorithm": "rfc6962-sha256",
        "root": "f3c1a1b1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d",
        "leaves": 812,
    },
    "key": "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8=",
    "signature": "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu"
    "/erb7v3q2+7w==",
}
_RESULT_URL: Final = (
    "http://127.0.0.1:8420/api/v0/instances/results/01K6ZB3N5R8T2V4X6Y8Z0A1B2C.9f86/"
)
_JOB: Final = {
    "id": 5,
    "instance_id": 101,
    "api_endpoint": "/api/v0/commands/rclone/",
    "request_method": "POST",
    "request_body": {
        "instance_id": "101",
        "src": "/workspace/checkpoints",
        "dst": "my-bucket/run-1",
        "selected": "1001",
        "transfer": "Instance To Cloud",
        "flags": [],
    },
    "start_time": 1790000000.0,
    "end_time": 4102444800.0,
    "frequency": "DAILY",
    "day_of_the_week": None,
    "hour_of_the_day": 3,
    "min_of_the_hour": 17,
    "paused": False,
}
JOB_EXISTS: Final = {
    "success": False,
    "error": "schedule_exists",
    "msg": "Schedule 5 makes the same copy already. Change schedule 5, or delete it first.",
    "scheduled_job_id": 5,
}

BY_MODEL: Final[Mapping[str, Any]] = {
    "Approval": {
        "plan": "t_01K6ZB0QWERTYV4X6Y8Z0A1B2C",
        "deletions": 12,
        "approval": "cca_1768474800_5fK2aPq9LmZx_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
        "expires_at": "2026-01-15T11:00:00Z",
    },
    "CloudCopyStarted": {
        "success": True,
        "msg": "Cloud copy started.",
        "result_url": "http://127.0.0.1:8420/api/v0/results/t_01K6ZB3N5R8T2V4X6Y8Z0A1B2C.9f86/",
    },
    "CloudIntegration": {"id": 1001, "name": "lab", "cloud_type": "s3"},
    "ConnectionPage": {"data": [_CONNECTION], "next_cursor": None},
    "ConnectionTest": {"ok": True, "detail": "The store answered and lists its content."},
    "ConnectionView": _CONNECTION,
    "AccountPage": {"data": [_ACCOUNT], "next_cursor": None},
    "AnswerView": {"id": "01K6ZB3N5R8T2V4X6Y8Z0A1B2C", "instance": 102, "text": "epoch 1\n"},
    "Asked": {"success": True, "msg": "The log was asked for.", "result_url": _RESULT_URL},
    "Contract": {
        "success": True,
        "new_contract": 102,
        "msg": "Instance 102 is being created; 1 SSH key was placed in it.",
    },
    "CreatedAccount": {**_ACCOUNT, "key_id": "Ab3dEf6hIj9k", "key": "cck_Ab3dEf6hIj9k_..."},
    "cloudcopy__wire__v0__CreatedKey": {
        "id": 7,
        "key": "cck_Ab3dEf6hIj9k_...",
        "permissions": {"api": {"instance_read": {}}},
    },
    "cloudcopy__wire__v1__keys__CreatedKey": {**_KEY, "key": "cck_Ab3dEf6hIj9k_..."},
    "Executing": {
        "success": True,
        "msg": "The command was sent.",
        "result_url": _RESULT_URL,
        "writeable_path": "",
    },
    "NewAccount": {"name": "lab"},
    "OfferPage": {"data": [_OFFER], "next_cursor": None},
    "SchedulePage": {"data": [SCHEDULE | {"next_runs": [], "runs": []}], "next_cursor": None},
    "ScheduledJob": _JOB,
    "ScheduledJobMade": {
        "success": True,
        "scheduled_job_id": 5,
        "msg": "Scheduled job 5 created.",
    },
    "SshKeyPage": {"data": [_SSH_KEY], "next_cursor": None},
    "SshKeyView": _SSH_KEY,
    "Enrol": {
        "token": "ccj_...",
        "name": "gpu-1",
        "public_key": "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8=",
    },
    "Enrolled": {"machine": 1},
    "FileView": _FILE,
    "GivenUp": {"ended": 2},
    "InstancePage": {"data": [_INSTANCE], "next_cursor": None},
    "InstanceView": _INSTANCE,
    "Invite": {"account": 1},
    "JoinToken": {"token": "ccj_...", "expires_at": "2026-01-15T10:30:00Z"},
    "KeyPage": {"data": [_KEY], "next_cursor": None},
    "MachinePage": {"data": [_MACHINE], "next_cursor": None},
    "MachineView": _MACHINE,
    "NewConnection": {
        "name": "archive",
        "cloud_type": "s3",
        "parameters": {
            "region": "eu-central-1",
            "access_key_id": "AKIA...",
            "secret_access_key": "...",
        },
    },
    "NewKey": {"name": "ci"},
    "Receipt": _RECEIPT,
    "ReceiptKey": {"public_key": "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8="},
    "Success": {"success": True, "msg": "1 copy is being stopped."},
    "TransferPage": {"data": [TRANSFER], "next_cursor": "t_01K6ZB3N5R8T2V4X6Y8Z0A1B2C"},
    "TransferView": TRANSFER,
}

METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_METRICS: Final = (
    "# HELP cloudcopy_schedule_overdue 1 when two slots have come since the last success.\n"
    "# TYPE cloudcopy_schedule_overdue gauge\n"
    'cloudcopy_schedule_overdue{schedule="5"} 0.0\n'
)
_CSV: Final = "path,outcome,size,code,why,hash,verified\r\na.txt,copied,6,,,md5:b1946ac9,hash\r\n"
_LOG: Final = "2026/01/15 10:00:02 INFO  : run-7/model.bin: Copied (new)\n"

BY_ROUTE: Final[Mapping[str, Mapping[str, Any]]] = {
    "GET /llms.txt": {
        "text/plain": "# cloudcopy\n\n## Documents\n\n- [Flags](http://127.0.0.1:8420/docs/flags.md)\n"
    },
    "GET /docs/{name}": {
        "text/markdown": "# Commands\n\n`cloudcopy COMMAND --help` has every option.\n"
    },
    **compatible.BY_ROUTE,
    "GET /metrics": {METRICS: _METRICS},
    "GET /v1/flags": {"application/json": {"--exclude": "a pattern", "--dry-run": "nothing"}},
    "GET /v1/health": {"application/json": {"status": "ok"}},
    "GET /v1/transfers/{transfer_id}/events": {"text/event-stream": EVENTS},
    "GET /v1/transfers/{transfer_id}/log": {"text/plain": _LOG},
    **{
        f"GET /v1/{kind}s/{{{kind}_id}}/files": {"application/x-ndjson": _FILE, "text/csv": _CSV}
        for kind in ("transfer", "plan", "check")
    },
}
