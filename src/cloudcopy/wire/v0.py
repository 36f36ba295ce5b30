"""The compatible API's bodies, as its published document writes them.

No field is required there, so none is here: what is missing is refused at run time, with
a 400 in words. The models describe; `http.v0` reads bodies itself, because a client of
this API sends ids as numbers or strings and absent options as null.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class CloudCopyRequest(BaseModel):
    """Copy what is inside `src` into `dst`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "instance_id": "101",
                "src": "/workspace/checkpoints",
                "dst": "my-bucket/run-1",
                "selected": "1001",
                "transfer": "Instance To Cloud",
                "flags": ["--exclude", "*.tmp"],
            }
        }
    )

    instance_id: str = Field(default="", description="The instance to copy from or to.")
    src: str = Field(default="", description="Path of what to copy, on the source's side.")
    dst: str = Field(default="", description="Path of the directory to copy into.")
    selected: str = Field(default="", description="Id of the cloud connection.")
    transfer: str = Field(
        default="", description="`Instance To Cloud` or `Cloud To Instance`, in any case."
    )
    flags: list[str] = Field(default=[], description="rclone flags from the published list.")
    api_key: str = Field(default="", description="Instead of the Authorization header.")


class CloudCopyStarted(BaseModel):
    """The copy is durable and will run."""

    success: bool
    msg: str
    result_url: str = Field(
        description="404 until the copy has ended, then its outcome as plain text. Needs no key."
    )


class Refusal(BaseModel):
    """Nothing was done."""

    success: bool
    msg: str
    error: str = ""


class Success(BaseModel):
    """It was done."""

    success: bool
    msg: str


class StopCopiesRequest(BaseModel):
    """Stop every cloud copy of an instance."""

    model_config = ConfigDict(json_schema_extra={"example": {"client_id": "me", "dst_id": "101"}})

    client_id: str = ""
    dst_id: str = Field(default="", description="`101`, `C.101` or `101:/path`.")


class CreatedKey(BaseModel):
    """`key` is shown this once; `permissions` is null for a key that may do everything."""

    id: int
    key: str
    permissions: dict[str, Any] | None


class DirectCopyRequest(BaseModel):
    """Copy what is inside `src_path` into `dst_path`, between an instance and a connection."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "client_id": "me",
                "src_id": "s3.1001",
                "dst_id": "C.101",
                "src_path": "/my-bucket/data/",
                "dst_path": "/workspace/",
            }
        }
    )

    client_id: str = ""
    src_id: int | str = Field(
        default="",
        description="An instance: `101` or `C.101`. A connection: `s3.1001`, or `s3` for the only "
        "one of that type.",
    )
    dst_id: int | str = Field(default="", description="In the same forms.")
    src_path: str = Field(default="", description="A path on the source's side.")
    dst_path: str = Field(default="", description="The directory to copy into.")
    api_key: str = Field(default="", description="Instead of the Authorization header.")


class StopDirectCopiesRequest(BaseModel):
    """Stop every copy into one place."""

    model_config = ConfigDict(json_schema_extra={"example": {"client_id": "me", "dst_id": "C.101"}})

    client_id: str = ""
    dst_id: int | str = Field(
        default="", description="`101`, `C.101`, `101:/path`, `s3.1001` or `s3`."
    )


class CloudIntegration(BaseModel):
    """A cloud connection, without its secrets."""

    id: int
    name: str
    cloud_type: str
