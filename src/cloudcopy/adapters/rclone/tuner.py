"""How much rclone has in flight in one copy: chosen, said in rclone's words, and learnt from.

The numbers go with each call (`_config`, which rclone heeds for that call alone); options of
the store go into the name under which the call opens it. Neither ever holds a secret.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloudcopy.adapters.rclone.remotes import REMOTE
from cloudcopy.domain.experience import Learnt, place_of, work_of
from cloudcopy.domain.order import Direction
from cloudcopy.domain.pacing import Pacing, Sample, paced
from cloudcopy.domain.tuning import MOST_FILES, Capacity, Known, Sizes, Tuning, most_files, tune
from cloudcopy.ports.engine import Copy
from cloudcopy.ports.experience import Experience, Load, Machine

_PLAIN: Final = f"{REMOTE}:"
FIRST_NAMES: Final = 8_000  # in the first call by name; the next ones hold more and more
HANDSHAKES: Final = {"https": 3, "http": 2}  # round trips of a first request: TCP and TLS, too


class Unlearning:
    """An `Experience` that remembers nothing."""

    async def recall(self, place: str) -> Learnt:
        return Learnt()

    async def learn(self, place: str, learnt: Learnt) -> None:
        """Nothing is kept."""


class Unmeasured:
    """A `Machine` of modest size that is never busy."""

    def capacity(self) -> Capacity:
        return Capacity()

    def load(self, pid: int) -> Load:
        return Load()


@dataclass(kw_only=True)
class Tuner:
    """One copy's.

    Attributes:
        cap: The operator's, on files in flight.
        monotonic: Seconds of a clock that never goes back.
        tuning: The present choice; a careful one until `choose` was told the sizes.
        throttled: How often the store has said "slow down".
        round_trip: Seconds to the store, the least seen; None while unmeasured.
    """

    copy: Copy
    capacity: Capacity
    learnt: Learnt
    monotonic: Callable[[], float]
    cap: int = MOST_FILES
    throttled: int = 0
    round_trip: float | None = None
    sizes: Sizes = field(default_factory=Sizes)
    tuning: Tuning = field(init=False)
    _pacing: Pacing | None = field(default=None, init=False)
    _began: Pacing | None = field(default=None, init=False)
    _calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.tuning = tune(self._known())

    # Chosen

    def choose(self, sizes: Sizes) -> None:
        """The files are known."""
        self.sizes = sizes
        self._pacing = self.learnt.paces.get(self.work)
        if self._pacing is None:
            # Not bounded by how few files these are: the next copy may have more.
            any_number = tune(replace(self._known(), sizes=Sizes()))
            self._pacing = Pacing(files=any_number.transfers)
        self._began = self._pacing
        self.tuning = tune(self._known())

    @property
    def work(self) -> str:
        return work_of(self.sizes, upload=self._upload)

    @property
    def _upload(self) -> bool:
        return self.copy.direction is Direction.TO_CLOUD

    def _known(self) -> Known:
        backend = self.copy.backend
        return Known(
            kind=backend.type,
            upload=self._upload,
            sizes=self.sizes,
            capacity=self.capacity,
            set_by_connection=frozenset(backend.options),
            round_trip=self.round_trip or self.learnt.round_trip,
            learnt=self._pacing.files if self._pacing else None,
            cap=self.cap,
            flags=self.copy.flags,
            verify=self.copy.verify,
        )

    @property
    def files_cap(self) -> str:
        """Who set the number of files in flight, if it was a cap; else empty."""
        own = dict(self.copy.flags.values).get("--transfers")
        if own:
            return f"--transfers {own}"
        capped = self.tuning.transfers == self.cap < MOST_FILES
        return f"--max-concurrency {self.cap}" if capped else ""

    # Said

    def config(self) -> dict[str, Any]:
        """For one call."""
        chosen = self.tuning
        return {
            "Transfers": chosen.transfers,
            "Checkers": chosen.checkers,
            "MultiThreadStreams": chosen.streams,
            "MultiThreadCutoff": chosen.streams_from,
            "MultiThreadChunkSize": chosen.stream_part,
            "BufferSize": chosen.buffer,
        }

    def opened(self, fs: str) -> str:
        """The same place, its store opened as was chosen. What has another name stays."""
        words = ",".join(f"{name}={value}" for name, value in self._options().items())
        if not words or not fs.startswith(_PLAIN):
            return fs
        return fs.replace(_PLAIN, f"{REMOTE},{words}:", 1)

    def _options(self) -> dict[str, str]:
        chosen = self.tuning
        options = {}
        if chosen.part_size and chosen.upload_concurrency:
            options["chunk_size"] = f"{chosen.part_size}B"
            options["upload_concurrency"] = str(chosen.upload_concurrency)
        if chosen.spare_head:
            options["no_head"] = "true"
        if chosen.spare_checksum:
            options["disable_checksum"] = "true"
        return options

    def names_at_once(self, most: int) -> int:
        """How many files the next call by name may be about: few at first, so that the number
        in flight is soon the right one, then more, since the end of a call is idle time."""
        return min(most, FIRST_NAMES << self._calls)

    # Learnt

    def asked(self, seconds: float) -> None:
        """The store answered a question after that long. The first opens the connection."""
        if self.round_trip is None:
            far = self.copy.backend.options.get("endpoint", "https://")
            seconds /= HANDSHAKES["http" if far.startswith("http://") else "https"]
        self.round_trip = min(seconds, self.round_trip or seconds)

    def called(self, *, files: int, bytes: int, seconds: float, throttled: bool) -> None:
        """A call has ended; the next one may have more in flight, or less."""
        self._calls += 1
        self.throttled += throttled
        if self._pacing is None:
            return
        sample = Sample(
            in_flight=self.tuning.transfers,
            files=files,
            bytes=bytes,
            seconds=seconds,
            throttled=throttled,
        )
        self._pacing = paced(self._pacing, sample, cap=most_files(self._known()))
        self.tuning = tune(self._known())

    def lesson(self) -> Learnt:
        """All that is known of the store now."""
        known = self.learnt
        if self.round_trip is not None:
            known = known.measured(self.round_trip)
        # What a caller's cap has shaped says nothing about the store.
        if self._pacing and self._pacing != self._began and not self.files_cap:
            known = known.paced(self.work, self._pacing)
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuners:
    """Makes the tuner of each copy, and keeps what it learnt.

    Attributes:
        cap: See `Tuner`.
    """

    experience: Experience = field(default_factory=Unlearning)
    machine: Machine = field(default_factory=Unmeasured)
    cap: int = MOST_FILES

    async def begin(self, copy: Copy, monotonic: Callable[[], float]) -> Tuner:
        capacity = await asyncio.to_thread(self.machine.capacity)
        learnt = await self.experience.recall(place_of(copy.backend))
        return Tuner(copy=copy, capacity=capacity, learnt=learnt, monotonic=monotonic, cap=self.cap)

    async def end(self, tuner: Tuner) -> None:
        lesson = tuner.lesson()
        if lesson != tuner.learnt:
            await self.experience.learn(place_of(tuner.copy.backend), lesson)
