"""A directory like a training run's: thousands of small files, a few large ones, odd names.

The same seed gives the same bytes, so a failure can be looked at again.
"""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20
_SMALLEST: Final = 1 << 10
_LARGEST_SMALL: Final = 16 << 10
_ODD_NAMES: Final = (
    "größe und höhe.txt",
    "データ/学習 001.json",
    "emoji 🚀 #1 100%.bin",
    "e\u0301 decomposed.txt",  # an e and a combining accent
    "\u00e9 composed.txt",  # the same letter as one character: another file
    "plus+and&quote'.csv",
    "-leading-dash",
    ".hidden/.config",
)


@dataclass(frozen=True, slots=True)
class Size:
    files: int
    bytes: int


def make(root: Path, *, small: int = 3_000, large: int = 3, seed: int = 20_240_501) -> None:
    """Fill the empty directory `root`.

    Args:
        small: Files of 1 to 16 KiB, in nested directories; the odd names are among them.
        large: Files of 100 to 128 MiB.
    """
    draw = random.Random(seed)
    pool = draw.randbytes(4 * MIB)
    for number in range(small):
        path = root / _small_name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        length = draw.randint(_SMALLEST, _LARGEST_SMALL)
        start = draw.randrange(len(pool) - length)
        path.write_bytes(pool[start : start + length])
    (root / "empty file").touch()
    (root / "empty directory").mkdir()
    (root / "checkpoints").mkdir()
    for number in range(large):
        length = draw.randint(100 * MIB, 128 * MIB)
        with (root / "checkpoints" / f"step-{number:04}.safetensors").open("wb") as file:
            for start in range(0, length, 4 * MIB):
                file.write(draw.randbytes(min(4 * MIB, length - start)))


def _small_name(number: int) -> str:
    if number < len(_ODD_NAMES):
        return f"odd names/{_ODD_NAMES[number]}"
    return f"dataset/part-{number % 40:02}/{number % 7}/sample-{number:05}.json"


def hashes(root: Path) -> dict[str, str]:
    """SHA-256 of every file by its path below `root`; directories have none, as in stores."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[str(path.relative_to(root))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def measure(root: Path) -> Size:
    sizes = [path.stat().st_size for path in root.rglob("*") if path.is_file()]
    return Size(len(sizes), sum(sizes))


def differences(left: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """The paths that one side lacks, or that differ; empty when the two are the same."""
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
