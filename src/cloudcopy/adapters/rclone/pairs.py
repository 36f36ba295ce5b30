"""Both sides of an order listed into the spool, and compared there pair by pair.

What a listing does not tell for nothing (the times of files on S3, the hashes of local files)
is looked at only where the comparison asks for it, which is where the sizes are equal.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cloudcopy.adapters.rclone import listing
from cloudcopy.adapters.rclone.facts import Facts, Pair, pair
from cloudcopy.adapters.rclone.ledger import Ledger, Part
from cloudcopy.adapters.rclone.left_out import hidden
from cloudcopy.adapters.rclone.listing import Call, Listed, Side, Unlisted, nanoseconds
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import reason
from cloudcopy.adapters.rclone.sides import NOT_THERE, Sides
from cloudcopy.adapters.rclone.spool import OPEN, Spool
from cloudcopy.adapters.rclone.walk import walk
from cloudcopy.domain.compare import Decision, Level, Need, Rules, Seen, decide, level_of
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.order import Mode

_LEFT: Final = (Outcome.UNCHANGED, Outcome.KEPT)
AT_ONCE: Final = 256  # pairs between two words about how far it is

Told = Callable[[int, int], None]
"""Called with the numbers of files and bytes that were compared since the last call."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why two files could not be compared."""

    code: str
    why: str


Answer = Decision | Trouble | None
"""None for what only the destination has."""

Row = Callable[[Pair, Answer, Outcome | None], FileRow | None]
"""What becomes of a pair; None for nothing to say. Last comes as what that was marked in which
the source may have the file though its listing did not show it (`left_out.hidden`)."""


@dataclass(frozen=True, slots=True)
class Eye:
    """One side, and how to see more of it than its listing shows.

    Attributes:
        file: Where the one file is in `fs`, when it is about one; its name may be another.
        hashed: The listing has asked for hashes.
    """

    call: Call
    fs: str
    side: Side
    kind: str
    file: str = ""
    hashed: bool = False

    async def listed(self, name: str) -> AsyncIterator[Sequence[Listed]]:
        """Everything under the caller's filters; or the one file `name`, if it is there.

        Where the time of each file costs a request, the time of its arrival stands for it:
        equal times mean an equal file there, too.

        Raises:
            Unlisted: what and why.
        """
        hashes = (self.kind,) if self.hashed else ()
        if not self.file:
            server = self.side.slow_time
            batches = walk(self.call, self.fs, hashes=hashes, times=True, server_times=server)
            async for batch in batches:
                yield batch
            return
        try:
            found = await listing.look(self.call, self.fs, self.file, hashes=hashes, times=True)
        except RcError as error:
            raise Unlisted("", error) from error
        if found:
            yield [Listed(name, found.size, found.time, found.hashes)]

    def seen(self, file: Listed) -> Seen:
        """What the listing has told."""
        return Seen(
            file.size,
            None if self.side.slow_time or not file.time else nanoseconds(file.time),
            file.hashes.get(self.kind, "") if self.hashed or not self.kind else None,
        )

    async def closer(self, paths: Sequence[str], need: Need) -> dict[str, Seen | Trouble]:
        """Look at `paths` again. A store that must be asked for each tells all at once."""
        slow = self.side.slow_hash
        hash = bool(self.kind) and (need is Need.HASH or not slow)
        found = await listing.look_at(
            self.call,
            self.fs,
            [self.file or path for path in paths],
            hashes=(self.kind,) if hash else (),
            times=True,
        )
        return {path: self._seen(found[self.file or path], hash=hash) for path in paths}

    def _seen(self, file: Listed | RcError | None, *, hash: bool) -> Seen | Trouble:
        if file is None:
            return Trouble("vanished", "it vanished meanwhile")
        if isinstance(file, RcError):
            known = reason(str(file))
            return Trouble(known.code, known.text)
        told = file.hashes.get(self.kind, "") if hash or not self.kind else None
        return Seen(file.size, nanoseconds(file.time), told)


