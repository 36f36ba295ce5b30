"""From what the use cases return to what the native API shows."""

from cloudcopy.control.queries import silent, status_msg
from cloudcopy.domain.connection import Connection
from cloudcopy.domain.keys import Key
from cloudcopy.domain.machine import Machine
from cloudcopy.domain.progress import Progress, Result
from cloudcopy.domain.transfer import Direction
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.reads import InstanceSeen, TransferSeen
from cloudcopy.wire import v1


def transfer(seen: TransferSeen, *, now: Clock) -> v1.TransferView:
    each = seen.transfer
    order = each.order
    sides = (str(order.local), str(order.remote))
    src, dst = sides if order.direction is Direction.TO_CLOUD else sides[::-1]
    return v1.TransferView(
        id=each.id,
        state=each.state.value,
        instance=order.instance,
        instance_label=seen.instance_label,
        connection=order.connection,
        connection_name=seen.connection_name,
        cloud_type=seen.cloud_type,
        direction=order.direction.value,
        src=src,
        dst=dst,
        flags=order.flags.words(),
        attempt=each.attempt,
        created_at=each.created_at,
        started_at=each.started_at,
        ended_at=each.ended_at,
        reason=each.reason,
        machine_silent=not each.state.final and silent(seen.machine_seen_at, now=now),
        progress=_progress(seen.progress) if seen.progress else None,
        result=_result(each.result) if each.result else None,
    )


def _progress(seen: Progress) -> v1.ProgressView:
    return v1.ProgressView(
        phase=seen.phase.value,
        files_done=seen.files_done,
        files_total=seen.files_total,
        bytes_done=seen.bytes_done,
        bytes_total=seen.bytes_total,
        percent=seen.percent,
        rate=seen.rate,
        eta_seconds=seen.eta_seconds,
        errors=seen.errors,
        current=[
            v1.CurrentFileView(name=each.name, bytes=each.bytes, size=each.size)
            for each in seen.current
        ],
    )


def _result(result: Result) -> v1.ResultView:
    return v1.ResultView(
        listed=result.listed,
        copied=result.copied,
        unchanged=result.unchanged,
        kept=result.kept,
        failed=result.failed,
        skipped=dict(result.skipped),
        bytes_copied=result.bytes_copied,
        verified=result.verified.value,
        hash=result.hash,
        dry_run=result.dry_run,
        notes=list(result.notes),
        log=list(result.log),
        summary=result.summary,
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
        actual_status=each.actual_status.value,
        status_msg=status_msg(seen.latest),
        connected=not silent(seen.machine_seen_at, now=now),
    )


def key(each: Key) -> v1.KeyView:
    return v1.KeyView(
        id=each.id, name=each.name, created_at=each.created_at, revoked_at=each.revoked_at
    )
