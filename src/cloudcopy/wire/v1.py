"""The native API's bodies, shared by the server and the SDK.

Times are RFC 3339 in UTC, sizes are bytes, lists are `{data, next_cursor}` pages.
Fields are only ever added.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

StateName = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
DirectionName = Literal["instance_to_cloud", "cloud_to_instance"]
Reference = Annotated[int | str, Field(description="An id, or the name or label it goes by.")]


class Body(BaseModel):
    """What a caller sends: an unknown field is an error, not a silent no-op."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """What a caller gets: a client ignores the fields it does not know."""

    model_config = ConfigDict(frozen=True)


class Problem(View):
    """An error (RFC 9457). `next` says what to do now, one sentence each."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    next: list[str]


class NewTransfer(Body):
    """Copy what is inside `src` into `dst`; which side is the cloud's is said by `direction`."""

    instance: Reference
    connection: Reference
    direction: DirectionName
    src: str
    dst: str
    flags: list[str] = []


class CurrentFileView(View):
    name: str
    bytes: int
    size: int


class ProgressView(View):
    phase: Literal["preparing", "transferring", "verifying"]
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    percent: int
    rate: float
    eta_seconds: int | None
    errors: int
    current: list[CurrentFileView]


class ResultView(View):
    """What the copy did. `verified` says how the destination was proven."""

    listed: int
    copied: int
    unchanged: int
    kept: int
    failed: int
    skipped: dict[str, int]
    bytes_copied: int
    verified: Literal["nothing", "size", "hash"]
    hash: str
    dry_run: bool
    notes: list[str]
    log: list[str] = Field(default=[], description="The end of the engine's log, oldest first.")
    summary: str


class TransferView(View):
    id: str
    state: StateName
    instance: int
    instance_label: str
    connection: int
    connection_name: str
    cloud_type: str
    direction: DirectionName
    src: str
    dst: str
    flags: list[str]
    attempt: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    machine_silent: bool = Field(
        description="The machine's agent has not been heard lately; the copy may still be running."
    )
    progress: ProgressView | None
    result: ResultView | None


class TransferPage(View):
    data: list[TransferView]
    next_cursor: str | None


class NewConnection(Body):
    """`parameters` are rclone's own options for that backend; secrets are sealed, never shown."""

    name: str
    cloud_type: str
    parameters: dict[str, str | int | bool | None]


class ConnectionView(View):
    id: int
    name: str
    cloud_type: str
    bucket: str | None
    parameters: dict[str, str] = Field(description="Those that are no secret.")
    created_at: datetime


class ConnectionPage(View):
    data: list[ConnectionView]
    next_cursor: None = None


class ConnectionTest(View):
    ok: bool
    detail: str


class MachineView(View):
    id: int
    name: str
    connected: bool = Field(description="Its agent was heard within the last minute.")
    created_at: datetime
    seen_at: datetime | None


class MachinePage(View):
    data: list[MachineView]
    next_cursor: None = None


class JoinToken(View):
    """Shown once; works once."""

    token: str
    expires_at: datetime


class InstanceView(View):
    id: int
    label: str
    machine: int
    machine_name: str
    root: str
    actual_status: str
    status_msg: str
    connected: bool


class InstancePage(View):
    data: list[InstanceView]
    next_cursor: None = None


class Enrol(Body):
    """A machine trades its join token for an id. `public_key`: Ed25519, base64."""

    token: str
    name: str
    public_key: str


class Enrolled(View):
    machine: int


class NewKey(Body):
    name: str


class KeyView(View):
    id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


class KeyPage(View):
    data: list[KeyView]
    next_cursor: None = None


class CreatedKey(View):
    """`key` is shown this once."""

    id: str
    name: str
    key: str


class GivenUp(View):
    """How many live transfers of the machine were ended as failed."""

    ended: int
