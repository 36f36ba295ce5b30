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
from cloudcopy.adapters.rclone.listing import Side, Unlisted, look, nanoseconds
from cloudcopy.adapters.rclone.names import askable
from cloudcopy.adapters.rclone.pairs import Answer, Told, Trouble, look_over
from cloudcopy.adapters.rclone.rc import RcError
from cloudcopy.adapters.rclone.reasons import (
    AT_SOURCE_NOW,
    NEW_THERE,
    Reason,
    cure,
    reason,
)
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
    if unread := await _unread(spool):
        return unread
    rules = Rules.of(copy.flags, window=survey.window)

    def row(pair: Pair, answer: Answer, behind: Outcome | None) -> FileRow | None:
        return _planned(pair, answer, behind, mirror=mirror)

    await survey.mark(rules, row, told)
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

    def row(pair: Pair, answer: Answer, behind: Outcome | None) -> FileRow | None:
        return _checked(pair, answer, behind, level)

    await survey.mark(rules, row, told)
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
        by_hash=sums.hashed,
        by_size_only=sums.sized,
        errors=tuple(_worded(each) for each in sums.errors),
        log=log.log,
    )
    return Partial(_differences(sums, result), result) if sums.wrong else Done(result)


async def delete(sides: Sides, there: Side, files: Iterable[Facts]) -> dict[str, Reason]:
    """Delete files of the destination that are still what the plan saw; the others, with why.

    What is gone already counts as deleted. Directories that become empty stay.

    Args:
        there: What the destination can say of its files.
    """
    turns = asyncio.Semaphore(listing.AT_ONCE)
    failed: dict[str, Reason] = {}

    async def one(file: Facts) -> None:
        async with turns:
            try:
                why = await _why_not(sides, there, file)
                if why:
                    failed[file.path] = why
                    return
                await sides.rc.call("operations/deletefile", fs=sides.target, remote=file.path)
            except RcError as error:
                known = reason(str(error))
                if known.code != "not_found":
                    failed[file.path] = known

    async with asyncio.TaskGroup() as group:
        for file in files:
            group.create_task(one(file))
    return failed


async def _why_not(sides: Sides, there: Side, file: Facts) -> Reason | None:
    """Why a file must not be deleted, though the plan says so. Raises RcError."""
    if not askable(file.path):
        return _UNNAMEABLE
    if file.later_size is not None:
        return AT_SOURCE_NOW
    now = await look(
        sides.rc.call, sides.target, file.path, times=True, server_times=there.slow_time
    )
    if now is None:
        return None
    unit = _SECOND if there.slow_time else 1
    same_time = nanoseconds(now.time) // unit == nanoseconds(file.there_time or "") // unit
    return None if same_time and now.size == file.there_size else NEW_THERE


def _planned(pair: Pair, answer: Answer, behind: Outcome | None, *, mirror: bool) -> FileRow | None:
    if pair.source is None:
        there = pair.destination
        if not mirror or there is None:
            return None
        if behind is not None:
            return FileRow(pair.path, Outcome.KEPT, there.size, why=_BEHIND_A_LINK)
        return FileRow(pair.path, Outcome.DELETE, there.size, why="only the destination has it")
    if isinstance(answer, Trouble):
        why = f"it could not be compared: {answer.why}"
        return FileRow(pair.path, Outcome.UPDATE, pair.source.size, answer.code, why)
    if answer is None:
        return None
    return FileRow(pair.path, answer.outcome, pair.source.size, answer.code, answer.why)


def _checked(pair: Pair, answer: Answer, behind: Outcome | None, level: Level) -> FileRow | None:
    if pair.source is None:
        there = pair.destination
        if there is None:
            return None
        if behind is Outcome.FAILED:
            return FileRow(pair.path, Outcome.UNREAD, there.size, why=_BEHIND_A_DIRECTORY)
        why = _BEHIND_A_LINK if behind else ""
        return FileRow(pair.path, Outcome.EXTRA, there.size, why=why)
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
_SECOND: Final = 10**9  # nanoseconds
_BEHIND_A_LINK: Final = "the source has a link there, which is not followed"
_BEHIND_A_DIRECTORY: Final = "its directory at the source could not be listed"
_VANISHED: Final = Reason("no_such_source", "the source vanished", "Correct the path.")
_UNNAMEABLE: Final = Reason(
    "bad_name",
    "its name is not UTF-8, or has a character that rclone keeps for itself, so it was not deleted",
    "Remove or rename it by hand.",
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


async def _unread(spool: Spool) -> Broken | None:
    """The end of a plan where a directory of the source could not be listed."""
    async for page in spool.facts([Outcome.FAILED]):
        first = page[0]
        known = Reason(first.code or "error", first.why or "it could not be listed", "")
        place = f"the directory {first.path.rstrip('/')} of the source"
        return refused(
            replace(
                known,
                text=f"{place} could not be listed: {known.text}",
                cure=cure(known.code),
            )
        )
    return None


def _unlisted(error: Unlisted) -> Broken:
    known = error.why
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
            (Outcome.FAILED, "directories could not be listed"),
        )
        if (count := sums.files[outcome])
    ]
    total = result.found + sums.files[Outcome.EXTRA]
    return f"{result.failed} of {total} files differ: {', '.join(parts)}"
