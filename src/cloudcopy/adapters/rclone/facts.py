"""What is known of one path, on both sides, and what it was marked as."""

from dataclasses import dataclass
from typing import NamedTuple

from cloudcopy.adapters.rclone.listing import Listed
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.progress import Verified


class Facts(NamedTuple):
    """What is known of one path. None where that side has not got it, or was not looked at.

    Attributes:
        outcome, code, why, verified: As it was last marked; `marked_size` came with that.
        tries: Rounds in which it was marked as copied or failed.
    """

    path: str
    size: int | None
    time: str | None
    hash: str | None
    later_size: int | None
    later_time: str | None
    later_hash: str | None
    there_size: int | None
    there_time: str | None
    there_hash: str | None
    outcome: str | None
    marked_size: int | None
    code: str | None
    why: str | None
    verified: str | None
    tries: int

    def marked(self) -> FileRow | None:
        """The row that it was marked as."""
        if self.outcome is None:
            return None
        here = self.there_size if self.size is None else self.size
        size = here if here is not None else self.marked_size
        return FileRow(
            path=self.path,
            outcome=Outcome(self.outcome),
            size=-1 if size is None else size,
            code=self.code or "",
            why=self.why or "",
            hash=self.hash or "",
            verified=Verified(self.verified or Verified.NOTHING),
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """One path on both sides; None where a side has not got it."""

    path: str
    source: Listed | None
    destination: Listed | None


def pair(facts: Facts, kind: str) -> Pair:
    """Both sides. `kind`: of the hashes."""
    return Pair(
        facts.path,
        _listed(facts.path, facts.size, facts.time, facts.hash, kind),
        _listed(facts.path, facts.there_size, facts.there_time, facts.there_hash, kind),
    )


def _listed(
    path: str, size: int | None, time: str | None, hash: str | None, kind: str
) -> Listed | None:
    return None if size is None else Listed(path, size, time or "", {kind: hash} if hash else {})


# In the order of the table and of `Facts`.
COLUMNS = ", ".join(Facts._fields)
