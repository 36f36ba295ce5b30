"""What the server shows, with values a test may change."""

from datetime import UTC, datetime
from typing import Any

from cloudcopy.wire import v1

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def transfer(**changes: Any) -> v1.TransferView:
    known: dict[str, Any] = {
        "id": "t_1",
        "state": "queued",
        "instance": 7,
        "instance_label": "here",
        "connection": 101,
        "connection_name": "my-s3",
        "cloud_type": "s3",
        "direction": "instance_to_cloud",
        "src": "/data",
        "dst": "bucket/data",
        "flags": [],
        "attempt": 1,
        "created_at": AT,
        "started_at": None,
        "ended_at": None,
        "reason": "",
        "machine_silent": False,
        "progress": None,
        "result": None,
    }
    return v1.TransferView(**(known | changes))


def progress(**changes: Any) -> v1.ProgressView:
    known: dict[str, Any] = {
        "phase": "transferring",
        "files_done": 12,
        "files_total": 40,
        "bytes_done": 512 * 1024,
        "bytes_total": 1024 * 1024,
        "percent": 50,
        "rate": 2048.0,
        "eta_seconds": 256,
        "errors": 0,
        "current": [],
    }
    return v1.ProgressView(**(known | changes))


def result(**changes: Any) -> v1.ResultView:
    known: dict[str, Any] = {
        "listed": 3,
        "copied": 3,
        "unchanged": 0,
        "kept": 0,
        "failed": 0,
        "skipped": {},
        "bytes_copied": 3072,
        "verified": "hash",
        "hash": "md5",
        "dry_run": False,
        "notes": [],
        "summary": "3 copied (3.0 KiB); verified by md5",
    }
    return v1.ResultView(**(known | changes))


def connection(**changes: Any) -> v1.ConnectionView:
    known: dict[str, Any] = {
        "id": 101,
        "name": "my-s3",
        "cloud_type": "s3",
        "bucket": "bucket",
        "parameters": {"region": "eu-west-1"},
        "created_at": AT,
    }
    return v1.ConnectionView(**(known | changes))


def instance(**changes: Any) -> v1.InstanceView:
    known: dict[str, Any] = {
        "id": 7,
        "label": "here",
        "machine": 3,
        "machine_name": "box",
        "root": "/workspace",
        "actual_status": "running",
        "status_msg": "",
        "connected": True,
    }
    return v1.InstanceView(**(known | changes))


def machine(**changes: Any) -> v1.MachineView:
    known: dict[str, Any] = {
        "id": 3,
        "name": "box",
        "connected": True,
        "created_at": AT,
        "seen_at": AT,
    }
    return v1.MachineView(**(known | changes))
