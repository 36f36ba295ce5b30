"""How a person names a thing: by its id, or by the name or label it goes by.

Digits are always an id; the server accepts no name that is all digits.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from cloudcopy.sdk.errors import NotFound


class Numbered(Protocol):
    @property
    def id(self) -> int: ...


Thing = TypeVar("Thing", bound=Numbered)


def as_id(reference: int | str) -> int | None:
    """The id that `reference` is; None if it is a name."""
    text = str(reference)
    return int(text) if text.isascii() and text.isdigit() else None


def only(found: Sequence[Thing], *, kind: str, name: str) -> Thing:
    """The one thing in `found`, which are all those of its kind that are called `name`.

    Raises:
        NotFound: there is none, or more than one.
    """
    if not found:
        raise NotFound(
            404,
            f"No {kind} of yours is called {name!r}.",
            code=f"no_such_{kind}",
            next=(f"See them all with: cloudcopy {kind} list.",),
        )
    if len(found) > 1:
        ids = ", ".join(str(each.id) for each in found)
        raise NotFound(
            404,
            f"More than one {kind} is called {name!r}: {ids}.",
            code="ambiguous_name",
            next=("Use the id of the one you mean.",),
        )
    return found[0]
