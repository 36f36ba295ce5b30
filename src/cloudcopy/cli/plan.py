"""`cloudcopy plan`, `cloudcopy apply` and `cloudcopy mirror`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from cloudcopy.cli import addresses, exits, files, plan_file, report, watching
from cloudcopy.cli.approve import approve
from cloudcopy.cli.call import NO_OPTIONS, Call, Environ, Options, Session
from cloudcopy.cli.exits import Refused
from cloudcopy.cli.flags import NO_FLAGS, Bwlimit, Compare, Flags, Verify
from cloudcopy.cli.saving import Output, saved
from cloudcopy.cli.sides import Destination, Sides, Source, accepted, sides
from cloudcopy.cli.watching import Detach
from cloudcopy.sdk import Conflict, ModeName, TransferView, VerifyName

ANSWER: Final = "answer"

Work = Callable[[Session], Awaitable[int | Call]]

planning = App(name="plan", usage="Usage: cloudcopy plan [OPTIONS] SRC DST", help_epilogue="")
planning.command(approve)

Confirm = Annotated[
    int | None,
    Parameter(
        name="--confirm-deletions",
        show_default=False,
        help="Yes, this many files are to be deleted. It must be their exact number.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a plan is to be carried out."""

    confirmed: int | None
    verify: VerifyName
    bwlimit: str
    detach: bool


@planning.default
def plan(
    src: Source,
    dst: Destination,
    /,
    *,
    mirror: Annotated[
        bool,
        Parameter(negative=(), show_default=False, help="Also delete what only DST has."),
    ] = False,
    output: Output = None,
    compare: Compare = None,
    flags: Flags = NO_FLAGS,
    options: Options = NO_OPTIONS,
) -> Call:
    """The words for people are in `app`."""

    async def work(session: Session) -> int:
        asked = await sides(session, addresses.route(src, dst), flags, compare)
        made = await _made(session, asked, mode="mirror" if mirror else "copy")
        if made.state != "succeeded":
            return watching.told(session, made)
        if output is not None:
            with saved(output) as file:
                near = output.parent if output.is_file() or not output.exists() else None
                await plan_file.write(session, made, file.write, near=near)
        elif options.json:
            await plan_file.write(session, made, session.terminal.raw)
            return exits.DONE
        else:
            await _show_deletions(session, made, as_talk=False)
            await _show_copies(session, made)
        code = watching.told(session, made)
        if output is not None:
            session.terminal.say(f"Carry it out: cloudcopy apply {output}")
        return code

    return Call(options, work)


def apply(
    file: Annotated[Path, Parameter(help="A plan, as `cloudcopy plan -o FILE` wrote it.")],
    /,
    *,
    confirm_deletions: Confirm = None,
    detach: Detach = False,
    verify: Verify = "hash",
    bwlimit: Bwlimit = "",
    options: Options = NO_OPTIONS,
) -> Call:
    """The words for people are in `app`."""
    wish = Wish(confirmed=confirm_deletions, verify=verify, bwlimit=bwlimit, detach=detach)

    async def work(session: Session) -> int:
        header = await asyncio.to_thread(plan_file.read, file)
        if await session.client.receipt_key() != header.server_key:
            raise Refused(
                f"{file} was made by another server.",
                next=("Name the one it is of with --url or CLOUDCOPY_URL.",),
            )
        made = await session.client.plans.get(header.plan)
        if not header.of(made):
            raise Refused(
                f"{file} does not agree with the plan {made.id} that it names.",
                next=("Make another plan: cloudcopy plan SRC DST -o plan.jsonl",),
            )
        if not options.json:
            await _show_deletions(session, made, as_talk=True)
        _must_fit(made, wish.confirmed)
        return await _carry_out(session, made, wish)

    return Call(options, work)


