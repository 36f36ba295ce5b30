"""Waiting for a transfer, in front of a person or in a script."""

import asyncio

from cloudcopy.cli import bar, exits
from cloudcopy.cli.addresses import written
from cloudcopy.cli.call import Session


async def follow(session: Session, id: str) -> int:
    """Show the transfer until it has ended; the exit code says how.

    Ctrl-C stops only the watching: the copy is the machine's, not this command's.
    """
    try:
        with bar.shown(session.terminal, now=asyncio.get_running_loop().time) as show:
            transfer = await session.client.transfers.wait(id, show)
    except asyncio.CancelledError:
        session.terminal.say(
            f"Stopped watching; the copy goes on.\n"
            f"  Watch it:  cloudcopy transfer watch {id}\n"
            f"  Cancel it: cloudcopy transfer cancel {id}"
        )
        raise
    return exits.ended(transfer, session.terminal, place=written(transfer)[1])
