"""From what the use cases return to what the native API shows."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cloudcopy.control.status import instance_msg, shown, silent
from cloudcopy.domain import between
from cloudcopy.domain.compare import level_of
from cloudcopy.domain.connection import Connection
from cloudcopy.domain.keys import Key
from cloudcopy.domain.machine import Machine
from cloudcopy.domain.order import Direction
from cloudcopy.domain.progress import Progress, Result
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import InstanceSeen, Moved, TransferSeen
from cloudcopy.wire import v1


def transfer(seen: TransferSeen, *, now: Clock, ahead: int | None) -> v1.TransferView:
    """A transfer, plan or check, with its latest numbers while it lives."""
    each = seen.transfer
    order = each.order
    source = between.source_named(seen.connection_name, seen.cloud_type)
    sides = (str(order.local), str(order.remote) if source is None else f"/{order.remote}")
    src, dst = sides if order.direction is Direction.TO_CLOUD else sides[::-1]
    return v1.TransferView.model_validate(
        {
            "id": each.id,
            "work": order.work,
            "mode": order.mode,
            "state": each.state,
            "phase": each.shown_as(seen.progress),
            "instance": order.instance,
            "instance_label": seen.instance_label,
            "connection": order.connection,
            "connection_name": seen.connection_name,
            "cloud_type": seen.cloud_type,
            "source_instance": source,
            "direction": order.direction,
            "src": src,
            "dst": dst,
            "flags": order.flags.words(),
            "compare": level_of(order.flags),
            "verify": order.verify,
            "scope": each.scope,
            "bwlimit": each.bwlimit,
            "plan": order.agreed.plan if order.agreed else None,
            "attempt": each.attempt,
            "created_at": each.created_at,
            "started_at": each.started_at,
            "ended_at": each.ended_at,
            "reason": each.reason,
            "ahead": ahead,
            "machine_silent": not each.state.final and silent(seen.machine_seen_at, now=now),
            "progress": progress(seen.progress) if seen.progress else None,
            "result": _result(each.result) if each.result else None,
        }
    )


def progress(seen: Progress) -> v1.ProgressView:
    """The latest numbers; a view has the same fields, and not the log."""
    return v1.ProgressView.model_validate(seen, from_attributes=True)


def event(move: Moved) -> v1.EventView:
    """One change of state."""
    return v1.EventView.model_validate(move, from_attributes=True)


def _result(result: Result) -> v1.ResultView:
    return v1.ResultView.model_validate(
        asdict(result)
        | {"skipped": dict(result.skipped), "summary": result.summary, "proof": result.proof}
    )


def connection(each: Connection) -> v1.ConnectionView:
    return v1.ConnectionView(
        id=each.id,
        name=each.name,
        cloud_type=each.cloud_type,
        bucket=each.root or None,
        parameters=dict(each.shown),
        created_at=each.created_at,
    )


def machine(each: Machine, *, now: Clock) -> v1.MachineView:
    return v1.MachineView(
        id=each.id,
        account=each.account,
        name=each.name,
        connected=not silent(each.seen_at, now=now),
        created_at=each.created_at,
        seen_at=each.seen_at,
    )


def instance(seen: InstanceSeen, *, now: Clock) -> v1.InstanceView:
    each = seen.instance
    return v1.InstanceView(
        id=each.id,
        label=each.label,
        machine=each.machine,
        machine_name=seen.machine_name,
        root=each.root,
        actual_status=(shown(seen, now=now) if each.created else each.actual_status).value,
        status_msg=instance_msg(seen),
        connected=not silent(seen.machine_seen_at, now=now),
        created=each.created is not None,
        intended_status=each.created.intended.value if each.created else None,
        image=each.created.image if each.created else "",
    )


def offer(row: Mapping[str, Any]) -> v1.OfferView:
    """From the compatible form, which is the one that is searched."""
    return v1.OfferView(
        id=row["id"],
        machine=row["machine_id"],
        machine_name=row["hostname"],
        runtime=row["runtime"],
        gpu_name=row["gpu_name"],
        num_gpus=row["num_gpus"],
        gpu_ram_mb=row["gpu_ram"],
        cpu_cores=row["cpu_cores"],
        cpu_ram_mb=row["cpu_ram"],
        disk_gb=row["disk_space"],
    )


def key(each: Key) -> v1.KeyView:
    return v1.KeyView(
        id=each.id,
        number=each.number,
        name=each.name,
        permissions=each.rights.permissions.as_json(),
        created_at=each.created_at,
        expires_at=each.rights.expires_at,
        revoked_at=each.revoked_at,
        last_used_at=each.last_used_at,
        requests_per_second=each.rights.rate.per_second if each.rights.rate else None,
        burst=each.rights.rate.burst if each.rights.rate else None,
        made_with=each.made_with,
    )
