"""Calls that copy: many files by their names, or one."""

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from cloudcopy.adapters.objects.child import fetching, few, local, moving, sending
from cloudcopy.adapters.objects.child.call import Call, Counts, Flying, Limit, log
from cloudcopy.adapters.objects.child.cloud import Cloud
from cloudcopy.adapters.objects.child.failing import Failure, Stopped, Unsupported
from cloudcopy.adapters.objects.child.names import directory, place
from cloudcopy.adapters.objects.child.options import Options
from cloudcopy.adapters.objects.child.pieces import Pieces
from cloudcopy.adapters.objects.child.sums import Sums
from cloudcopy.adapters.objects.child.width import Width

_OBJECT: Final = "*s3.Object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copier:
    """Copies between one store and one instance."""

    cloud: Cloud
    sums: Sums
    limit: Limit
    parts: local.Unfinished
    begun: sending.Unfinished = field(default_factory=sending.Unfinished)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def named(
        self,
        call: Call,
        source: str,
        target: str,
        names: Iterable[str],
        counts: Counts,
        *,
        options: Options,
    ) -> None:
        """All of them, whatever the destination has.

        Raises:
            Failure: some failed; the text is the last one's.
        """
        between, upload = self._between(call, source, target, counts)
        run = _Run(self, between, options, upload=upload)
        run.over([(each, between.place(each)) for each in names])

    def one(
        self,
        call: Call,
        source: tuple[str, str],
        target: tuple[str, str],
        counts: Counts,
        *,
        options: Options,
    ) -> None:
        """A single file, which may get another name."""
        between, upload = self._between(call, source[0], target[0], counts)
        fs, path = target if upload else source
        name = source[1] if upload else target[1]
        _Run(self, between, options, upload=upload).over([(name, place(fs, path))])

    def _between(
        self, call: Call, source: str, target: str, counts: Counts
    ) -> tuple[moving.Between, bool]:
        here, there = directory(source), directory(target)
        if (here is None) == (there is None):
            raise Unsupported("unsupported: both sides are of one kind")
        between = moving.Between(
            call=call,
            cloud=self.cloud,
            root=here or there or "",
            below=place(target if here else source, ""),
            counts=counts,
            limit=self.limit,
            sums=self.sums,
            unfinished=self.parts,
        )
        return between, here is not None

    def leave(self) -> None:
        """Take away what is not whole, for the end of this program."""
        self.parts.remove()
        self.begun.abort()

    def number(self) -> int:
        return next(self._numbers)


Pair = tuple[str, str, int]
"""A name on the instance, a place in the store, and the size, as far as it is known."""


class _Run:
    """One call that copies."""

    def __init__(
        self, copier: Copier, between: moving.Between, options: Options, *, upload: bool
    ) -> None:
        self._copier = copier
        self._options = options
        self._between = between
        self._upload = upload
        self._waiting: queue.SimpleQueue[Pair | None] = queue.SimpleQueue()
        self._large: queue.SimpleQueue[Pair | None] = queue.SimpleQueue()
        self._pieces: Pieces | None = None
        self._few = False
        self._turn = threading.Lock()
        self._narrow, self._wide = Width(), Width()
        self._drivers: list[threading.Thread] = []

    def over(self, pairs: list[tuple[str, str]]) -> None:
        counts, call = self._between.counts, self._between.call
        with counts.turn:
            counts.total += len(pairs)
        small = total = 0
        for name, at in pairs:
            size = self._size(name, at)
            total += size
            if size > moving.SMALL:
                self._to_large((name, at, size))
            else:
                self._waiting.put((name, at, size))
                small += 1
        with counts.turn:
            counts.total_bytes += total
        call.refused = self._refused
        self._few = small <= few.MOST
        threads = [
            threading.Thread(target=self._all_small, args=(number,), daemon=True)
            for number in range(min(self._options.small, small))
        ]
        for _ in threads:
            self._waiting.put(None)
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        for _ in self._drivers:
            self._large.put(None)
        for each in self._drivers:
            each.join()
        if self._pieces:
            self._pieces.close()
        call.check()
        if counts.errors:
            raise Failure(counts.last_error)

    def _size(self, name: str, place: str) -> int:
        """As far as it is known; 0 otherwise, and for what is not there."""
        if not self._upload:
            return self._between.cloud.sizes.get(place, 0)
        try:
            entry = local.look(self._between.root, name)
        except Failure:
            return 0
        return entry.status.st_size if entry else 0

    def _to_large(self, pair: Pair) -> None:
        with self._turn:
            self._large.put(pair)
            if self._pieces is None:
                self._pieces = Pieces(self._options.pieces, self._between.call, self._wide)
            if len(self._drivers) < self._options.large:
                driver = threading.Thread(target=self._all_large, daemon=True)
                self._drivers.append(driver)
                driver.start()

    def _all_small(self, number: int) -> None:
        way = few if self._few else moving

        def go(place: str, file: Flying) -> int:
            if self._upload:
                return moving.upload(self._between, place, file, way.put)
            return moving.download(self._between, place, file, way.get)

        most, width = self._options.small, self._narrow
        while True:
            width.wait(number, most, self._between.call)
            pair = self._waiting.get()
            if pair is None:
                width.open()
                return
            try:
                if self._file(pair, go):
                    width.done(most)
            except moving.TooLarge:
                self._to_large(pair)

    def _all_large(self) -> None:
        between, pieces = self._between, self._pieces

        def go(place: str, file: Flying) -> int:
            assert pieces is not None  # noqa: S101 - made before the first driver
            if self._upload:
                return sending.upload(between, place, file, pieces, self._copier.begun)
            return fetching.download(between, place, file, pieces)

        while (pair := self._large.get()) is not None:
            self._file(pair, go)

    def _file(self, pair: Pair, go: Callable[[str, Flying], int]) -> bool:
        """One file to its end, which is logged; whether that is a good one."""
        name, place, known = pair
        counts, call = self._between.counts, self._between.call
        if call.stopped.is_set():
            return False
        number = self._copier.number()
        file = Flying(name, known)
        with counts.turn:
            counts.flying[number] = file
        kind = local.OBJECT if self._upload else _OBJECT
        try:
            size = go(place, file)
            log("info", "Copied (new)", name, kind, size)
            return True
        except Failure as error:
            counts.failed(str(error))
            log("error", f"Failed to copy: {error}", name, kind)
        except Stopped:
            log("error", "Failed to copy: context canceled", name, kind)
        except OSError as error:
            counts.failed(str(error))
            log("error", f"Failed to copy: {error.strerror}", name, kind)
        finally:
            with counts.turn:
                counts.flying.pop(number, None)
        return False

    def _refused(self, began: float) -> None:
        self._between.counts.refused()
        for each in (self._narrow, self._wide):
            each.refused(began)


def names(path: str) -> list[str]:
    """Those in a file, one in each line."""
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123
        return [each for each in file.read().split("\n") if each]


def filtered(parameters: dict[str, Any]) -> list[str] | None:
    """The names that a call is about; None for all."""
    files = parameters.get("_filter", {}).get("FilesFromRaw")
    return names(files[0]) if files else None
