"""What became of a transfer, signed by this control plane."""

from datetime import datetime
from typing import Any

from cloudcopy.domain.compare import level_of
from cloudcopy.domain.errors import Conflict
from cloudcopy.domain.order import Direction, Work
from cloudcopy.domain.progress import Result
from cloudcopy.domain.transfer import State, Transfer
from cloudcopy.ports.reads import TransferSeen
from cloudcopy.ports.vault import Vault
from cloudcopy.wire import receipt


def issue(seen: TransferSeen, *, vault: Vault) -> bytes:
    """The receipt of a transfer in its canonical form; the same bytes each time.

    Raises:
        Conflict: ``no_receipt``: nothing was copied and verified that one could speak of.
    """
    transfer = seen.transfer
    if (why := _why_none(transfer)) or transfer.result is None:
        raise Conflict(f"There is no receipt of {transfer.id}: {why}.", code="no_receipt")
    said = {
        "format": receipt.FORMAT,
        "version": receipt.VERSION,
        "transfer": transfer.id,
        "attempt": transfer.attempt,
        "state": transfer.state.value,
        "reason": transfer.reason,
        "order": _order(seen),
        "counters": _counters(transfer.result),
        "times": {
            "created_at": _time(transfer.created_at),
            "started_at": _time(transfer.started_at) if transfer.started_at else None,
            "ended_at": _time(transfer.ended_at) if transfer.ended_at else None,
        },
        "verification": _verification(transfer.result),
        "merkle": {
            "algorithm": receipt.ALGORITHM,
            "root": transfer.result.digests.files,
            "leaves": _number(transfer.result.digests.leaves),
        },
        "key": receipt.text(vault.public_key),
    }
    signature = vault.sign(receipt.signed_part(said))
    return receipt.canonical({**said, "signature": receipt.text(signature)})


def _why_none(transfer: Transfer) -> str:
    if transfer.order.work is not Work.TRANSFER:
        return f"a {transfer.order.work} copies nothing"
    if transfer.order.flags.dry_run:
        return "a dry run copies nothing"
    if not transfer.state.final:
        return f"it is {transfer.state} and has not ended"
    if transfer.state not in (State.SUCCEEDED, State.PARTIAL):
        return f"it {'has failed' if transfer.state is State.FAILED else 'was cancelled'}"
    if not transfer.result or not transfer.result.digests.files:
        return "it ended before the control plane looked at what had arrived"
    return ""


def _order(seen: TransferSeen) -> dict[str, Any]:
    transfer, order = seen.transfer, seen.transfer.order
    sides = (str(order.local), str(order.remote))
    src, dst = sides if order.direction is Direction.TO_CLOUD else sides[::-1]
    return {
        "work": order.work.value,
        "mode": order.mode.value,
        "direction": order.direction.value,
        "instance": int(order.instance),
        "instance_label": seen.instance_label,
        "connection": int(order.connection),
        "connection_name": seen.connection_name,
        "cloud_type": seen.cloud_type,
        "src": src,
        "dst": dst,
        "flags": list(order.flags.words()),
        "compare": level_of(order.flags).value,
        "verify": order.verify.value,
        "scope": transfer.scope.value,
        "plan": order.agreed.plan if order.agreed else None,
    }


def _counters(result: Result) -> dict[str, Any]:
    counts = {
        "found": result.found,
        "copied": result.copied,
        "unchanged": result.unchanged,
        "kept": result.kept,
        "failed": result.failed,
        "deleted": result.deleted,
        "retried": result.retried,
        "changed": result.changed,
        "bytes_found": result.bytes_found,
        "bytes_copied": result.bytes_copied,
        "bytes_verified": result.bytes_verified,
    }
    skipped = {reason: _number(count) for reason, count in result.skipped}
    return {name: _number(count) for name, count in counts.items()} | {"skipped": skipped}


def _verification(result: Result) -> dict[str, Any]:
    return {
        "level": result.verified.value,
        "hash": result.hash,
        "by_hash": _number(result.by_hash),
        "by_size_only": _number(result.by_size_only),
        "recheck": {
            "files": _number(result.recheck.files),
            "hashed": _number(result.recheck.hashed),
            "why_not": result.recheck.why_not,
        },
    }


def _number(count: int) -> int:
    """A count as canonical JSON can write it; a host may have sent any."""
    return max(-receipt.MAX_NUMBER, min(receipt.MAX_NUMBER, count))


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
