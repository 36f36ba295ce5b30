"""How far a copy has come, what it did in the end, and the words for both."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class Phase(StrEnum):
    PREPARING = "preparing"  # proving the source, starting rclone
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
    """The latest numbers of a running attempt; lossy, never summed.

    Attributes:
        bytes_done: May go down: a retried chunk is taken back.
        bytes_total: Grows while the source is still being listed.
        rate: Bytes per second, averaged by rclone over the whole copy.
        eta_seconds: None while unknown.
        log: The latest lines of the engine's log, oldest first, without addresses.
    """

    phase: Phase
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    rate: float = 0.0
    eta_seconds: int | None = None
    errors: int = 0
    current: tuple[CurrentFile, ...] = ()
    log: tuple[str, ...] = ()

    @property
    def percent(self) -> int:
        """Whole percent of the bytes known so far, 0 to 99: only the verdict says 100."""
        if not self.bytes_total:
            return 0
        return max(0, min(99, self.bytes_done * 100 // self.bytes_total))


class Verified(StrEnum):
    """How the files at the destination were proven, weakest first."""

    NOTHING = "nothing"  # a dry run, or nothing arrived
    SIZE = "size"
    HASH = "hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one attempt did. Counts files; sizes are bytes.

    Attributes:
        listed: Files found at the source after filters, including those left alone.
        copied: Files that were sent and arrived.
        unchanged: Files the destination already had, by the comparison asked for.
        kept: Files that differ at the destination and were left alone, as a flag asked.
        skipped: Things that cannot be copied (symbolic links, sockets), by reason.
        failed: Files that were not copied or did not verify.
        hash: The hash both sides were compared by, e.g. ``"md5"``; empty below `Verified.HASH`.
        notes: Bounded text for people: the first failures, in plain words.
        log: The end of the engine's log, oldest first: bounded, without addresses.
        interrupted: rclone was killed somewhere in this attempt, so it may have left
            an unfinished upload behind.
    """

    listed: int = 0
    copied: int = 0
    unchanged: int = 0
    kept: int = 0
    failed: int = 0
    skipped: tuple[tuple[str, int], ...] = ()
    bytes_copied: int = 0
    verified: Verified = Verified.NOTHING
    hash: str = ""
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    interrupted: bool = False

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
            *((count, f"skipped ({reason})") for reason, count in self.skipped),
            (self.failed, "failed"),
        ):
            if count:
                parts.append(f"{count} {word}")
        return f"{', '.join(parts)}; {self._proof}"

    @property
    def _proof(self) -> str:
        match self.verified:
            case Verified.HASH:
                return f"verified by {self.hash}"
            case Verified.SIZE:
                return "verified by size only"
            case Verified.NOTHING:
                return "nothing was verified"


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
