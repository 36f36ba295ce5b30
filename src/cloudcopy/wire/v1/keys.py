"""API keys: what is asked for and what is shown."""

from typing import Any

from pydantic import AwareDatetime, Field

from cloudcopy.wire.v1.shape import Body, View


class NewKey(Body):
    name: str
    permissions: dict[str, Any] | None = Field(
        default=None,
        description='`{"api": {CATEGORY: {}, ...}}`; without it the key may do everything.',
        examples=[{"api": {"instance_read": {}, "user_read": {}}}],
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="From then on it is refused; without it, never."
    )
    expires_in_seconds: int | None = Field(
        default=None, ge=1, le=3_200_000_000, description="The same, from now on."
    )
    requests_per_second: float | None = Field(
        default=None, description="How often it may be used; more is answered with 429."
    )
    burst: int | None = Field(
        default=None,
        description="How many at once after a pause; by default those of ten seconds.",
    )


class KeyView(View):
    """`number` is the compatible API's id of it. `last_used_at` is up to a minute old."""

    id: str
    number: int
    name: str
    permissions: dict[str, Any] | None
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    last_used_at: AwareDatetime | None
    requests_per_second: float | None
    burst: int | None
    made_with: str | None = Field(description="The id of the key that it was made with.")


class KeyPage(View):
    data: list[KeyView]
    next_cursor: str | None = None


class CreatedKey(KeyView):
    """`key` is shown this once."""

    key: str
