"""`cloudcopy transfer`."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from cyclopts import App, Parameter

from cloudcopy.cli import exits, files, report, watching
from cloudcopy.cli.addresses import written
from cloudcopy.cli.bar import counts, headline
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.files import Id
from cloudcopy.cli.output import Terminal, size
from cloudcopy.sdk import StateName, TransferView, WorkName
from cloudcopy.sdk.transfers import Transfers

app = App(name="transfer", help_epilogue="")


@app.command(name="list")
def every(
    *,
    state: Annotated[
        tuple[StateName, ...], Parameter(negative=(), help="Only these; repeat for more.")
    ] = (),
    work: Annotated[
        WorkName | None, Parameter(help="Only copies, only plans or only checks.")
    ] = None,
    instance: Annotated[str | None, Parameter(help="Only this instance's: id or label.")] = None,
    connection: Annotated[str | None, Parameter(help="Only this connection's: id or name.")] = None,
    limit: Annotated[int, Parameter(help="At most this many.")] = 50,
    options: Options = NO_OPTIONS,
) -> Call:
    """List transfers, plans and checks, newest first."""

    async def fetch(session: Session) -> int:
        client = session.client
        found: list[TransferView] = []
        pages = client.transfers.list(
            states=state,
            work=work,
            instance=(await client.instances.find(instance)).id if instance else None,
            connection=(await client.connections.find(connection)).id if connection else None,
            page_size=max(1, min(limit, 50)),
        )
        async for transfer in pages:
            if len(found) >= limit:
                break
            found.append(transfer)
        session.terminal.many(
            found,
            ("ID", "WORK", "STATE", "FROM", "TO", "NOW"),
            [(each.id, each.work, each.phase, *written(each), _now(each)) for each in found],
            none="There are no such transfers. Start one with: cloudcopy copy SRC DST",
        )
        return exits.DONE

    return Call(options, fetch)


def _now(transfer: TransferView) -> str:
    """The last column: the numbers while it lives, how it ended after that."""
    if transfer.ended_at is None and transfer.state in {"queued", "running", "paused"}:
        return headline(transfer)
    return transfer.reason or report.did(transfer)


@app.command
def show(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Show one transfer."""

    async def work(session: Session) -> int:
        _show(await session.client.transfers.get(id), session.terminal)
        return exits.DONE

    return Call(options, work)


@app.command(name="report")
def full(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Report what a transfer did.

    The numbers, how it was verified and by whom, and its failures by kind with
    what to do now.
    """

    async def work(session: Session) -> int:
        terminal = session.terminal
        transfer = await session.client.transfers.get(id)
        terminal.one(transfer, report.facts(transfer))
        result = transfer.result
        if terminal.json or result is None:
            return exits.DONE
        for line in report.failures(result.errors):
            terminal.line(line)
        if result.failed and transfer.work == "transfer":
            terminal.say(
                f"Every file that failed: cloudcopy transfer files {id} --outcome failed\n"
                f"Try them again:         cloudcopy transfer retry {id} --failed"
            )
        return exits.DONE

    return Call(options, work)


@app.command
def watch(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Watch a transfer until it has ended.

    Ctrl-C stops the watching, not the copy. The exit code says how it ended.
    """

    async def work(session: Session) -> int:
        return await watching.follow(session, id)

    return Call(options, work)


@app.command
def cancel(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Ask the machine to stop a transfer.

    One that has finished by then stays succeeded.
    """
    return _change(
        lambda transfers: transfers.cancel(id),
        f"See it stop: cloudcopy transfer watch {id}",
        options,
    )


@app.command
def pause(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Stop a transfer and keep what has arrived.

    It waits until it is resumed, also when the server or the machine restarts.
    """
    return _change(
        lambda transfers: transfers.pause(id),
        f"Let it go on: cloudcopy transfer resume {id}",
        options,
    )


@app.command
def resume(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Let a paused transfer go on.

    What has arrived is not sent twice; a file that was on its way begins again.
    """
    return _change(lambda transfers: transfers.resume(id), _follow(id), options)


@app.command
def retry(
    id: Id,
    /,
    *,
    failed: Annotated[
        bool,
        Parameter(negative=(), show_default=False, help="Only the files that failed."),
    ] = False,
    options: Options = NO_OPTIONS,
) -> Call:
    """Try a transfer again that failed, in part too, or was cancelled.

    What has arrived is not sent twice.
    """
    return _change(
        lambda transfers: transfers.retry(id, only="failed" if failed else "all"),
        _follow(id),
        options,
    )


@app.command
def limit(
    id: Id,
    rate: Annotated[
        str,
        Parameter(
            help="Bytes per second: 10M; off; or a timetable: '08:00,1M 18:00,off [Europe/Berlin]'."
        ),
    ],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call:
    """Change the bandwidth of a transfer, also while it runs.

    Without a zone, the times of a timetable are UTC.
    """
    return _change(lambda transfers: transfers.limit(id, rate), _follow(id), options)


app.command(files.files)
app.command(files.log)
app.command(files.receipt)


def _follow(id: str) -> str:
    return f"Follow it: cloudcopy transfer watch {id}"


def _change(
    ask: Callable[[Transfers], Awaitable[TransferView]], then: str, options: Options
) -> Call:
    """Ask for a change, show what came of it, and say what to do `then`."""

    async def work(session: Session) -> int:
        _show(await ask(session.client.transfers), session.terminal)
        session.terminal.say(then)
        return exits.DONE

    return Call(options, work)


def _show(transfer: TransferView, terminal: Terminal) -> None:
    source, destination = written(transfer)
    result = transfer.result
    terminal.one(
        transfer,
        (
            ("id", transfer.id),
            ("work", "" if transfer.work == "transfer" else transfer.work),
            ("state", headline(transfer)),
            ("files", counts(transfer)),
            ("reason", transfer.reason),
            ("from", source),
            ("to", destination),
            ("mode", "" if transfer.mode == "copy" else transfer.mode),
            ("plan", transfer.plan),
            ("flags", " ".join(transfer.flags)),
            ("compare", transfer.compare),
            ("verify", transfer.verify if transfer.work == "transfer" else ""),
            ("limit", transfer.bwlimit),
            ("scope", "only what failed before" if transfer.scope == "failed" else ""),
            ("attempt", transfer.attempt),
            ("created", transfer.created_at),
            ("started", transfer.started_at),
            ("ended", transfer.ended_at),
            ("result", report.did(transfer)),
            ("copied", f"{result.copied} files, {size(result.bytes_copied)}"
             if result and transfer.work == "transfer" else ""),
            ("limited", report.limited(result) if result else ""),
            *(("note", note) for note in (result.notes if result else ())),
        ),
    )  # fmt: skip
