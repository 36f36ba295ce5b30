"""What is copied: trees of files with the same bytes each time, and what is done to them."""

import hashlib
import random
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30
_PER_DIRECTORY: Final = 500
Sums = dict[str, tuple[int, str]]  # size and MD5 by path


class Kind(Enum):
    FRESH = "fresh"  # nothing is at the destination
    AGAIN = "again"  # everything is there already
    CHANGED = "changed"  # everything is, and a few files are other ones by now


@dataclass(frozen=True, slots=True)
class Some:
    """`count` files of `size` bytes."""

    count: int
    size: int

    def __str__(self) -> str:
        for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
            if self.size >= unit:
                return f"{self.count:,} × {self.size / unit:.3g} {name}"
        return f"{self.count:,} × {self.size} B"


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of copy.

    Attributes:
        changed: How many files are other ones in each round.
    """

    name: str
    files: tuple[Some, ...]
    kind: Kind = Kind.FRESH
    changed: int = 0

    def __str__(self) -> str:
        files = " + ".join(map(str, self.files))
        match self.kind:
            case Kind.FRESH:
                return files
            case Kind.AGAIN:
                return f"{files}, nothing to do"
            case Kind.CHANGED:
                return f"{files}, {self.changed:,} changed"


def works(scale: float) -> dict[str, Work]:
    """All of them by name; `scale` makes the many files fewer and the large ones smaller."""

    def fewer(count: int) -> int:
        return max(1, round(count * scale))

    small = (Some(fewer(10_000), 10 * KIB),)
    large = max(MIB, round(2 * GIB * scale / MIB) * MIB)
    eighth = max(MIB, round(256 * scale) * MIB)
    listed = (
        Work("one", (Some(1, KIB),)),
        Work("small", small),
        Work("noop", small, Kind.AGAIN),
        Work("changed", small, Kind.CHANGED, changed=fewer(50)),
        Work("large", (Some(1, large),)),
        Work("mixed", (Some(8, eighth), Some(fewer(2_000), 20 * KIB))),
    )
    return {each.name: each for each in listed}


def plant(root: Path, work: Work) -> None:
    """Fill the directory `root`, which need not exist."""
    for part in work.files:
        for number in range(part.count):
            draw = random.Random(f"{part.size} {number}")
            path = root / f"of-{part.size}" / f"{number // _PER_DIRECTORY:03}" / f"{number:06}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for start in range(0, part.size, MIB):
                    file.write(draw.randbytes(min(MIB, part.size - start)))


def change(root: Path, count: int, *, turn: int) -> list[Path]:
    """Write `count` of the files anew, spread over the tree; the paths of those.

    Each gets one byte more than at the turn before: not every peer looks at the time.
    """
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    some = paths[:: max(1, len(paths) // count)][:count]
    for path in some:
        draw = random.Random(f"{turn} {path.name}")
        path.write_bytes(draw.randbytes(path.stat().st_size + 1))
    return some


def sums(root: Path) -> Sums:
    """Every file below `root`; of its own bytes, read now."""
    paths = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): sum_of(path) for path in paths}


def sum_of(path: Path) -> tuple[int, str]:
    """Size and MD5."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, _md5).hexdigest()


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)  # what a store tells of what it was sent