@dataclass(frozen=True, slots=True)
class Survey:
    """Both sides, listed."""

    spool: Spool
    log: Ledger
    source: Eye
    destination: Eye

    @property
    def window(self) -> int | None:
        """See `domain.compare.Rules`."""
        ours, theirs = self.source.side.precision, self.destination.side.precision
        return None if ours is None or theirs is None else max(ours, theirs)

    async def mark(self, rules: Rules, row: Row, told: Told) -> None:
        """Compare every pair and mark it.

        What the source has and cannot be copied was marked as it was listed, and stays so.
        """
        async for page in self.spool.facts():
            for start in range(0, len(page), AT_ONCE):
                facts = [each for each in page[start : start + AT_ONCE] if not _skipped(each)]
                await self._mark([pair(each, self.spool.kind) for each in facts], rules, row)
                told(len(facts), sum(max(0, each.size or 0) for each in facts))

    async def settle(self, rules: Rules) -> None:
        """Mark the files that rclone may not have come to, and would have left as they are."""
        async for page in self.spool.facts():
            open_ = [each for each in page if _unsaid(each) and _same_size(each)]
            for start in range(0, len(open_), AT_ONCE):
                some = open_[start : start + AT_ONCE]
                await self._mark([pair(each, self.spool.kind) for each in some], rules, _left)

    async def close(self, rules: Rules) -> None:
        """Decide the files that are marked as `OPEN`: they are looked at one by one."""
        async for page in self.spool.facts([Outcome.UPDATE], where=f"code = '{OPEN}'"):
            for start in range(0, len(page), AT_ONCE):
                some = page[start : start + AT_ONCE]
                await self._mark([pair(each, self.spool.kind) for each in some], rules, decided)

    async def _mark(self, pairs: Sequence[Pair], rules: Rules, row: Row) -> None:
        comparison = _Comparison(self.source, self.destination, rules, self.log)
        answers = await comparison.of(pairs)
        await self.spool.hashes(comparison.hashes, destination=False)
        behind = await hidden(self.spool, [each.path for each in pairs if each.source is None])
        rows = [row(each, answers.get(each.path), behind.get(each.path)) for each in pairs]
        await self.spool.mark([each for each in rows if each is not None])


@dataclass(slots=True)
class _Comparison:
    """Of a few pairs. `hashes`: those of the source that had to be looked at, by path."""

    source: Eye
    destination: Eye
    rules: Rules
    log: Ledger
    hashes: list[tuple[str, str]] = field(default_factory=list)

    async def of(self, pairs: Sequence[Pair]) -> dict[str, Answer]:
        """An answer for each path of the source."""
        answers: dict[str, Answer] = {}
        open_: dict[str, tuple[Seen, Seen | None]] = {
            each.path: (
                self.source.seen(each.source),
                self.destination.seen(each.destination) if each.destination else None,
            )
            for each in pairs
            if each.source
        }
        while open_:
            needs: dict[Need, list[str]] = {need: [] for need in Need}
            for path, (ours, theirs) in open_.items():
                answer = decide(ours, theirs, self.rules)
                if isinstance(answer, Need):
                    needs[answer].append(path)
                else:
                    answers[path] = answer
            seen = open_
            open_ = {}
            for need, paths in needs.items():
                for path, closer in (await self._closer(paths, need, seen)).items():
                    if isinstance(closer, Trouble):
                        answers[path] = closer
                    else:
                        open_[path] = closer
        return answers

    async def _closer(
        self, paths: Sequence[str], need: Need, seen: dict[str, tuple[Seen, Seen | None]]
    ) -> dict[str, tuple[Seen, Seen] | Trouble]:
        if not paths:
            return {}
        self.log.begin(Part.HASH)
        ours, theirs = await asyncio.gather(
            _look(self.source, {path: seen[path][0] for path in paths}, need),
            _look(self.destination, {path: seen[path][1] for path in paths}, need),
        )
        # rclone answers without a hash when it could not read the file, and logs why.
        unread = {
            each.path: Trouble(each.code, each.why)
            for each in self.log.take()
            if each.outcome is Outcome.FAILED
        }
        self.log.begin(Part.OTHER)
        found: dict[str, tuple[Seen, Seen] | Trouble] = {}
        for path in paths:
            ours_, theirs_ = unread.get(path, ours[path]), theirs[path]
            if isinstance(ours_, Trouble):
                found[path] = ours_
            elif isinstance(theirs_, Trouble):
                found[path] = theirs_
            else:
                found[path] = (ours_, theirs_)
                if ours_.hash and not seen[path][0].hash:
                    self.hashes.append((path, ours_.hash))
        return found


