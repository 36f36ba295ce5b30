"""Machines, their instances, and how they join."""

from datetime import datetime

from pydantic import Field

from cloudcopy.wire.v1.shape import Body, View


class MachineView(View):
    id: int
    account: int
    name: str
    connected: bool = Field(description="Its agent was heard within the last minute.")
    created_at: datetime
    seen_at: datetime | None


class MachinePage(View):
    data: list[MachineView]
    next_cursor: str | None = None


class Invite(Body):
    account: int | None = Field(
        default=None,
        ge=1,
        le=2**63 - 1,
        description="Whose the machine and its instances will be; without it, your own.",
    )


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
    created: bool = Field(
        default=False, description="It was created here; otherwise its machine announced it."
    )
    intended_status: str | None = Field(
        default=None, description="What is wanted of a created one: `running` or `stopped`."
    )
    image: str = ""


class InstancePage(View):
    data: list[InstanceView]
    next_cursor: str | None = None


class Enrol(Body):
    """A machine trades its join token for an id. `public_key`: Ed25519, base64."""

    token: str
    name: str
    public_key: str


class Enrolled(View):
    machine: int


class GivenUp(View):
    """How many live transfers of the machine were ended as failed."""

    ended: int
