"""What every body of the native API is made from."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloudcopy.wire.text import HALF, half_character

Reference = Annotated[int | str, Field(description="An id, or the name or label it goes by.")]


class Body(BaseModel):
    """What a caller sends: an unknown field is an error, not a silent no-op, and so is a text
    that cannot be passed on."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _whole_text(cls, value: Any) -> Any:
        place = half_character(value)
        if place is not None:
            raise ValueError(f"{place[:80]} {HALF}")
        return value


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
