"""What keeps a running copy from being faster, in one sentence."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloudcopy.domain.progress import size

NEAR: Final = 0.85  # of a cap or of all cores: as good as reached
STALLED: Final = 0.4  # of the time something waited for a disk
LATENT: Final = 0.5  # of the time of each file is spent on the way
FELT_SECONDS: Final = 0.005  # a shorter way is no reason for anything
TRIPS: Final = (
    1.5  # round trips that a small file takes at the least, its body's acknowledgement in
)


class Limit(StrEnum):
    """Which of them it is; the order is that in which they are looked for."""

    THROTTLING = "throttling"
    BANDWIDTH_CAP = "bandwidth_cap"
    CPU = "cpu"
    DISK = "disk"
    FILES_CAP = "files_cap"
    LATENCY = "latency"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What was read of a copy and its machine over the last seconds.

    Attributes:
        throttled: How often the store has said "slow down" so far.
        rate, files_rate: Bytes and files per second.
        bandwidth: The limit in bytes per second; 0 for none.
        bandwidth_word: How the caller wrote it.
        cores: That may be used. `busy` is how many are, by all of this machine.
        io_stalled: Part of the time in which something waited for a disk; None where the
            kernel does not tell.
        in_flight, transfers: Files that are and that may be.
        files_cap: Who set `transfers`, e.g. ``--transfers 2``; empty when we did.
        round_trip: To the store, in seconds; None while unmeasured.
    """

    upload: bool
    throttled: int = 0
    rate: float = 0.0
    files_rate: float = 0.0
    bandwidth: int = 0
    bandwidth_word: str = ""
    cores: float = 1.0
    busy: float = 0.0
    io_stalled: float | None = None
    in_flight: int = 0
    transfers: int = 1
    files_cap: str = ""
    round_trip: float | None = None


@dataclass(frozen=True, slots=True)
class Limited:
    kind: Limit
    text: str


def limited_by(read: Gauges) -> Limited:
    """The first that explains it. A guess from the outside: the sentence says what was seen."""
    if read.throttled:
        times = "once" if read.throttled == 1 else f"{read.throttled} times"
        return Limited(Limit.THROTTLING, f"the store is throttling (it said so {times})")
    if read.bandwidth and read.rate >= NEAR * read.bandwidth:
        return Limited(Limit.BANDWIDTH_CAP, f"your cap ({read.bandwidth_word})")
    if read.busy >= NEAR * read.cores:
        share = min(100, round(100 * read.busy / read.cores))
        cores = f"{read.cores:g} cores" if read.cores != 1 else "its one core"
        return Limited(Limit.CPU, f"CPU of this machine ({share} % of {cores} busy)")
    if read.io_stalled is not None and read.io_stalled >= STALLED:
        which = "source" if read.upload else "destination"
        waited = f"{round(100 * read.io_stalled)} % of the time waited for it"
        return Limited(Limit.DISK, f"the {which} disk ({waited})")
    full = read.in_flight >= read.transfers
    if full and read.files_cap:
        return Limited(Limit.FILES_CAP, f"your cap ({read.files_cap})")
    if full and _latent(read):
        trip = _milliseconds(read.round_trip or 0.0)
        return Limited(
            Limit.LATENCY, f"latency ({read.in_flight} files in flight at a round trip of {trip})"
        )
    return Limited(Limit.NETWORK, f"the network or the store ({size(int(read.rate))}/s)")


def _latent(read: Gauges) -> bool:
    """Whether the files that are in flight are so mostly because the store is far away."""
    if not read.round_trip or read.round_trip < FELT_SECONDS or not read.files_rate:
        return False
    each = read.in_flight / read.files_rate  # seconds, by Little's law
    return TRIPS * read.round_trip >= LATENT * each


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
