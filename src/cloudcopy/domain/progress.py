"""How far a copy has come, what it did in the end, and the words for both."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
MAX_GROUPS: Final = 20
MAX_SAMPLES: Final = 5


class Phase(StrEnum):
    PREPARING = "preparing"  # proving the source, listing
    TRANSFERRING = "transferring"
    VERIFYING = "verifying"  # comparing both sides after the copy


@dataclass(frozen=True, slots=True)
class CurrentFile:
    """A file in flight. Sizes in bytes; `size` is -1 while unknown."""

    name: str
    bytes: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The latest numbers of a running attempt; lossy, never summed. Counts files.

    Attributes:
        found: Files listed at the source, after filters; grows while it is listed.
        to_copy, bytes_to_copy: Known to need copying so far, those copied included.
        bytes_copied: May go down: a chunk that is sent again is taken back.
        skipped: Left alone: unchanged, kept at the destination, or impossible to copy.
        retried: Files that were tried more than once.
        verified, bytes_verified: Proven at the destination after the copy, so far.
        rate: Bytes per second over the last 10 seconds.
        eta_seconds: None while unknown.
        log: The latest lines of the engine's log, oldest first, without addresses.
        limited_by: What keeps it from being faster now, a part of a sentence; empty while
            that is unknown, and while nothing is moved.
    """

    phase: Phase
    found: int = 0
    to_copy: int = 0
    copied: int = 0
    skipped: int = 0
    failed: int = 0
    deleted: int = 0
    retried: int = 0
    verified: int = 0
    bytes_found: int = 0
    bytes_to_copy: int = 0
    bytes_copied: int = 0
    bytes_verified: int = 0
    rate: float = 0.0
    eta_seconds: int | None = None
    current: tuple[CurrentFile, ...] = ()
    log: tuple[str, ...] = ()
    limited_by: str = ""

    @property
    def percent(self) -> int:
        """Whole percent of the bytes known so far, 0 to 99: only the verdict says 100."""
        if not self.bytes_to_copy:
            return 0
        return max(0, min(99, self.bytes_copied * 100 // self.bytes_to_copy))


class Verified(StrEnum):
    """How the files at the destination were proven, weakest first."""

    NOTHING = "nothing"  # a dry run, or nothing arrived, or it was not asked for
    SIZE = "size"
    HASH = "hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Failures of one kind.

    Attributes:
        code: Stable machine name of the kind.
        text: What went wrong, one sentence.
        cure: What to do now, one imperative sentence.
        samples: The first few names, sorted.
    """

    code: str
    text: str
    cure: str
    count: int
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """What the control plane saw in the store itself, after the host's report.

    Attributes:
        files: Files of the report that its own listing shows with the same size.
        hashed: Those of them whose hash in the listing is the reported one, too.
        why_not: Why it could not look; empty when it did.
    """

    files: int = 0
    hashed: int = 0
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """Merkle roots (`domain.merkle`) as 64 hex digits; empty where there is none.

    Attributes:
        files: Over (path, size, hash) of every file that is at the destination, `leaves` many.
        source, destination: Over both sides of a plan: (path, size, time, outcome) of what
            each of them has, and of what the source's listing left out.
    """

    files: str = ""
    leaves: int = 0
    source: str = ""
    destination: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one attempt did. Counts files; sizes are bytes.

    For a plan the counts say what would be done, and for a check `copied` is 0, `unchanged`
    are the equal ones, `failed` those that differ or are missing on one side.

    Attributes:
        found: Files at the source after filters, including those left alone.
        copied: Files that were sent and arrived.
        unchanged: Files the destination already had, by the comparison asked for.
        kept: Files that differ at the destination and were left alone, as a flag asked.
        skipped: Things that cannot be copied (symbolic links, sockets), by reason.
        failed: Files that were not copied or did not verify.
        deleted: Files that only the destination had and a mirror took away.
        retried: Files that were tried more than once.
        changed: Files of the source that changed during the copy; each is also failed.
        at_destination: Files the destination had before, where that was listed whole.
        hash: The hash both sides were compared by, e.g. ``"md5"``; empty below `Verified.HASH`.
        by_hash, by_size_only: Files that were proven by that hash, and by their size alone,
            those found unchanged included; the ledger says which.
        errors: The failures by kind, commonest first; at most `MAX_GROUPS`.
        incomplete: Something failed that no row of the ledger names: to try again only what
            failed would not be all.
        notes: Bounded text for people.
        log: The end of the engine's log, oldest first: bounded, without addresses.
        interrupted: rclone was killed somewhere in this attempt, so it may have left
            an unfinished upload behind.
        limited_by: What kept it from being faster for most of the time in which files were
            moved; empty where that was too short to say.
    """

    found: int = 0
    copied: int = 0
    unchanged: int = 0
    kept: int = 0
    failed: int = 0
    deleted: int = 0
    retried: int = 0
    changed: int = 0
    at_destination: int = 0
    skipped: tuple[tuple[str, int], ...] = ()
    bytes_found: int = 0
    bytes_copied: int = 0
    bytes_verified: int = 0
    verified: Verified = Verified.NOTHING
    hash: str = ""
    by_hash: int = 0
    by_size_only: int = 0
    errors: tuple[ErrorGroup, ...] = ()
    digests: Digests = Digests()
    recheck: Recheck = Recheck()
    dry_run: bool = False
    incomplete: bool = False
    notes: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    interrupted: bool = False
    limited_by: str = ""

    @property
    def summary(self) -> str:
        """One sentence, e.g. ``12 copied (3.1 MiB), 4 unchanged; verified by md5``."""
        if self.dry_run:
            would = f"{self.copied} files ({size(self.bytes_copied)})"
            return f"dry run: {would} would be copied, nothing was"
        parts = [f"{self.copied} copied ({size(self.bytes_copied)})"]
        for count, word in (
            (self.unchanged, "unchanged"),
            (self.kept, "kept at the destination"),
            (self.deleted, "deleted"),
            *((count, f"skipped ({reason})") for reason, count in self.skipped),
            (self.failed, "failed"),
        ):
            if count:
                parts.append(f"{count} {word}")
        nothing = self.verified is Verified.NOTHING
        proof = "nothing was verified" if nothing else f"verified {self.proof}"
        return f"{', '.join(parts)}; {proof}"

    @property
    def proof(self) -> str:
        """How, after ``verified`` or ``compared``: ``by md5``, if that holds for every file."""
        if self.verified is Verified.NOTHING:
            return "not at all"
        kinds = [(self.by_hash, f"by {self.hash}"), (self.by_size_only, "by size only")]
        told = [(count, how) for count, how in kinds if count]
        rest = self.copied + self.unchanged - self.by_hash - self.by_size_only
        if len(told) == 1 and rest <= 0:
            return told[0][1]
        words = [f"{count} {how}" for count, how in told]
        return ", ".join([*words, *([f"{rest} not at all"] if rest > 0 else [])])


def size(count: int) -> str:
    """Bytes for people, e.g. ``1.2 GiB``."""
    value = float(count)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError(count)


def proportion(done: int, total: int) -> str:
    """Two sizes in the unit of the larger, e.g. ``1.2/2.9 GiB``."""
    whole = size(total)
    unit = whole.split()[1]
    return f"{done / 1024 ** _UNITS.index(unit):.1f}/{whole}"
