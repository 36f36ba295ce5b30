"""Connections: what is asked for and what is shown."""

from datetime import datetime

from pydantic import Field

from cloudcopy.wire.v1.shape import Body, View


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
    next_cursor: str | None = None


class ConnectionTest(View):
    ok: bool
    detail: str
