"""`cloudcopy plan approve`: a person lets a program carry out what it planned."""

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Final

from cyclopts import Parameter

from cloudcopy.cli import exits, files, report
from cloudcopy.cli.addresses import written
from cloudcopy.cli.call import NO_OPTIONS, Call, Environ, Options, Session
from cloudcopy.cli.exits import Refused
from cloudcopy.cli.output import Terminal

ANSWER: Final = "answer"


def approve(
    plan: Annotated[str, Parameter(help="The plan's id, as the program gave it.")],
    /,
    *,
    confirm_deletions: Annotated[
        int | None,
        Parameter(show_default=False, help="Without a question: their exact number."),
    ] = None,
    options: Options = NO_OPTIONS,
) -> Call:
    """Approve a plan that a program made, so that the program may carry it out.

    It shows what would be deleted, asks, and prints the approval: a text to
    hand to the program. It is for this plan, works once, and for an hour. The
    program must have an API key of its own.
    """

    async def look(session: Session) -> int | Call:
        made = await session.client.plans.get(plan)
        if made.state != "succeeded" or made.result is None:
            raise Refused(
                f"The plan {plan} is {made.state}; only one that has succeeded can be approved.",
                next=(f"Look at it: cloudcopy transfer show {plan}",),
            )
        deletions = made.result.deleted
        if not options.json:
            src, dst = written(made)
            session.terminal.say(f"{made.mode} {src} → {dst}")
            await files.tell(session, plan, ("delete",), total=deletions, as_talk=True)
            session.terminal.say(report.did(made))
        if confirm_deletions is not None:
            _must_be(confirm_deletions, deletions)
            return await _approved(session, plan)
        if options.json or not (sys.stdin.isatty() and session.terminal.err.is_terminal):
            raise Refused(
                f"This would let a program delete {deletions} files at the destination.",
                next=(f"If they are to go, say so: --confirm-deletions {deletions}",),
            )

        async def answered(session: Session) -> int:
            if session.answers[ANSWER].strip().lower() not in {"y", "yes"}:
                return _unconfirmed(session.terminal)
            return await _approved(session, plan)

        return Call(options, answered, _question(deletions))

    return Call(options, look)


def _question(deletions: int) -> Callable[[Environ], Mapping[str, str]]:
    def ask(_: Environ) -> Mapping[str, str]:
        sys.stderr.write(f"Let the program do this, and delete {deletions} files? [y/N] ")
        sys.stderr.flush()
        return {ANSWER: sys.stdin.readline()}

    return ask


def _must_be(confirmed: int, deletions: int) -> None:
    if confirmed != deletions:
        raise Refused(
            f"The plan deletes {deletions} files, not {confirmed}.",
            next=("Look at it once more before you confirm it.",),
        )


def _unconfirmed(terminal: Terminal) -> int:
    terminal.problem("It was not confirmed, so nothing was approved.", (), code="not_confirmed")
    return exits.CANCELLED


async def _approved(session: Session, plan: str) -> int:
    made = await session.client.plans.approve(plan)
    if session.terminal.json:
        session.terminal.data(made.model_dump(mode="json"))
    else:
        session.terminal.say(
            f"Hand this to the program; it works once, until {made.expires_at:%H:%M} UTC:"
        )
        session.terminal.line(made.approval)
    return exits.DONE
