"""`cloudcopy transfer`."""

from typing import Annotated

from cyclopts import App, Parameter

from cloudcopy.cli import exits, watching
from cloudcopy.cli.addresses import written
from cloudcopy.cli.bar import headline
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.output import Terminal, size
from cloudcopy.sdk import StateName, TransferView

app = App(name="transfer", help_epilogue="")

Id = Annotated[str, Parameter(help="The transfer's id, e.g. t_01JD8Y...")]


@app.command(name="list")
def every(
    *,
    state: Annotated[
        tuple[StateName, ...], Parameter(negative=(), help="Only these; repeat for more.")
    ] = (),
    instance: Annotated[str | None, Parameter(help="Only this instance's: id or label.")] = None,
    connection: Annotated[str | None, Parameter(help="Only this connection's: id or name.")] = None,
    limit: Annotated[int, Parameter(help="At most this many.")] = 50,
    options: Options = NO_OPTIONS,
) -> Call:
    """List transfers, newest first."""

    async def work(session: Session) -> int:
        client = session.client
        found: list[TransferView] = []
        pages = client.transfers.list(
            states=state,
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
            ("ID", "STATE", "FROM", "TO", "NOW"),
            [(each.id, each.state, *written(each), _now(each)) for each in found],
            none="There are no such transfers. Start one with: cloudcopy copy SRC DST",
        )
        return exits.DONE

    return Call(options, work)


def _now(transfer: TransferView) -> str:
    """The last column: the numbers while it runs, how it ended after that."""
    if transfer.state == "running":
        return headline(transfer)
    return transfer.reason or (transfer.result.summary if transfer.result else "")


@app.command
def show(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Show one transfer."""

    async def work(session: Session) -> int:
        _show(await session.client.transfers.get(id), session.terminal)
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

    async def work(session: Session) -> int:
        _show(await session.client.transfers.cancel(id), session.terminal)
        session.terminal.say(f"See it stop: cloudcopy transfer watch {id}")
        return exits.DONE

    return Call(options, work)


@app.command
def retry(id: Id, /, *, options: Options = NO_OPTIONS) -> Call:
    """Try a failed or cancelled transfer again.

    What has arrived is not sent twice.
    """

    async def work(session: Session) -> int:
        _show(await session.client.transfers.retry(id), session.terminal)
        session.terminal.say(f"Follow it: cloudcopy transfer watch {id}")
        return exits.DONE

    return Call(options, work)


def _show(transfer: TransferView, terminal: Terminal) -> None:
    source, destination = written(transfer)
    result = transfer.result
    terminal.one(
        transfer,
        (
            ("id", transfer.id),
            ("state", headline(transfer)),
            ("reason", transfer.reason),
            ("from", source),
            ("to", destination),
            ("flags", " ".join(transfer.flags)),
            ("attempt", transfer.attempt),
            ("created", transfer.created_at),
            ("started", transfer.started_at),
            ("ended", transfer.ended_at),
            ("result", result.summary if result else ""),
            ("copied", f"{result.copied} files, {size(result.bytes_copied)}" if result else ""),
            *(("note", note) for note in (result.notes if result else ())),
        ),
    )
