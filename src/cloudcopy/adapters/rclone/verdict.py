"""Our own judgement of a copy, file by file; rclone's exit code is not asked.

rclone says success for a source that does not exist, for files it left out and for files
that never arrived. So both sides are listed after the copy, and every file that was listed
before it is either there, kept on purpose, or named as failed.
"""

from dataclasses import dataclass
from typing import Final

from cloudcopy.adapters.rclone.facts import Facts
from cloudcopy.adapters.rclone.names import askable
from cloudcopy.adapters.rclone.reasons import (
    ABSENT,
    BAD_NAME,
    CHANGED,
    DAMAGED,
    IMMUTABLE,
    NOT_DELETED,
    NOT_UPDATED,
    STOPPED,
    VANISHED,
    Reason,
)
from cloudcopy.adapters.rclone.spool import OPEN
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.order import Verify
from cloudcopy.domain.progress import Verified

_KEEPING: Final = ("--ignore-existing", "--update")
TOUCHED: Final = (Outcome.COPIED, Outcome.FAILED, Outcome.NEW, Outcome.UPDATE)
_NOT_FOUND: Final = (ABSENT.code, VANISHED.code, "not_found")
_TO_COPY: Final = (Outcome.NEW, Outcome.UPDATE)


def keeps(flags: Flags) -> bool:
    """Whether files that differ may stay as they are at the destination, as asked."""
    return any(flag in flags.switches for flag in _KEEPING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the files of one copy are judged.

    Attributes:
        proven: Both sides were listed after the copy.
        keeps: See `keeps`.
        planned: What was to be copied was listed before: nothing of it may be left out.
        trouble: Why files that were not tried were not.
        unreached: rclone may not have come to every file, so that what it did not speak of
            need not be unchanged.
        content: Equal files have equal content: not so where only names or sizes were to be
            compared.
    """

    proven: bool
    verify: Verify = Verify.HASH
    keeps: bool = False
    planned: bool = False
    trouble: Reason | None = None
    unreached: bool = False
    content: bool = True

    def row(self, facts: Facts) -> FileRow | None:
        """What became of one path; None for what the copy is not about."""
        outcome = Outcome(facts.outcome) if facts.outcome else None
        if facts.code == BAD_NAME.code and outcome is Outcome.FAILED:
            return facts.marked()
        if outcome in (Outcome.SKIPPED, Outcome.DELETED):
            return facts.marked()
        if outcome is Outcome.DELETE:
            return self._failed(facts, NOT_DELETED, facts.there_size)
        if facts.size is None and (facts.later_size is None or outcome is None):
            return self._unlisted(facts, outcome)
        if not self.proven:
            return self._by_log(facts, outcome)
        return self._by_listing(facts, outcome)

    def _unlisted(self, facts: Facts, outcome: Outcome | None) -> FileRow | None:
        """What our listing of the source did not show before the copy."""
        by_name = facts.path.endswith("/") or facts.code == VANISHED.code
        told = by_name or facts.there_size is not None or facts.code not in _NOT_FOUND
        if outcome is Outcome.FAILED and told:
            return facts.marked()  # a directory, a file asked for by name, a failed deletion
        if outcome is not Outcome.COPIED:
            return None
        size = facts.marked_size
        if self.proven and not _equal(facts.there_size, size):
            return self._failed(facts, VANISHED, size)
        return self._row(facts, Outcome.COPIED, size, self._sized if self.proven else None)

    def _by_log(self, facts: Facts, outcome: Outcome | None) -> FileRow:
        if outcome in (Outcome.COPIED, Outcome.UNCHANGED, Outcome.KEPT):
            return self._row(facts, outcome, facts.size)
        return self._failed(facts, self.trouble or STOPPED, facts.size)

    def _by_listing(self, facts: Facts, outcome: Outcome | None) -> FileRow:
        size = facts.later_size if facts.size is None else facts.size
        there = facts.there_size
        if outcome in _TO_COPY and not facts.tries and (facts.code == OPEN or not self.planned):
            outcome = None  # it was named, and rclone has left it as it is
        if outcome is Outcome.KEPT and facts.code == IMMUTABLE:
            return self._failed(facts, Reason(IMMUTABLE, facts.why or "", ""), size)
        if outcome is None and self.unreached and not _same_hash(facts):
            return self._failed(facts, self.trouble or STOPPED, size)
        if outcome is Outcome.KEPT or (outcome is None and self.keeps and there is not None):
            equal = outcome is None and _equal(size, there) and not self._differs(facts)
            if equal:
                return self._row(facts, Outcome.UNCHANGED, size, self._sized)
            return self._row(facts, Outcome.KEPT, size)
        changed = _changed(facts)
        if changed and not (outcome in TOUCHED and facts.tries and _same_hash(facts)):
            return _wrong(facts.path, CHANGED, facts.later_size)
        if facts.later_size is None and not _equal(size, there):
            return _wrong(facts.path, VANISHED, size)
        if there is None:
            return self._failed(facts, self.trouble or ABSENT, size)
        if outcome in TOUCHED:
            return self._touched(facts, outcome, facts.later_size if changed else size, changed)
        if not _equal(size, there) or self._differs(facts):
            return self._failed(facts, self.trouble or NOT_UPDATED, size)
        if self.verify is Verify.HASH and _same_hash(facts):
            return self._row(facts, Outcome.UNCHANGED, size, Verified.HASH)
        return self._row(facts, Outcome.UNCHANGED, size, self._sized)

    def _touched(self, facts: Facts, outcome: Outcome, size: int | None, changed: bool) -> FileRow:
        """A file that was to be sent."""
        untried = outcome in _TO_COPY and (self.planned or self.trouble is not None)
        why = (self.trouble or ABSENT) if untried else DAMAGED if facts.tries else NOT_UPDATED
        if not _equal(size, facts.there_size):
            return self._failed(facts, why, size)
        arrived = Outcome.COPIED if facts.tries else Outcome.UNCHANGED
        if _same_hash(facts) and facts.there_hash:
            return FileRow(
                facts.path,
                arrived,
                -1 if size is None else size,
                code=CHANGED.code if changed else "",
                why="it changed during the copy; its latest content arrived" if changed else "",
                hash=facts.there_hash,
                verified=Verified.HASH,
            )
        if outcome is Outcome.FAILED or untried or (facts.later_hash and facts.there_hash):
            return self._failed(facts, why, size)
        return self._row(facts, arrived, size, self._sized)

    def _differs(self, facts: Facts) -> bool:
        """Whether a file that counted as unchanged is known to have other content, which the
        comparison that was asked for would not leave."""
        hashes = facts.later_hash and facts.there_hash
        return self.content and bool(hashes) and not _same_hash(facts)

    @property
    def _sized(self) -> Verified:
        return Verified.NOTHING if self.verify is Verify.NONE else Verified.SIZE

    def _row(
        self, facts: Facts, outcome: Outcome, size: int | None, verified: Verified | None = None
    ) -> FileRow:
        return FileRow(
            facts.path,
            outcome,
            -1 if size is None else size,
            hash=(facts.there_hash or "") if verified is Verified.HASH else "",
            verified=verified or Verified.NOTHING,
        )

    def _failed(self, facts: Facts, why: Reason, size: int | None) -> FileRow:
        """Failed for the reason that rclone told for this file, else for `why`."""
        hopeless = self.trouble is not None and self.trouble.hopeless
        # The answer to a HEAD has no body: its 403 does not say that a key has expired.
        if (
            facts.outcome == Outcome.FAILED
            and facts.code
            and not (hopeless and facts.code == "access_denied")
        ):
            why = Reason(facts.code, facts.why or "", "")
        if why.code in _NOT_FOUND and not askable(facts.path):
            why = BAD_NAME
        return _wrong(facts.path, why, size)


def rehearsed(facts: Facts) -> FileRow | None:
    """The row of one path after a dry run."""
    if facts.outcome is not None:
        return facts.marked()
    return None if facts.size is None else FileRow(facts.path, Outcome.UNCHANGED, facts.size)


def _wrong(path: str, why: Reason, size: int | None) -> FileRow:
    return FileRow(path, Outcome.FAILED, -1 if size is None else size, why.code, why.text)


def _changed(facts: Facts) -> bool:
    """Whether the source has another file of that name now."""
    if facts.size is None or facts.later_size is None:
        return False
    return not _equal(facts.size, facts.later_size) or bool(
        facts.time and facts.later_time and facts.time != facts.later_time
    )


def _equal(one: int | None, other: int | None) -> bool:
    """Of sizes. A store may not know one, which is -1; a missing file has none."""
    return one is not None and other is not None and (one == other or one < 0 or other < 0)


def _same_hash(facts: Facts) -> bool:
    return bool(facts.later_hash) and facts.later_hash == facts.there_hash
