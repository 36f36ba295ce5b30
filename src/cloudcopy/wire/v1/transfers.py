"""Transfers, plans and checks: what is asked for and what is shown."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from cloudcopy.wire.v1.shape import Body, Reference, View

StateName = Literal[
    "queued",
    "running",
    "pausing",
    "paused",
    "cancelling",
    "succeeded",
    "partial",
    "failed",
    "cancelled",
]
PhaseName = Literal[  # a state, with the phase in the place of "running"
    "queued",
    "preparing",
    "transferring",
    "verifying",
    "pausing",
    "paused",
    "cancelling",
    "succeeded",
    "partial",
    "failed",
    "cancelled",
]
DirectionName = Literal["instance_to_cloud", "cloud_to_instance"]
WorkName = Literal["transfer", "plan", "check"]
ModeName = Literal["copy", "mirror"]
LevelName = Literal["exists", "size", "mtime", "checksum"]
VerifyName = Literal["none", "size", "hash"]
ScopeName = Literal["all", "failed"]
OutcomeName = Literal[
    "copied",
    "unchanged",
    "kept",
    "skipped",
    "failed",
    "deleted",
    "new",
    "update",
    "delete",
    "same",
    "differs",
    "missing",
    "extra",
    "unread",
]


class Sides(Body):
    """Two sides: an instance, and a connection or another instance.

    With a connection, `direction` says which side is the cloud's. With `source_instance` the
    copy goes from there into `instance`, and there is no direction to say.
    """

    instance: Reference
    connection: Reference | None = Field(
        default=None, description="The cloud's side; left out with `source_instance`."
    )
    source_instance: Reference | None = Field(
        default=None,
        description="The instance to copy from, by id or label, in the place of a connection.",
    )
    direction: DirectionName | None = Field(
        default=None, description="Required with `connection`; left out with `source_instance`."
    )
    src: str
    dst: str
    flags: list[str] = Field(default=[])
    compare: LevelName | None = Field(
        default=None,
        description="When two files count as equal; None leaves it to the flags, which say mtime "
        "where they say nothing (for a check: checksum).",
    )


class NewTransfer(Sides):
    """Copy what is inside `src` into `dst`."""

    verify: VerifyName = Field(
        default="hash", description="How what was sent is proven: by hash where both sides have one"
    )
    mode: ModeName = Field(
        default="copy", description="A mirror deletes, so it is made by applying a plan."
    )
    bwlimit: str = Field(
        default="",
        description="Bytes per second, e.g. 10M; off; or a timetable: 08:00,1M 18:00,off "
        "[Europe/Berlin]. It can be changed while the copy runs.",
    )


class NewPlan(Sides):
    """List what a transfer would do, and do nothing."""

    mode: ModeName = "copy"


class NewCheck(Sides):
    """Compare both sides, and change nothing."""


class Apply(Body):
    """Carry out a plan. `confirm_deletions`: how many files it deletes, where it asks for that."""

    confirm_deletions: int | None = None
    approval: str | None = Field(
        default=None,
        description="Somebody's approval of this plan, in the place of a confirmation. It works "
        "once: again it answers with the same transfer.",
    )
    verify: VerifyName = "hash"
    bwlimit: str = ""


class Approval(View):
    """What a program carries out a plan with that it may not confirm itself."""

    plan: str
    deletions: int
    approval: str
    expires_at: datetime


class Retry(Body):
    """`failed`: only the files that the attempt before left as failed."""

    only: ScopeName = "all"


class Change(Body):
    """What may change while a transfer is live."""

    bwlimit: str


class CurrentFileView(View):
    name: str
    bytes: int
    size: int


class ProgressView(View):
    """Counts of files, sizes in bytes; `rate` is of the last 10 seconds."""

    phase: Literal["preparing", "transferring", "verifying"]
    found: int
    to_copy: int
    copied: int
    skipped: int
    failed: int
    deleted: int
    retried: int
    verified: int
    bytes_found: int
    bytes_to_copy: int
    bytes_copied: int
    bytes_verified: int
    percent: int
    rate: float
    eta_seconds: int | None
    current: list[CurrentFileView]
    limited_by: str = Field(
        default="",
        description="What keeps it from being faster now, for example `the store is throttling "
        "(it said so 3 times)`; empty while that is unknown.",
    )


class ErrorGroupView(View):
    """Failures of one kind, with the first few names and what to do now."""

    code: str
    text: str
    cure: str
    count: int
    samples: list[str]


class RecheckView(View):
    """What the control plane saw in the store itself; `why_not` where it could not look."""

    files: int
    hashed: int
    why_not: str


class DigestsView(View):
    """Merkle roots; `files` is over (path, size, hash) of what is at the destination."""

    files: str
    leaves: int
    source: str
    destination: str


class ResultView(View):
    """What was done. `verified` says how the destination was proven, at the least."""

    found: int
    copied: int
    unchanged: int
    kept: int
    failed: int
    deleted: int
    retried: int
    changed: int
    at_destination: int
    skipped: dict[str, int]
    bytes_found: int
    bytes_copied: int
    bytes_verified: int
    verified: Literal["nothing", "size", "hash"]
    hash: str
    by_hash: int
    by_size_only: int
    errors: list[ErrorGroupView]
    recheck: RecheckView
    digests: DigestsView
    dry_run: bool
    incomplete: bool = Field(
        description="Something failed that no row of the files names: try all of it again."
    )
    notes: list[str]
    limited_by: str = Field(
        default="",
        description="What kept it from being faster for most of the time in which files were "
        "moved; empty for a copy too short to say.",
    )
    log: list[str] = Field(default=[], description="The end of the engine's log, oldest first.")
    summary: str
    proof: str


class TransferView(View):
    id: str
    work: WorkName
    mode: ModeName
    state: StateName
    phase: PhaseName = Field(description="The state, and what exactly it does while it runs.")
    instance: int
    instance_label: str
    connection: int
    connection_name: str
    cloud_type: str
    source_instance: int | None = Field(
        default=None,
        description="The instance that is copied from, where both sides are instances; then the "
        "connection only stands for it.",
    )
    direction: DirectionName
    src: str
    dst: str
    flags: list[str]
    compare: LevelName
    verify: VerifyName
    scope: ScopeName
    bwlimit: str
    plan: str | None = Field(description="The plan that it carries out.")
    attempt: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    ahead: int | None = Field(description="How many wait for their turn before it; None: its turn.")
    machine_silent: bool = Field(
        description="The machine's agent has not been heard lately; the copy may still be running."
    )
    progress: ProgressView | None
    result: ResultView | None


class FileView(View):
    """One line of `/files`: what became of one file."""

    path: str
    outcome: OutcomeName
    size: int
    code: str
    why: str
    hash: str
    verified: Literal["nothing", "size", "hash"]


class EventView(View):
    """A change of state, as `/events` tells it; `number` is the event's id."""

    number: int
    at: datetime
    state: StateName
    attempt: int
    reason: str


class ReceiptKey(View):
    """The key that receipts are signed with: Ed25519, 32 bytes in base64."""

    public_key: str


class TransferPage(View):
    data: list[TransferView]
    next_cursor: str | None
