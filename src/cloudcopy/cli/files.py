"""What became of each file, and what else is kept about a transfer: `cloudcopy transfer files`,
`log` and `receipt`."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from cloudcopy.cli import exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.output import clean, size
from cloudcopy.cli.saving import Output, saved
from cloudcopy.sdk import FileView, OutcomeName

SHOWN: Final = 20  # rows of a list that nobody asked for in full

Id = Annotated[str, Parameter(help="The transfer's id, e.g. t_01JD8Y...")]


def files(
    id: Id,
    /,
    *,
    outcome: Annotated[
        tuple[OutcomeName, ...],
        Parameter(negative=(), show_default=False, help="Only these; repeat for more."),
    ] = (),
    prefix: Annotated[
        str, Parameter(show_default=False, help="Only paths that begin so, e.g. runs/7/.")
    ] = "",
    attempt: Annotated[
        int | None, Parameter(help="Of this attempt; otherwise the latest with a list.")
    ] = None,
    csv: Annotated[bool, Parameter(negative=(), help="As CSV with a header.")] = False,
    output: Output = None,
    options: Options = NO_OPTIONS,
) -> Call:
    """List what became of each file, sorted by path.

    Of a plan: what would become of it. Of a check: how it compares. In a file,
    and with --json, it is one JSON object per line, unless --csv asks for CSV.
    """

    async def work(session: Session) -> int:
        terminal, transfers = session.terminal, session.client.transfers
        if output is None and not (csv or options.json):
            rows = transfers.files(id, outcomes=outcome, prefix=prefix, attempt=attempt)
            async with aclosing(rows):
                async for each in rows:
                    terminal.row(_cells(each, exact=not terminal.watched))
            return exits.DONE
        form: Final = "csv" if csv else "jsonl"
        if output is None:
            await transfers.files_to(
                terminal.raw, id, outcomes=outcome, prefix=prefix, attempt=attempt, format=form
            )
            return exits.DONE
        with saved(output) as file:
            await transfers.files_to(
                file.write, id, outcomes=outcome, prefix=prefix, attempt=attempt, format=form
            )
        terminal.say(f"Written: {output}")
        return exits.DONE

    return Call(options, work)


def log(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Show the end of the log of the program that copies, rclone.

    While it runs, these are its latest lines.
    """

    async def work(session: Session) -> int:
        lines = (await session.client.transfers.log(id)).splitlines()
        if options.json:
            session.terminal.data(lines)
            return exits.DONE
        for line in lines:
            session.terminal.line(line)
        if not lines:
            session.terminal.say("There is nothing in its log.")
        return exits.DONE

    return Call(options, work)


def receipt(id: Id, /, *, output: Output = None, options: Options = NO_OPTIONS) -> Call:
    """Get the signed receipt of a transfer that succeeded, wholly or in part.

    Keep it: it can be verified without the server, and after it has gone.
    """

    async def work(session: Session) -> int:
        found = await session.client.transfers.receipt(id)
        if output is None:
            session.terminal.data(found.model_dump(mode="json"))
            return exits.DONE
        with saved(Path(output)) as file:
            file.write(f"{found.model_dump_json()}\n".encode())
        session.terminal.say(f"Written: {output}\n  Check it: cloudcopy receipt verify {output}")
        return exits.DONE

    return Call(options, work)


async def tell(
    session: Session,
    id: str,
    outcomes: Sequence[OutcomeName],
    *,
    total: int,
    as_talk: bool = False,
) -> None:
    """Show the first `SHOWN` of `total` files of these outcomes, and say how to see the others.

    They are data, or `as_talk` a part of what a person is told before something is done.
    """
    if not total:
        return
    found: list[FileView] = []
    async with aclosing(session.client.transfers.files(id, outcomes=outcomes)) as rows:
        async for each in rows:
            found.append(each)
            if len(found) == SHOWN:
                break
    terminal = session.terminal
    shown = [_cells(each, exact=not (as_talk or terminal.watched)) for each in found]
    if as_talk:
        for cells in shown:
            terminal.say(clean("  ".join(str(cell) for cell in cells)))
    else:
        terminal.many(found, ("", "SIZE", "PATH", "WHY"), shown, none="The list of them is empty.")
    if total > len(found):
        words = " ".join(f"--outcome {outcome}" for outcome in outcomes)
        terminal.say(
            f"… and {total - len(found)} more. See them all: cloudcopy transfer files {id} {words}"
        )


def _cells(row: FileView, *, exact: bool) -> tuple[object, ...]:
    known = row.size if exact else size(row.size)
    return (row.outcome, known if row.size >= 0 else "", row.path, row.why)
