"""API keys: what is asked for and what is shown."""

from datetime import datetime

from cloudcopy.wire.v1.shape import Body, View


class NewKey(Body):
    name: str


class KeyView(View):
    id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


class KeyPage(View):
    data: list[KeyView]
    next_cursor: str | None = None


class CreatedKey(View):
    """`key` is shown this once."""

    id: str
    name: str
    key: str
