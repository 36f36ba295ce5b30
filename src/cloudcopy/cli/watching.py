"""Waiting for a transfer, in front of a person or in a script."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from cloudcopy.cli import bar, exits, report
from cloudcopy.cli.addresses import written
from cloudcopy.cli.call import Session
from cloudcopy.sdk import TransferView

Detach = Annotated[
    bool,
    Parameter(negative=(), show_default=False, help="Do not wait: print the transfer's id."),
]


async def follow(session: Session, id: str) -> int:
    """Show the transfer until it has ended; the exit code says how."""
    return told(session, await end(session, id))


async def follow_or_leave(session: Session, transfer: TransferView, *, detach: bool) -> int:
    """With `detach`, only print the id."""
    if not detach:
        return await follow(session, transfer.id)
    if session.terminal.json:
        session.terminal.data(transfer.model_dump(mode="json"))
    else:
        session.terminal.line(transfer.id)
    session.terminal.say(f"Follow it: cloudcopy transfer watch {transfer.id}")
    return exits.DONE


async def end(session: Session, id: str, *, as_data: bool = True) -> TransferView:
    """Show the transfer until it has ended. With --json on stdout, if it is to be `as_data`.

    Ctrl-C stops only the watching: the copy is the machine's, not this command's.
    """
    terminal, wait = session.terminal, session.client.transfers.wait
    if terminal.json and not as_data:
        return await wait(id)
    try:
        with bar.shown(terminal, now=asyncio.get_running_loop().time) as show:
            return await wait(id, show)
    except asyncio.CancelledError:
        terminal.say(
            f"Stopped watching; the copy goes on.\n"
            f"  Watch it:  cloudcopy transfer watch {id}\n"
            f"  Cancel it: cloudcopy transfer cancel {id}"
        )
        raise


def told(session: Session, transfer: TransferView) -> int:
    """Tell how it ended; the exit code for that."""
    _, place = written(transfer)
    return exits.ended(transfer, session.terminal, place=place, did=report.did(transfer))
