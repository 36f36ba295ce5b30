"""An example of every body in the served document: by the name of its model, or by its route
where it has none. A test holds each against its schema.
"""

from collections.abc import Mapping
from typing import Any, Final

from cloudcopy.http.v1.examples import EVENTS, TRANSFER

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
}
_MACHINE: Final = {
    "id": 1,
    "name": "gpu-1",
    "connected": True,
    "created_at": "2026-01-15T09:00:00Z",
    "seen_at": "2026-01-15T10:00:00Z",
}
_KEY: Final = {
    "id": "Ab3dEf6hIj9k",
    "name": "ci",
    "created_at": "2026-01-15T09:00:00Z",
    "revoked_at": None,
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

BY_MODEL: Final[Mapping[str, Any]] = {
    "Approval": {
        "plan": "t_01K6ZB0QWERTYV4X6Y8Z0A1B2C",
        "deletions": 12,
        "approval": "cca_1768474800_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
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
    "CreatedKey": {"id": "Ab3dEf6hIj9k", "name": "ci", "key": "cck_Ab3dEf6hIj9k_..."},
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

_ROW: Final = {
    "id": 101,
    "machine_id": 1,
    "label": "box",
    "actual_status": "running",
    "cur_state": "running",
    "intended_status": "running",
    "status_msg": "Cloud Copy: transferring 41% 1.2/2.9 GiB 310/812 files",
    "gpu_name": None,
    "start_date": 1768467600.0,
    "end_date": 4102444800.0,
    "extra_env": [],
    "ports": {},
}
_CSV: Final = "path,outcome,size,code,why,hash,verified\r\na.txt,copied,6,,,md5:b1946ac9,hash\r\n"
_LOG: Final = "2026/01/15 10:00:02 INFO  : run-7/model.bin: Copied (new)\n"

BY_ROUTE: Final[Mapping[str, Mapping[str, Any]]] = {
    "/llms.txt": {
        "text/plain": "# cloudcopy\n\n## Documents\n\n- [Flags](http://127.0.0.1:8420/docs/flags.md)\n"
    },
    "/docs/{name}": {
        "text/markdown": "# Commands\n\n`cloudcopy COMMAND --help` has every option.\n"
    },
    "/api/v0/gpu_names/unique/": {"application/json": {"gpu_names": []}},
    "/api/v0/gpu_types/": {"application/json": {"gpu_types": []}},
    "/api/v0/instances/": {"application/json": {"instances": [_ROW]}},
    "/api/v0/instances/filters/": {
        "application/json": {
            "filters": [{"actual_status": "running", "verification": None, "gpu_name": None}]
        }
    },
    "/api/v0/instances/{instance_id}/": {"application/json": {"instances": _ROW}},
    "/api/v0/results/{token}/": {
        "text/plain": "Cloud Copy Operation Finished\n4 copied (6.0 MiB); verified by md5\n"
    },
    "/api/v0/users/current/": {
        "application/json": {
            "id": 1,
            "username": "owner",
            "email": "",
            "balance": 0.0,
            "credit": 0.0,
            "host_agreement_accepted": False,
            "api_key": None,
        }
    },
    "/api/v1/instances/": {
        "application/json": {
            "success": True,
            "instances": [_ROW],
            "instances_found": 1,
            "total_instances": 1,
            "label_counts": {"box": 1},
            "next_token": None,
        }
    },
    "/v1/flags": {"application/json": {"--exclude": "a pattern", "--dry-run": "nothing"}},
    "/v1/health": {"application/json": {"status": "ok"}},
    "/v1/transfers/{transfer_id}/events": {"text/event-stream": EVENTS},
    "/v1/transfers/{transfer_id}/log": {"text/plain": _LOG},
    **{
        f"/v1/{kind}s/{{{kind}_id}}/files": {"application/x-ndjson": _FILE, "text/csv": _CSV}
        for kind in ("transfer", "plan", "check")
    },
}
