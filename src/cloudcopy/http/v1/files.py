"""What became of each file, as JSON lines or CSV, streamed chunk by chunk of its ledger."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from cloudcopy.control import ledgers, queries
from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.keys import Caller
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.order import TransferId, Work
from cloudcopy.http.callers import App, Id, Native, needs
from cloudcopy.http.services import Services
from cloudcopy.http.v1.transfers import PROBLEMS
from cloudcopy.wire import ledger
from cloudcopy.wire.v1 import FileView

router = APIRouter()

FIELDS: Final = ("path", "outcome", "size", "code", "why", "hash", "verified")
JSON_LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
_fields: Final = attrgetter(*FIELDS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files, and in which form."""

    outcomes: frozenset[Outcome] | None
    prefix: str
    attempt: int | None
    csv: bool


def wanted(
    outcome: Annotated[
        str | None, Query(description="Only these outcomes: one, or several with commas.")
    ] = None,
    prefix: Annotated[str, Query(description="Only paths that begin so.")] = "",
    attempt: Annotated[
        Id | None, Query(description="Of this attempt; otherwise the latest that has a list.")
    ] = None,
    format: Annotated[
        Literal["jsonl", "csv"] | None,
        Query(description="JSON lines, unless CSV is asked for here or by `Accept: text/csv`."),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Wanted:
    """Raises Invalid."""
    return Wanted(
        outcomes=_outcomes(outcome) if outcome else None,
        prefix=prefix,
        attempt=attempt,
        csv=format == "csv" if format else CSV in accept.lower(),
    )


def _outcomes(text: str) -> frozenset[Outcome]:
    try:
        return frozenset(Outcome(word.strip()) for word in text.split(","))
    except ValueError:
        known = ", ".join(Outcome)
        raise Invalid("outcome", f"{text[:80]!r} must be among {known}") from None


Which = Annotated[Wanted, Depends(wanted)]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One line for each file, sorted by path.",
        "content": {
            JSON_LINES: {"schema": FileView.model_json_schema()},
            CSV: {"schema": {"type": "string"}},
        },
    },
    **PROBLEMS,
}


@router.get(
    "/v1/transfers/{transfer_id}/files",
    summary="files of a transfer",
    response_class=StreamingResponse,
    responses=_ANSWERS,
    tags=["Transfers"],
)
@needs("instance_read", "api.transfer.show")
async def of_transfer(
    transfer_id: str, caller: Native, app: App, which: Which
) -> StreamingResponse:
    """What became of each file of a transfer."""
    return await _files(transfer_id, which, caller, app)


@router.get(
    "/v1/plans/{plan_id}/files",
    summary="files of a plan",
    response_class=StreamingResponse,
    responses=_ANSWERS,
    tags=["Plans"],
)
@needs("instance_read", "api.transfer.show")
async def of_plan(plan_id: str, caller: Native, app: App, which: Which) -> StreamingResponse:
    """What carrying out a plan would do with each file."""
    return await _files(plan_id, which, caller, app, work=Work.PLAN)


@router.get(
    "/v1/checks/{check_id}/files",
    summary="files of a check",
    response_class=StreamingResponse,
    responses=_ANSWERS,
    tags=["Checks"],
)
@needs("instance_read", "api.transfer.show")
async def of_check(check_id: str, caller: Native, app: App, which: Which) -> StreamingResponse:
    """What a check found of each file."""
    return await _files(check_id, which, caller, app, work=Work.CHECK)


async def _files(
    id: str, which: Wanted, caller: Caller, app: Services, *, work: Work | None = None
) -> StreamingResponse:
    seen = await queries.transfer(TransferId(id), caller=caller, desk=app.queries, work=work)
    transfer = seen.transfer
    attempt = await ledgers.attempt_of(transfer, which.attempt, reads=app.reads)
    found = ledgers.rows(
        transfer.id, attempt, reads=app.reads, outcomes=which.outcomes, prefix=which.prefix
    )
    if not which.csv:
        return StreamingResponse(_json_lines(found), media_type=JSON_LINES)
    name = f"{transfer.id}-attempt-{attempt}.csv"
    return StreamingResponse(
        _csv(found),
        media_type=f"{CSV}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _json_lines(chunks: AsyncIterator[Sequence[FileRow]]) -> AsyncIterator[bytes]:
    async for rows in chunks:
        yield b"".join(ledger.line(row) for row in rows)


async def _csv(chunks: AsyncIterator[Sequence[FileRow]]) -> AsyncIterator[bytes]:
    """RFC 4180, with a header."""
    yield _csv_lines([FIELDS])
    async for rows in chunks:
        yield _csv_lines([_fields(row) for row in rows])


def _csv_lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
