"""Both sides compared and nothing moved: plans and checks. And a mirror's deletions."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from cloudcopy.adapters.rclone import listing
from cloudcopy.adapters.rclone.account import Account, account
from cloudcopy.adapters.rclone.ending import refused
from cloudcopy.adapters.rclone.facts import Facts, Pair
from cloudcopy.adapters.rclone.ledger import Ledger
from cloudcopy.adapters.rclone.listing import Unlisted
from cloudcopy.adapters.rclone.pairs import Answer, Told, Trouble, look_over
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import Reason, reason
from cloudcopy.adapters.rclone.sides import Sides
from cloudcopy.adapters.rclone.spool import Spool
from cloudcopy.domain.compare import Level, Rules, level_of
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.order import Mode
from cloudcopy.domain.progress import Digests, ErrorGroup, Result, Verified
from cloudcopy.ports.engine import Broken, Done, End, Partial


async def plan(sides: Sides, spool: Spool, log: Ledger, told: Told, *, name: str = "") -> End:
    """What a copy, or a mirror, would do. The rows are in the spool and in the copy's ledger.

    Args:
        name: Of the source, if it is one file.

    Raises:
        RcError: a side could not be asked.
    """
    copy = sides.copy
    mirror = copy.mode is Mode.MIRROR
    try:
        survey = await look_over(sides, spool, log, name=name)
    except Unlisted as error:
        return _unlisted(error)
    absent = await _absent(sides, spool, name)
    if absent is None and mirror and not spool.found:
        absent = _EMPTY
    if absent:
        return refused(absent)
    rules = Rules.of(copy.flags, window=survey.window)
    await survey.mark(rules, lambda pair, answer: _planned(pair, answer, mirror=mirror), told)
    sums = await account(spool, _row, copy.ledger)
    files = sums.files
    source, destination = await spool.digests()
    return Done(
        Result(
            found=sums.found,
            bytes_found=sums.bytes_found,
            copied=files[Outcome.NEW] + files[Outcome.UPDATE],
            bytes_copied=sums.sizes[Outcome.NEW] + sums.sizes[Outcome.UPDATE],
            unchanged=files[Outcome.UNCHANGED],
            kept=files[Outcome.KEPT],
            deleted=files[Outcome.DELETE],
            skipped=tuple(sorted(sums.skipped.items())),
            at_destination=sums.at_destination,
            digests=Digests(source=source, destination=destination),
            dry_run=True,
            log=log.log,
        )
    )


async def check(sides: Sides, spool: Spool, log: Ledger, told: Told, *, name: str = "") -> End:
    """Whether both sides are equal, at the level the flags ask for. See `plan`."""
    level = level_of(sides.copy.flags)
    try:
        survey = await look_over(sides, spool, log, name=name)
    except Unlisted as error:
        return _unlisted(error)
    absent = await _absent(sides, spool, name)
    if absent:
        return refused(absent)
    rules = Rules(level=level, window=survey.window)
    await survey.mark(rules, lambda pair, answer: _checked(pair, answer, level), told)
    sums = await account(spool, _row, sides.copy.ledger)
    verified = Verified.HASH if sums.hashed else Verified.SIZE if sums.sized else Verified.NOTHING
    result = Result(
        found=sums.found,
        bytes_found=sums.bytes_found,
        unchanged=sums.files[Outcome.SAME],
        failed=sums.wrong,
        skipped=tuple(sorted(sums.skipped.items())),
        at_destination=sums.at_destination,
        bytes_verified=sums.bytes_verified,
        verified=verified,
        hash=spool.kind if verified is Verified.HASH else "",
        by_size_only=sums.sized if level is Level.CHECKSUM else 0,
        errors=tuple(_worded(each) for each in sums.errors),
        log=log.log,
    )
    return Partial(_differences(sums, result), result) if sums.wrong else Done(result)


async def delete(sides: Sides, names: Iterable[str]) -> dict[str, Reason]:
    """Delete files of the destination; those that could not be, with why.

    What is gone already counts as deleted. Directories that become empty stay.
    """
    turns = asyncio.Semaphore(listing.AT_ONCE)
    failed: dict[str, Reason] = {}

    async def one(name: str) -> None:
        if "\N{REPLACEMENT CHARACTER}" in name:
            failed[name] = _UNNAMEABLE
            return
        async with turns:
            try:
                await sides.rc.call("operations/deletefile", fs=sides.target, remote=name)
            except RcError as error:
                known = reason(str(error))
                if known.code != "not_found":
                    failed[name] = known

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(one(name))
    return failed


def _planned(pair: Pair, answer: Answer, *, mirror: bool) -> FileRow | None:
    if pair.source is None:
        there = pair.destination
        if not mirror or there is None:
            return None
        return FileRow(pair.path, Outcome.DELETE, there.size, why="only the destination has it")
    if isinstance(answer, Trouble):
        why = f"it could not be compared: {answer.why}"
        return FileRow(pair.path, Outcome.UPDATE, pair.source.size, answer.code, why)
    if answer is None:
        return None
    return FileRow(pair.path, answer.outcome, pair.source.size, answer.code, answer.why)


def _checked(pair: Pair, answer: Answer, level: Level) -> FileRow | None:
    if pair.source is None:
        there = pair.destination
        return FileRow(pair.path, Outcome.EXTRA, there.size) if there else None
    size = pair.source.size
    if isinstance(answer, Trouble):
        return FileRow(pair.path, Outcome.UNREAD, size, answer.code, answer.why)
    if answer is None:
        return None
    if answer.outcome is Outcome.NEW:
        return FileRow(pair.path, Outcome.MISSING, size)
    if answer.outcome is Outcome.UPDATE:
        return FileRow(pair.path, Outcome.DIFFERS, size, why=answer.why)
    verified = Verified.NOTHING if level is Level.EXISTS else Verified.SIZE
    if answer.hashed:
        verified = Verified.HASH
    why = answer.why if level is not Level.EXISTS else ""
    return FileRow(pair.path, Outcome.SAME, size, why=why, verified=verified)


def _row(facts: Facts) -> FileRow | None:
    """As it was marked; the hash only of what it was compared by."""
    row = facts.marked()
    return row if row is None or row.verified is Verified.HASH else replace(row, hash="")


# Words


_EMPTY: Final = Reason(
    "no_such_source",
    "the source has no files, and a mirror of it would delete everything at the destination",
    "Correct the path or the filters.",
)
_VANISHED: Final = Reason("no_such_source", "the source vanished", "Correct the path.")
# rclone's answers have it for every byte that is not UTF-8, so this is no name to go by.
_UNNAMEABLE: Final = Reason(
    "bad_name", "its name is not UTF-8, so it cannot be named", "Remove or rename it by hand."
)
_WORDS: Final = {
    "missing": ("only the source has it", "Copy again to bring it to the destination."),
    "extra": ("only the destination has it", "Remove it there, if it should not be there."),
    "differs": ("the two sides differ", "Copy again; with --checksum, if the sizes are equal."),
}


async def _absent(sides: Sides, spool: Spool, name: str) -> Reason | None:
    """Why there is no source, where nothing was found."""
    if spool.found:
        return None
    return _VANISHED if name else await sides.source_missing()


def _unlisted(error: Unlisted) -> Broken:
    known = reason(str(error))
    place = f"the directory {error.directory}" if error.directory else "its top directory"
    return refused(replace(known, text=f"{place} could not be listed: {known.text}"))


def _worded(group: ErrorGroup) -> ErrorGroup:
    text, cure = _WORDS.get(group.code, (group.text, group.cure))
    return replace(group, text=text, cure=cure)


def _differences(sums: Account, result: Result) -> str:
    """One sentence, e.g. ``3 of 812 files differ: 2 have other content, 1 is missing``."""
    parts = [
        f"{count} {word}"
        for outcome, word in (
            (Outcome.DIFFERS, "not the same"),
            (Outcome.MISSING, "only at the source"),
            (Outcome.EXTRA, "only at the destination"),
            (Outcome.UNREAD, "could not be compared"),
        )
        if (count := sums.files[outcome])
    ]
    total = result.found + sums.files[Outcome.EXTRA]
    return f"{result.failed} of {total} files differ: {', '.join(parts)}"