def mirror(
    src: Source,
    dst: Destination,
    /,
    *,
    confirm_deletions: Confirm = None,
    detach: Detach = False,
    compare: Compare = None,
    verify: Verify = "hash",
    bwlimit: Bwlimit = "",
    flags: Flags = NO_FLAGS,
    options: Options = NO_OPTIONS,
) -> Call:
    """The words for people are in `app`."""
    wish = Wish(confirmed=confirm_deletions, verify=verify, bwlimit=bwlimit, detach=detach)

    async def work(session: Session) -> int | Call:
        asked = await sides(session, addresses.route(src, dst), flags, compare)
        made = await _made(session, asked, mode="mirror")
        if made.state != "succeeded" or made.result is None:
            return watching.told(session, made)
        if options.json:
            session.terminal.data(made.model_dump(mode="json"))
        else:
            await _show_deletions(session, made, as_talk=True)
            session.terminal.say(report.did(made))
        deletions = made.result.deleted
        if not deletions or wish.confirmed is not None:
            _must_fit(made, wish.confirmed)
            return await _carry_out(session, made, wish)
        if options.json or not (sys.stdin.isatty() and session.terminal.err.is_terminal):
            raise Refused(
                f"This would delete {deletions} files at the destination.",
                next=(f"If they are to go, say so: --confirm-deletions {deletions}",),
            )
        question = f"Delete {deletions} files at the destination? [y/N] "
        return Call(options, _if_yes(made, wish, options), _asking(question))

    return Call(options, work)


def _asking(question: str) -> Callable[[Environ], Mapping[str, str]]:
    def ask(_: Environ) -> Mapping[str, str]:
        sys.stderr.write(question)
        sys.stderr.flush()
        return {ANSWER: sys.stdin.readline().strip()}

    return ask


def _if_yes(made: TransferView, wish: Wish, options: Options) -> Work:
    async def work(session: Session) -> int | Call:
        if session.answers[ANSWER].lower() not in {"y", "yes"}:
            return _unconfirmed(session)
        try:
            return await _carry_out(session, made, wish)
        except Conflict as error:
            if error.code != "deletions_not_confirmed":
                raise
            session.terminal.say(error.detail)
        question = "Type the number of files to delete, to delete them: "
        return Call(options, _if_counted(made, wish), _asking(question))

    return work


def _if_counted(made: TransferView, wish: Wish) -> Work:
    async def work(session: Session) -> int:
        deletions = made.result.deleted if made.result else 0
        if session.answers[ANSWER] != str(deletions):
            return _unconfirmed(session)
        return await _carry_out(session, made, replace(wish, confirmed=deletions))

    return work


def _unconfirmed(session: Session) -> int:
    session.terminal.problem("It was not confirmed, so nothing was done.", (), code="not_confirmed")
    return exits.CANCELLED


async def _made(session: Session, asked: Sides, *, mode: ModeName) -> TransferView:
    """A plan that has ended."""
    begun = await accepted(session, session.client.plans.create(**asked, mode=mode))
    return await watching.end(session, begun.id, as_data=False)


def _must_fit(made: TransferView, confirmed: int | None) -> None:
    """Raises Refused: what was confirmed is not what the plan shows."""
    deletions = made.result.deleted if made.result else 0
    if confirmed is not None and confirmed != deletions:
        raise Refused(
            f"--confirm-deletions {confirmed} does not fit: the plan deletes {deletions} files.",
            next=("Look at what it deletes, and confirm that number.",),
        )


async def _carry_out(session: Session, made: TransferView, wish: Wish) -> int:
    transfer = await accepted(
        session,
        session.client.plans.apply(
            made.id, confirm_deletions=wish.confirmed, verify=wish.verify, bwlimit=wish.bwlimit
        ),
    )
    return await watching.follow_or_leave(session, transfer, detach=wish.detach)


async def _show_deletions(session: Session, made: TransferView, *, as_talk: bool) -> None:
    total = made.result.deleted if made.result else 0
    await files.tell(session, made.id, ("delete",), total=total, as_talk=as_talk)


async def _show_copies(session: Session, made: TransferView) -> None:
    total = made.result.copied if made.result else 0
    await files.tell(session, made.id, ("new", "update"), total=total)
