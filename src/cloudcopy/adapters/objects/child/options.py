"""What this program is told when it begins (`wire.Begin`)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cloudcopy.adapters.objects.child.call import TRIES

SMALL_AT_ONCE: Final = 64
LARGE_AT_ONCE: Final = 8
_UNITS: Final = {"": 1024, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = re.compile(r"([0-9.]+)([bkmgtp]?)i?", re.IGNORECASE)
_TIME: Final = re.compile(r"([0-9]+)([smh])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Seconds, bytes per second (0 is without limit), and how many files at once.

    Attributes:
        streams: Of one large file.
        mark: Names this copy, also when it is begun again.
    """

    store: dict[str, str] = field(repr=False)
    connect: float = 30.0
    timeout: float = 300.0
    rate: float = 0.0
    transfers: int = 0
    streams: int = 1
    tries: int = TRIES
    mark: str = ""

    @property
    def small(self) -> int:
        return self.transfers or SMALL_AT_ONCE

    @property
    def large(self) -> int:
        return min(LARGE_AT_ONCE, self.transfers or LARGE_AT_ONCE)

    @property
    def pieces(self) -> int:
        """Of all large files together."""
        return min(LARGE_AT_ONCE, self.large * self.streams)

    def chosen(self, config: dict[str, int]) -> "Options":
        """With what one call asks for, in rclone's names."""
        return replace(
            self,
            transfers=config.get("Transfers") or self.transfers,
            streams=config.get("MultiThreadStreams") or self.streams,
        )


def read(words: Sequence[str], store: dict[str, str]) -> Options:
    given = dict(each.lstrip("-").split("=", 1) for each in words)
    return Options(
        store=store,
        connect=seconds(given.get("contimeout", "30s")),
        timeout=seconds(given.get("timeout", "5m")),
        rate=rate(given.get("bwlimit", "off")),
        transfers=int(given.get("transfers", "0")),
        tries=int(given.get("low-level-retries", str(TRIES))),
        mark=given.get("mark", ""),
    )


def rate(text: str) -> float:
    """Bytes per second of rclone's ``10M``; a bare number is in KiB."""
    found = _SIZE.fullmatch(text)
    return float(found[1]) * _UNITS[found[2].lower()] if found else 0.0


def seconds(text: str) -> float:
    found = _TIME.fullmatch(text)
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]] if found else 300.0
