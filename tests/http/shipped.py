"""Ledgers in a control plane, as an agent would have sent them."""

from collections.abc import Sequence

from cloudcopy.control import ledgers
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.merkle import Tree
from cloudcopy.domain.progress import Digests, Recheck, Verified
from cloudcopy.wire import agent as wire
from cloudcopy.wire import ledger
from tests.http.conftest import Plane

MD5 = "9a0364b9e99bb480dd25e1f0284c8555"
ROWS = (
    FileRow("a/1", Outcome.COPIED, 1, hash=MD5, verified=Verified.HASH),
    FileRow("a/2", Outcome.FAILED, 2, code="access_denied", why='says "no", twice\nand again'),
    FileRow("b", Outcome.UNCHANGED, 3),
    FileRow("ü,\U0001f600", Outcome.COPIED, 4, hash=MD5, verified=Verified.HASH),
)


def packed(rows: Sequence[FileRow]) -> bytes:
    return ledger.pack(ledger.line(row) for row in rows)


async def ship(plane: Plane, rows: Sequence[FileRow] = ROWS, *, per_chunk: int = 2) -> int:
    """Keep the rows as the ledger of the newest transfer; returns how many chunks."""
    about = await plane.newest()
    chunks = [packed(rows[at : at + per_chunk]) for at in range(0, len(rows), per_chunk)]
    for number, data in enumerate(chunks):
        message = wire.LedgerChunk(
            transfer=about.id, attempt=about.attempt, fence=about.fence, number=number, data=data
        )
        await ledgers.take(
            message,
            machine=plane.machine,
            reads=plane.services.reads,
            open_store=plane.services.open_store,
        )
    return len(chunks)


async def ended(plane: Plane, kind: str = "partial", rows: Sequence[FileRow] = ROWS) -> str:
    """The id of a new transfer that has ended with these rows."""
    id = await plane.submitted()
    await ship(plane, rows)
    await end(plane, kind, rows)
    return id


async def end(plane: Plane, kind: str = "partial", rows: Sequence[FileRow] = ROWS) -> None:
    tree = Tree()
    for row in rows:
        if row.outcome.arrived:
            tree.add(row.path, row.size, row.hash)
    await plane.report(
        kind,
        "" if kind == "succeeded" else "1 of 4 failed",
        found=4,
        copied=2,
        unchanged=1,
        failed=1,
        verified=Verified.HASH,
        hash="md5",
        recheck=Recheck(files=3, hashed=2),
        digests=Digests(files=tree.root(), leaves=len(tree)),
    )
