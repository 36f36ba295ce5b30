"""A plan in a file: a header line, then a line for each action, as the server listed them.

The header says how many lines follow and what their SHA-256 is, so a file that was edited or
cut is found out. What is carried out is not the file, but the plan that it names.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cloudcopy.cli.addresses import written
from cloudcopy.cli.call import Session
from cloudcopy.cli.exits import Refused
from cloudcopy.sdk import LevelName, ModeName, OutcomeName, TransferView

ACTIONS: Final[tuple[OutcomeName, ...]] = ("new", "update", "delete")
_BLOCK: Final = 1024 * 1024
_MAX_HEADER: Final = 256 * 1024  # an order has 64 KiB of flags at most


class Header(BaseModel):
    """The first line.

    Attributes:
        server_key: What the server signs receipts with; tells it from every other server.
        source, destination: Digests of both sides when the plan was made.
        copies, bytes, deletions: What is to be done, in numbers.
        rows, sha256: How many lines follow, and the digest of them with their ends.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["cloudcopy plan"] = "cloudcopy plan"
    version: Literal[1] = 1
    plan: str
    attempt: int
    server_key: str
    made_at: datetime | None
    src: str
    dst: str
    mode: ModeName
    compare: LevelName
    flags: list[str]
    source: str
    destination: str
    copies: int
    bytes: int
    deletions: int
    rows: int
    sha256: str

    def of(self, plan: TransferView) -> bool:
        """Whether it speaks of `plan` as the server has it."""
        return plan.result is not None and (
            (self.attempt, self.mode, self.source, self.destination, self.deletions)
            == (
                plan.attempt,
                plan.mode,
                plan.result.digests.source,
                plan.result.digests.destination,
                plan.result.deleted,
            )
        )


async def write(
    session: Session,
    plan: TransferView,
    into: Callable[[bytes], object],
    *,
    near: Path | None = None,
) -> Header:
    """Write a plan that has succeeded.

    Args:
        near: Where the rows wait for their header, which comes first and is known last.
    """
    assert plan.result is not None, plan.state  # noqa: S101 - the callers have seen it succeed
    key = await session.client.receipt_key()
    digest = hashlib.sha256()
    count = 0
    with TemporaryFile(dir=near) as spool:

        def keep(piece: bytes) -> None:
            nonlocal count
            spool.write(piece)
            digest.update(piece)
            count += piece.count(b"\n")

        await session.client.transfers.files_to(keep, plan.id, outcomes=ACTIONS)
        src, dst = written(plan)
        header = Header(
            plan=plan.id,
            attempt=plan.attempt,
            server_key=key,
            made_at=plan.ended_at,
            src=src,
            dst=dst,
            mode=plan.mode,
            compare=plan.compare,
            flags=plan.flags,
            source=plan.result.digests.source,
            destination=plan.result.digests.destination,
            copies=plan.result.copied,
            bytes=plan.result.bytes_copied,
            deletions=plan.result.deleted,
            rows=count,
            sha256=digest.hexdigest(),
        )
        into(f"{header.model_dump_json()}\n".encode())
        spool.seek(0)
        while piece := spool.read(_BLOCK):
            into(piece)
    return header


def read(path: Path) -> Header:
    """The header of a plan whose rows are as they were written.

    Raises:
        Refused: it is no plan, or was changed.
    """
    digest = hashlib.sha256()
    count = 0
    try:
        with path.open("rb") as file:
            first = file.readline(_MAX_HEADER)
            while piece := file.read(_BLOCK):
                digest.update(piece)
                count += piece.count(b"\n")
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from error
    try:
        header = Header.model_validate_json(first)
    except ValidationError:
        raise Refused(
            f"{path} is not a plan: its first line is not the header of one.",
            next=("Make one with: cloudcopy plan SRC DST -o plan.jsonl",),
        ) from None
    if (header.rows, header.sha256) != (count, digest.hexdigest()):
        raise Refused(
            f"{path} was changed after it was written: it must have {header.rows} actions as "
            f"they were listed, and has {count} lines.",
            next=("Make another plan; what it should leave out, leave out with --exclude.",),
        )
    return header
