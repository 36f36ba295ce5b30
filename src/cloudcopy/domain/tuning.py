"""How much a copy has in flight: from what is known before it begins, never by the user.

Everything is bounded three times: by what the store allows (`providers`), by the caps of the
user and the operator, and by a share of this machine's memory. What the caller's own flags
say is taken as it is. No choice here changes what is compared; `spare_head` and
`spare_checksum`, which leave out a check of rclone's, are chosen only where a later one of
ours does the same (docs/tuning.md has the table).
"""

from dataclasses import dataclass, field, replace
from typing import Final

from cloudcopy.domain.flags import Flags
from cloudcopy.domain.order import Verify
from cloudcopy.domain.providers import GIB, MIB, Facts, facts

MOST_FILES: Final = 128  # in flight; measured: beyond it nothing gets faster on any store
FAR_SECONDS: Final = 0.05  # a round trip from which on twice as many files are in flight
NEAR_SECONDS: Final = 0.003  # an answer that quick comes from this machine or the next one
LARGE: Final = 64 * MIB  # from here on a file is worth several streams
BUFFER: Final = 16 * MIB  # rclone's read buffer of one file; a smaller file takes its size
PART: Final = 16 * MIB  # measured at 30 ms: 5 MiB is slower, 64 MiB gains nothing
DOWNLOAD_PART: Final = 64 * MIB
PARTS_IN_FLIGHT: Final = 32  # of all files together
MOST_STREAMS: Final = 8  # of one file; measured: 16 gain nothing on one link
OWN_STREAMS: Final = 4  # of one file that is sent, where rclone is left to its own: its default
MEMORY_SHARE: Final = 0.25  # of this machine's, for all copies together
MIN_MEMORY: Final = 64 * MIB  # of one copy: less could send nothing
CHECKERS: Final = 64
NEVER: Final = 1 << 60  # a size that no file has


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The files a copy is about, as the listing told them. Those of unknown size count 0."""

    files: int = 0
    bytes: int = 0
    large: int = 0  # of at least `LARGE`
    largest: int = 0

    @property
    def small(self) -> bool:
        """Whether most of the time goes into files, not into bytes."""
        return not self.files or self.bytes / self.files < MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What this machine has for all its copies.

    Attributes:
        cores: That this process may use; a limit of its container counts.
        memory: Bytes, likewise.
        copies: How many copies may run at once.
    """

    cores: float = 1.0
    memory: int = 2 * GIB
    copies: int = 1

    @property
    def share(self) -> int:
        """Bytes that one copy may fill with buffers."""
        return max(MIN_MEMORY, int(self.memory * MEMORY_SHARE) // max(1, self.copies))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that the choice rests on.

    Attributes:
        kind: rclone's backend of the store.
        set_by_connection: Options of the backend that the connection says itself; they stay.
        round_trip: To the store, in seconds; None while unmeasured.
        learnt: Files in flight that were best before, here and with this store; None for none.
        cap: The operator's, on files in flight.
    """

    kind: str
    upload: bool
    sizes: Sizes
    capacity: Capacity = Capacity()
    set_by_connection: frozenset[str] = frozenset()
    round_trip: float | None = None
    learnt: int | None = None
    cap: int = MOST_FILES
    flags: Flags = field(default_factory=Flags)
    verify: Verify = Verify.HASH


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What is in flight in one copy. Sizes are bytes.

    Attributes:
        transfers: Files.
        checkers: Comparisons and listings.
        part_size, upload_concurrency: Of a file that is sent in parts; 0 leaves it to rclone.
        streams: Of one file; 1 is a single stream. rclone sends in `upload_concurrency` of them.
        streams_from: Files of this size and more are fetched by rclone in several streams.
        stream_part: Of one of those streams.
        buffer: Read ahead for each file.
        spare_head: Do not ask for each object after it was sent.
        spare_checksum: Do not read a large file for its MD5 before it is sent.
    """

    transfers: int
    checkers: int
    part_size: int = 0
    upload_concurrency: int = 0
    streams: int = 1
    streams_from: int = NEVER
    stream_part: int = DOWNLOAD_PART
    buffer: int = BUFFER
    spare_head: bool = False
    spare_checksum: bool = False

    def memory(self, sizes: Sizes) -> int:
        """Bytes that its buffers fill at the most."""
        large = min(sizes.large, self.transfers)
        small = max(0, self.transfers - large)
        each = min(self.buffer, LARGE if sizes.large else sizes.largest)
        parts = max(1, self.upload_concurrency) * self.part_size
        return large * (self.buffer + parts) + small * each


def tune(known: Known) -> Tuning:
    """The same knowledge always gives the same answer."""
    store = facts(known.kind)
    own = dict(known.flags.values)
    transfers = int(own["--transfers"]) if "--transfers" in own else _files(known, store)
    checkers = int(own["--checkers"]) if "--checkers" in own else _checkers(known, store)
    chosen = Tuning(transfers=transfers, checkers=checkers)
    chosen = _sent(chosen, known, store) if known.upload else _fetched(chosen, known)
    return _within(chosen, known, store, fixed="--transfers" in own)


def most_files(known: Known) -> int:
    """More files are never in flight."""
    own = dict(known.flags.values).get("--transfers")
    return int(own) if own else max(1, min(facts(known.kind).most_files, known.cap, MOST_FILES))


def _files(known: Known, store: Facts) -> int:
    files = known.learnt or store.files
    if known.learnt is None and (known.round_trip or 0.0) >= FAR_SECONDS:
        files *= 2
    if known.sizes.files:
        files = min(files, known.sizes.files)
    return max(1, min(files, most_files(known)))


def _checkers(known: Known, store: Facts) -> int:
    return max(1, min(CHECKERS, store.files, known.cap))


def _sent(chosen: Tuning, known: Known, store: Facts) -> Tuning:
    ours = store.options - known.set_by_connection
    proven = known.verify is not Verify.NONE
    part, at_once = 0, 0
    # Near by, more in flight only competes for the same cores (measured: slower by half).
    if not _near(known) and store.parts_at_once and {"chunk_size", "upload_concurrency"} <= ours:
        large = max(1, min(known.sizes.large, chosen.transfers))
        at_once = max(1, min(MOST_STREAMS, PARTS_IN_FLIGHT // large, known.cap))
        part = min(store.max_part, max(PART, least_part(known.sizes.largest, store)))
    return replace(
        chosen,
        part_size=part,
        upload_concurrency=at_once,
        streams=at_once or max(1, min(OWN_STREAMS, known.cap)),
        spare_head="no_head" in ours and proven,
        spare_checksum="disable_checksum" in ours and known.verify is not Verify.HASH,
    )


def _fetched(chosen: Tuning, known: Known) -> Tuning:
    large = max(1, min(known.sizes.large, chosen.transfers))
    streams = max(1, min(MOST_STREAMS, PARTS_IN_FLIGHT // large, known.cap))
    if _near(known):
        streams = 1
    return replace(chosen, streams=streams, streams_from=4 * LARGE if streams > 1 else NEVER)


def _near(known: Known) -> bool:
    return known.round_trip is not None and known.round_trip < NEAR_SECONDS


def least_part(size: int, store: Facts) -> int:
    """The smallest part by which a file of `size` bytes fits, in whole MiB."""
    if not store.max_parts:
        return store.min_part
    needed = -(-size // store.max_parts)
    return max(store.min_part, -(-needed // MIB) * MIB)


def _within(chosen: Tuning, known: Known, store: Facts, *, fixed: bool) -> Tuning:
    """The same, made to fit into memory: first fewer parts, then smaller ones, then less read
    ahead, and fewer files last; a number of files that the caller has `fixed` stays."""
    room, sizes = known.capacity.share, known.sizes
    while chosen.upload_concurrency > 1 and chosen.memory(sizes) > room:
        chosen = replace(chosen, upload_concurrency=chosen.upload_concurrency // 2)
    least = least_part(sizes.largest, store)
    while chosen.part_size > least and chosen.memory(sizes) > room:
        chosen = replace(chosen, part_size=max(least, chosen.part_size // 2))
    while chosen.buffer > MIB and chosen.memory(sizes) > room:
        chosen = replace(chosen, buffer=chosen.buffer // 2)
    while not fixed and chosen.transfers > 1 and chosen.memory(sizes) > room:
        chosen = replace(chosen, transfers=chosen.transfers // 2)
    # The second mover has a buffer of `PART` for each stream, of smaller files, too.
    large = max(1, min(sizes.large, chosen.transfers))
    most = max(1, room // (PART * large))
    if chosen.upload_concurrency:
        most = min(most, chosen.upload_concurrency)
    return replace(chosen, streams=min(chosen.streams, most))
