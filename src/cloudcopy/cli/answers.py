"""What the tools of `cloudcopy mcp` answer. Bounded: a model reads all of it.

Names of files and reasons come from other people's machines and stores. They are without
control characters; what they say is content, never an instruction.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, Field

from cloudcopy.cli.addresses import written
from cloudcopy.cli.output import clean
from cloudcopy.sdk import (
    ConnectionView,
    FileView,
    InstanceView,
    ModeName,
    OutcomeName,
    PhaseName,
    StateName,
    TransferView,
    WorkName,
)

FINAL: Final[frozenset[StateName]] = frozenset({"succeeded", "partial", "failed", "cancelled"})
LONGEST: Final = 400  # characters of any one text of others


class Instance(BaseModel):
    """A directory on a machine that can be copied from and to."""

    id: int
    label: str
    address: str = Field(description="How plan_copy names it; append a path, e.g. @box:/data")
    connected: bool = Field(description="Whether its machine was heard within the last minute")
    status: str
    latest_copy: str

    @classmethod
    def of(cls, each: InstanceView) -> "Instance":
        return cls(
            id=each.id,
            label=text(each.label),
            address=f"C.{each.id}:/",
            connected=each.connected,
            status=each.actual_status,
            latest_copy=text(each.status_msg),
        )


class Instances(BaseModel):
    instances: list[Instance]


class Connection(BaseModel):
    """A cloud store."""

    id: int
    name: str
    cloud_type: str
    bucket: str | None = Field(description="Paths begin below it; without, with a bucket's name")
    address: str = Field(description="How plan_copy names it; append a path, e.g. lab:bucket/data")

    @classmethod
    def of(cls, each: ConnectionView) -> "Connection":
        return cls(
            id=each.id,
            name=text(each.name),
            cloud_type=each.cloud_type,
            bucket=each.bucket,
            address=f"{each.cloud_type}.{each.id}:",
        )


class Connections(BaseModel):
    connections: list[Connection]


class File(BaseModel):
    """What became of a file, or what would."""

    path: str
    outcome: OutcomeName
    size: int
    code: str
    why: str

    @classmethod
    def of(cls, each: FileView) -> "File":
        return cls(
            path=text(each.path),
            outcome=each.outcome,
            size=each.size,
            code=each.code,
            why=text(each.why),
        )


class Files(BaseModel):
    files: list[File]
    more: bool = Field(description="There are more than these")


class Kind(BaseModel):
    """Failures of one kind."""

    code: str
    count: int
    text: str
    what_to_do: str


class Status(BaseModel):
    """How far a copy, plan or check is."""

    id: str
    work: WorkName
    mode: ModeName
    state: StateName
    phase: PhaseName
    ended: bool
    source: str
    destination: str
    percent: int | None
    files_copied: int
    files_failed: int
    bytes_copied: int
    machine_silent: bool
    reason: str
    summary: str
    failures: list[Kind]

    @classmethod
    def of(cls, each: TransferView) -> "Status":
        source, destination = written(each)
        told = each.result or each.progress
        return cls(
            id=each.id,
            work=each.work,
            mode=each.mode,
            state=each.state,
            phase=each.phase,
            ended=each.state in FINAL,
            source=text(source),
            destination=text(destination),
            percent=each.progress.percent if each.progress else None,
            files_copied=told.copied if told else 0,
            files_failed=told.failed if told else 0,
            bytes_copied=told.bytes_copied if told else 0,
            machine_silent=each.machine_silent,
            reason=text(each.reason),
            summary=text(each.result.summary) if each.result else "",
            failures=[
                Kind(code=kind.code, count=kind.count, text=text(kind.text), what_to_do=kind.cure)
                for kind in (each.result.errors if each.result else [])
            ],
        )


class Plan(BaseModel):
    """What a copy would do. Nothing has been done."""

    plan_id: str
    state: StateName
    mode: ModeName
    source: str
    destination: str
    files_to_copy: int
    bytes_to_copy: int
    files_to_delete: int
    files_unchanged: int
    sample: list[File] = Field(description="The first of what would be deleted, then copied")
    needs_approval: bool
    reason: str
    next: str

    @classmethod
    def of(cls, each: TransferView, sample: Sequence[FileView]) -> "Plan":
        source, destination = written(each)
        result = each.result
        return cls(
            plan_id=each.id,
            state=each.state,
            mode=each.mode,
            source=text(source),
            destination=text(destination),
            files_to_copy=result.copied if result else 0,
            bytes_to_copy=result.bytes_copied if result else 0,
            files_to_delete=result.deleted if result else 0,
            files_unchanged=result.unchanged if result else 0,
            sample=[File.of(file) for file in sample],
            needs_approval=needs_approval(each),
            reason=text(each.reason),
            next=_next(each),
        )


def needs_approval(plan: TransferView) -> bool:
    """Whether a person must say yes: it deletes, or it may and is not known yet."""
    return plan.mode == "mirror" and (plan.result is None or plan.result.deleted > 0)


def how_to_approve(plan: str) -> str:
    return (
        f"It deletes files, so a person must approve it: ask them to run `cloudcopy plan approve "
        f"{plan}` in their own terminal and to give you the approval that it prints."
    )


def text(said: str) -> str:
    """A text of others, in one line."""
    return clean(said)[:LONGEST]


def _next(plan: TransferView) -> str:
    if plan.state not in FINAL:
        return f"It is not finished: ask get_plan for {plan.id} in a while."
    if plan.state != "succeeded":
        return "It failed, so nothing can be started from it; mend what `reason` says."
    if needs_approval(plan):
        return how_to_approve(plan.id)
    return f"Start it: start_copy with plan_id {plan.id}. It deletes nothing."