async def _look(eye: Eye, known: dict[str, Seen | None], need: Need) -> dict[str, Seen | Trouble]:
    """Each of them with what is needed; those that are known well enough are not asked for."""
    found: dict[str, Seen | Trouble] = {}
    for path, seen in known.items():
        if seen is not None and (seen.time if need is Need.TIME else seen.hash) is not None:
            found[path] = seen
    missing = [path for path in known if path not in found]
    return found | (await eye.closer(missing, need) if missing else {})


async def look_over(sides: Sides, spool: Spool, log: Ledger, *, name: str = "") -> Survey:
    """List both sides into the spool. What cannot be copied is marked as skipped.

    Two listings of the same files in the same state give the same `Spool.digests`.

    Args:
        name: Of the source, if it is one file.

    Raises:
        Unlisted: a directory could not be listed. That the destination or the source is not
            there at all is no error: then it has no files.
        RcError: a side could not be asked.
    """
    near, far = await sides.kinds()
    spool.kind = listing.shared_hash(near, far)
    by_hash = level_of(sides.copy.flags) is Level.CHECKSUM
    survey = surveyed(sides, spool, log, near, far, name=name, by_hash=by_hash)
    log.begin(Part.SOURCE)
    async for batch in unless_absent(survey.source.listed(name)):
        await spool.source(batch)
        await spool.mark(log.take())
    await spool.mark(log.take())  # of directories without a file
    if sides.copy.mode is Mode.MIRROR and sides.copy.flags.rules:
        await _see_links(sides, spool, log)
    log.begin(Part.OTHER)
    async for batch in unless_absent(survey.destination.listed(name)):
        await spool.destination(batch, known_only=False)
    return survey


def surveyed(
    sides: Sides,
    spool: Spool,
    log: Ledger,
    near: Side,
    far: Side,
    *,
    name: str = "",
    by_hash: bool = False,
) -> Survey:
    """Both sides as the spool has them."""
    at_source = sides.file_at_source(name) if name else (sides.source, "")
    hashed = by_hash and bool(spool.kind)
    source, destination = (
        Eye(sides.rc.call, fs, side, spool.kind, file, hashed=hashed and not side.slow_hash)
        for (fs, file), side in ((at_source, near), ((sides.target, name), far))
    )
    return Survey(spool, log, source, destination)


async def _see_links(sides: Sides, spool: Spool, log: Ledger) -> None:
    """Mark the links that the filters leave out: rclone says nothing of them, and what the
    destination has behind one is not known to be extra."""
    batches = walk(sides.rc.call, sides.source, everything=True, unlisted=lambda _: None)
    async for _ in unless_absent(batches):
        await spool.mark(_links(log))
    await spool.mark(_links(log))


def _links(log: Ledger) -> list[FileRow]:
    return [each for each in log.take() if each.outcome is Outcome.SKIPPED]


async def unless_absent(
    batches: AsyncIterator[Sequence[Listed]],
) -> AsyncIterator[Sequence[Listed]]:
    """The same batches; none where the top does not exist."""
    try:
        async for batch in batches:
            yield batch
    except Unlisted as error:
        if error.directory or reason(str(error)).code not in NOT_THERE:
            raise


def _unsaid(facts: Facts) -> bool:
    return facts.outcome is None or (facts.code == OPEN and not facts.tries)


def _same_size(facts: Facts) -> bool:
    return facts.size is not None and facts.size == facts.there_size


def _left(pair: Pair, answer: Answer, behind: Outcome | None) -> FileRow | None:
    """What is left as it is; None for the rest."""
    if not isinstance(answer, Decision) or answer.outcome not in _LEFT or not pair.source:
        return None
    return FileRow(pair.path, answer.outcome, pair.source.size, answer.code, answer.why)


def decided(pair: Pair, answer: Answer, behind: Outcome | None) -> FileRow | None:
    """What is to become of a file of the source; one that could not be compared is copied."""
    if pair.source is None or answer is None:
        return None
    if isinstance(answer, Trouble):
        return FileRow(pair.path, Outcome.UPDATE, pair.source.size, answer.code, answer.why)
    return FileRow(pair.path, answer.outcome, pair.source.size, answer.code, answer.why)


def _skipped(facts: Facts) -> bool:
    return facts.outcome == Outcome.SKIPPED
