"""Receipts as the control plane makes them, of rows that a test chooses."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cloudcopy.adapters.vault import FileVault
from cloudcopy.control import receipts
from cloudcopy.domain.connection import ConnectionId
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.keys import KeyId
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.machine import AccountId, InstanceId, MachineId
from cloudcopy.domain.merkle import Tree
from cloudcopy.domain.order import Direction, Order, TransferId
from cloudcopy.domain.paths import InstancePath, RemotePath
from cloudcopy.domain.progress import Digests, Recheck, Result, Verified
from cloudcopy.domain.transfer import State, Transfer, accept
from cloudcopy.ports.reads import TransferSeen
from cloudcopy.wire import ledger

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
VAULT = FileVault(b"m" * 32)
MD5 = "9a0364b9e99bb480dd25e1f0284c8555"
ROWS = (
    FileRow("a", Outcome.COPIED, 1, hash=MD5, verified=Verified.HASH),
    FileRow("b", Outcome.FAILED, 2, code="access_denied", why="no"),
    FileRow("c", Outcome.UNCHANGED, 3),
    FileRow("ü/é \U0001f600", Outcome.COPIED, 4, hash=MD5, verified=Verified.HASH),
)


def ended(rows: Sequence[FileRow] = ROWS, **changes: Any) -> Transfer:
    """A transfer that ended with these rows."""
    order = Order(
        instance=InstanceId(7),
        connection=ConnectionId(101),
        direction=Direction.TO_CLOUD,
        local=InstancePath("data"),
        remote=RemotePath("bucket/data"),
        flags=Flags.parse(["--exclude", "*.tmp"]),
    )
    fresh = accept(
        TransferId("t_1"),
        order,
        account=AccountId(1),
        key=KeyId("k"),
        machine=MachineId(3),
        fence="f",
        at=AT,
    )
    done = replace(
        fresh, state=State.PARTIAL, started_at=AT, ended_at=AT, reason="1 of 4", result=result(rows)
    )
    return replace(done, **changes)


def result(rows: Sequence[FileRow] = ROWS) -> Result:
    tree = Tree()
    for row in rows:
        if row.outcome.arrived:
            tree.add(row.path, row.size, row.hash)
    return Result(
        found=4,
        copied=2,
        unchanged=1,
        failed=1,
        skipped=(("symbolic link", 2),),
        bytes_copied=5,
        verified=Verified.HASH,
        hash="md5",
        by_hash=2,
        by_size_only=1,
        recheck=Recheck(files=3, hashed=2),
        digests=Digests(files=tree.root(), leaves=len(tree)),
    )


def seen(transfer: Transfer) -> TransferSeen:
    return TransferSeen(
        transfer=transfer,
        instance_label="here",
        connection_name="my-s3",
        cloud_type="s3",
        machine_seen_at=AT,
        progress=None,
    )


def receipt(transfer: Transfer | None = None, *, vault: FileVault = VAULT) -> bytes:
    return receipts.issue(seen(transfer or ended()), vault=vault)


def lines(rows: Sequence[FileRow] = ROWS) -> list[bytes]:
    """The rows as `/files` gives them."""
    return [ledger.line(row) for row in rows]
