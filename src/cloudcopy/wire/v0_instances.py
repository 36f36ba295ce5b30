"""The compatible API's bodies about created instances, offers and keys. As in `wire.v0`, what is
missing is refused at run time.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def _shown(**example: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": example})


class OfferFilters(BaseModel):
    """`{"field": {"op": value}}` for any field of an offer."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"example": {"num_gpus": {"gte": 0}, "limit": 10}}
    )


class OfferSearch(BaseModel):
    model_config = _shown(q={"num_gpus": {"gte": 0}}, select_cols=["id", "gpu_name"])

    q: dict[str, Any] | None = Field(default=None, description="The filters.")
    select_cols: list[str] | None = Field(default=None, description="Only these columns.")


class InstanceRequest(BaseModel):
    """An instance on the machine of the offer in the path."""

    model_config = _shown(label="trainer", onstart="echo hello", env={"SEED": "1"}, disk=8.0)

    label: str | None = None
    image: str | None = None
    onstart: str | None = Field(default=None, description="For sh; at most 4048 characters.")
    args: list[str] | None = None
    env: dict[str, str] | None = Field(default=None, description="Sealed, and never shown again.")
    disk: float | None = Field(default=None, description="In GB.")
    target_state: str | None = Field(default=None, description="`running` or `stopped`.")


class InstanceStateRequest(BaseModel):
    """One of the two."""

    model_config = _shown(label="trainer-2")

    state: str | None = Field(default=None, description="`running` or `stopped`.")
    label: str | None = None


class InstancesStateRequest(BaseModel):
    model_config = _shown(ids=[102], state="stopped")

    ids: list[int | str] = Field(default=[])
    state: str = Field(default="", description="`running` or `stopped`.")


class InstancesRequest(BaseModel):
    model_config = _shown(instance_ids=[102])

    instance_ids: list[int | str] = Field(default=[])


class LogsRequest(BaseModel):
    model_config = _shown(tail="100", filter="loss")

    tail: str | None = Field(default=None, description="How many lines, from the end; 1000.")
    filter: str | None = Field(default=None, description="Only lines that hold this text.")
    daemon_logs: str | None = Field(
        default=None, description="`true`: what was done with it, not what ran in it."
    )


class CommandRequest(BaseModel):
    model_config = _shown(command="ls -l workspace")

    command: str = Field(default="", description="`ls`, `rm` or `du` with options and paths.")


class SshKeyRequest(BaseModel):
    model_config = _shown(
        ssh_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXsH2ev3l0nUe8K1WIxLhQZPjQtdd6CUz9h4Gp7S6Zc"
    )

    ssh_key: str = Field(default="", description="One line of a `.pub` file.")


class KeyRequest(BaseModel):
    model_config = _shown(name="ci", permissions={"api": {"instance_read": {}}})

    name: str = ""
    permissions: dict[str, Any] | None = Field(
        default=None, description="What it may do; without it, everything."
    )
