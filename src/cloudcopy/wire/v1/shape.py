"""What every body of the native API is made from."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
