"""What a mirror may be asked for, and how much it may delete without being asked twice."""

from typing import Final

from cloudcopy.domain.errors import Conflict, Invalid
from cloudcopy.domain.flags import CHOOSING, Flags

MAX_FILES: Final = 1_000
MAX_PERCENT: Final = 10  # of the destination's files


def check(flags: Flags) -> None:
    """What a mirror may be asked for.

    Raises:
        Invalid: a flag that chooses files by size or age. A file may be of another size or age
            on the two sides: one that the source has, but not within the limits, would be
            deleted as if it had none.
    """
    wrong = sorted(name for name, _ in flags.values if name in CHOOSING)
    if wrong:
        raise Invalid(
            "flags",
            f"{', '.join(wrong)} cannot be used in a mirror: it would delete files that the "
            "source has, but of another size or age",
            code="bad_flag",
            next=("Choose files by name, with --exclude or --filter, or copy without mirroring.",),
        )


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
