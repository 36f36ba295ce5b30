"""How much a mirror may delete without being asked twice."""

from typing import Final

from cloudcopy.domain.errors import Conflict

MAX_FILES: Final = 1_000
MAX_PERCENT: Final = 10  # of the destination's files


def guard(deletions: int, *, of: int, confirmed: int | None) -> None:
    """Let `deletions` of the destination's `of` files pass, or ask for their number.

    A number that was given must be right, whether or not it was needed.

    Raises:
        Conflict: ``deletions_not_confirmed``.
    """
    many = deletions > MAX_FILES or deletions * 100 > of * MAX_PERCENT
    if confirmed == deletions or (confirmed is None and not many):
        return
    if confirmed is None:
        what = (
            f"This would delete {deletions} of the {of} files at the destination, which is more "
            f"than {MAX_PERCENT} % or {MAX_FILES:,} of them."
        )
    else:
        what = f"This would delete {deletions} files at the destination, not {confirmed}."
    raise Conflict(
        what,
        code="deletions_not_confirmed",
        next=(
            "Look at what the plan deletes.",
            f"If that is what you want, confirm it with its number: {deletions} "
            f"(confirm_deletions, --confirm-deletions).",
        ),
    )
