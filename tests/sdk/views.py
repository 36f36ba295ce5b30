"""What the server shows, with values a test may change."""

from datetime import UTC, datetime
from typing import Any

from cloudcopy.wire import v1

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def transfer(**changes: Any) -> v1.TransferView:
    """Running, it is in the phase of its progress."""
    known: dict[str, Any] = {
        "id": "t_1",
        "work": "transfer",
        "mode": "copy",
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
        "compare": "mtime",
        "verify": "hash",
        "scope": "all",
        "bwlimit": "",
        "plan": None,
        "attempt": 1,
        "created_at": AT,
        "started_at": None,
        "ended_at": None,
        "reason": "",
        "ahead": None,
        "machine_silent": False,
        "progress": None,
        "result": None,
    }
    known |= changes
    phase = known["state"]
    if phase == "running":
        phase = known["progress"].phase if known["progress"] else "preparing"
    return v1.TransferView(**{"phase": phase, **known})


def progress(**changes: Any) -> v1.ProgressView:
    known: dict[str, Any] = {
        "phase": "transferring",
        "found": 48,
        "to_copy": 40,
        "copied": 12,
        "skipped": 8,
        "failed": 0,
        "deleted": 0,
        "retried": 0,
        "verified": 0,
        "bytes_found": 2 * 1024 * 1024,
        "bytes_to_copy": 1024 * 1024,
        "bytes_copied": 512 * 1024,
        "bytes_verified": 0,
        "percent": 50,
        "rate": 2048.0,
        "eta_seconds": 256,
        "current": [],
    }
    return v1.ProgressView(**(known | changes))


def result(**changes: Any) -> v1.ResultView:
    known: dict[str, Any] = {
        "found": 3,
        "copied": 3,
        "unchanged": 0,
        "kept": 0,
        "failed": 0,
        "deleted": 0,
        "retried": 0,
        "changed": 0,
        "at_destination": 0,
        "skipped": {},
        "bytes_found": 3072,
        "bytes_copied": 3072,
        "bytes_verified": 3072,
        "verified": "hash",
        "hash": "md5",
        "by_hash": 3,
        "by_size_only": 0,
        "errors": [],
        "recheck": v1.RecheckView(files=3, hashed=3, why_not=""),
        "digests": v1.DigestsView(files="ab" * 32, leaves=3, source="", destination=""),
        "dry_run": False,
        "notes": [],
        "summary": "3 copied (3.0 KiB); verified by md5",
    }
    return v1.ResultView(**(known | changes))


def plan(**changes: Any) -> v1.TransferView:
    """A mirror's plan that has succeeded: two to copy, one to delete."""
    known: dict[str, Any] = {
        "id": "t_plan",
        "work": "plan",
        "mode": "mirror",
        "state": "succeeded",
        "ended_at": AT,
        "result": result(
            copied=2,
            bytes_copied=30,
            unchanged=4,
            deleted=1,
            digests=v1.DigestsView(files="", leaves=0, source="aa" * 32, destination="bb" * 32),
        ),
    }
    return transfer(**(known | changes))


def row(path: str, outcome: str, **changes: Any) -> v1.FileView:
    known: dict[str, Any] = {
        "path": path,
        "outcome": outcome,
        "size": 10,
        "code": "",
        "why": "",
        "hash": "",
        "verified": "nothing",
    }
    return v1.FileView(**(known | changes))


def event(number: int, state: v1.StateName, **changes: Any) -> v1.EventView:
    known: dict[str, Any] = {"number": number, "at": AT, "state": state, "attempt": 1, "reason": ""}
    return v1.EventView(**(known | changes))


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
