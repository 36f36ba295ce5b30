"""What became of each file: the rows of a transfer's ledger, of a plan and of a check."""

from dataclasses import dataclass
from enum import StrEnum

from cloudcopy.domain.progress import Verified


class Outcome(StrEnum):
    """One word for one file. What a plan lists is what a transfer would do."""

    # transfers
    COPIED = "copied"
    UNCHANGED = "unchanged"  # equal already, by the comparison that was asked for
    KEPT = "kept"  # differs, and a flag said to leave it
    SKIPPED = "skipped"  # cannot be copied: `why` says what it is
    FAILED = "failed"
    DELETED = "deleted"
    # plans, besides unchanged, kept and skipped
    NEW = "new"  # would be copied: the destination has none
    UPDATE = "update"  # would be copied over another one: `why` says what differs
    DELETE = "delete"
    # checks
    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing"  # only the source has it
    EXTRA = "extra"  # only the destination has it
    UNREAD = "unread"  # could not be compared

    @property
    def arrived(self) -> bool:
        """Whether the destination has the source's file after it."""
        return self in (Outcome.COPIED, Outcome.UNCHANGED, Outcome.SAME)


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file.

    Attributes:
        path: Relative to both sides' roots, with ``/``.
        size: Bytes at the source (at the destination for `EXTRA`, `DELETE`, `DELETED`);
            -1 where unknown.
        code: Stable machine name of the reason (`ErrorGroup.code`); empty where none is needed.
        why: The reason in plain words.
        hash: Lower-case hex of what the file was verified by, in the kind of `Result.hash`;
            empty without one.
        verified: How this file was proven.
    """

    path: str
    outcome: Outcome
    size: int = -1
    code: str = ""
    why: str = ""
    hash: str = ""
    verified: Verified = Verified.NOTHING
