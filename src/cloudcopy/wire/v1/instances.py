"""Offers, created instances, their questions, and SSH keys."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from cloudcopy.wire.v1.shape import Body, View

InstanceStateName = Literal["running", "stopped"]


class OfferView(View):
    """A machine on which instances can be created. Memory is in MB, as its driver counts it."""

    id: int
    machine: int
    machine_name: str
    runtime: str
    gpu_name: str | None
    num_gpus: int
    gpu_ram_mb: int
    cpu_cores: int
    cpu_ram_mb: int
    disk_gb: float


class OfferPage(View):
    data: list[OfferView]
    next_cursor: str | None = None


class NewInstance(Body):
    """An instance on the machine of an offer. All SSH keys of the account are placed in it."""

    offer: int
    label: str = ""
    image: str = ""
    onstart: str = Field(default="", description="For sh; at most 4048 characters.")
    args: list[str] = Field(default=[])
    env: dict[str, str] = Field(default={}, description="Sealed, and never shown again.")
    disk_gb: float = 0.0
    state: InstanceStateName = "running"


class InstanceChange(Body):
    label: str


class AskLogs(Body):
    """`daemon`: what was done with the instance, not what ran in it."""

    tail: int = 1000
    filter: str = ""
    daemon: bool = False


class AskExecute(Body):
    command: str = Field(description="`ls`, `rm` or `du` with options and paths; no shell.")


class AnswerView(View):
    """`text` is null until the machine has answered."""

    id: str
    instance: int
    text: str | None


class NewSshKey(Body):
    public_key: str = Field(description="One line of a `.pub` file.")


class SshKeyView(View):
    id: int
    public_key: str
    created_at: datetime


class SshKeyPage(View):
    data: list[SshKeyView]
    next_cursor: str | None = None
