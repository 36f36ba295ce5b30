"""`cloudcopy ssh-key`."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from cloudcopy.cli import exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.exits import Refused

app = App(name="ssh-key", help_epilogue="")

Instance = Annotated[
    str | None, Parameter(help="In this instance, by id or label, not in the account.")
]


@app.command
def add(
    file: Annotated[Path, Parameter(help="The public key's file, e.g. ~/.ssh/id_ed25519.pub.")],
    /,
    *,
    instance: Instance = None,
    options: Options = NO_OPTIONS,
) -> Call:
    """Add a public key. Instances that are created from then on get it."""

    async def work(session: Session) -> int:
        try:
            text = file.expanduser().read_text()
        except (OSError, UnicodeDecodeError):
            raise Refused(f"{file} cannot be read.") from None
        place = await _id(session, instance)
        added = await session.client.ssh_keys.add(text, instance=place)
        session.terminal.one(added, (("id", added.id), ("key", added.public_key)))
        return exits.DONE

    return Call(options, work)


@app.command(name="list")
def every(*, instance: Instance = None, options: Options = NO_OPTIONS) -> Call:
    """List public keys."""

    async def work(session: Session) -> int:
        found = await session.client.ssh_keys.list(instance=await _id(session, instance))
        session.terminal.many(
            found,
            ("ID", "KEY", "ADDED"),
            [(each.id, each.public_key, each.created_at) for each in found],
            none="There are no SSH keys.",
        )
        return exits.DONE

    return Call(options, work)


@app.command
def remove(
    id: Annotated[int, Parameter(help="As the list shows it.")],
    /,
    *,
    instance: Instance = None,
    options: Options = NO_OPTIONS,
) -> Call:
    """Take a key from the account, or out of an instance. The other keeps it."""

    async def work(session: Session) -> int:
        await session.client.ssh_keys.remove(id, instance=await _id(session, instance))
        session.terminal.say(f"SSH key {id} is removed.")
        return exits.DONE

    return Call(options, work)


async def _id(session: Session, instance: str | None) -> int | None:
    return None if instance is None else (await session.client.instances.find(instance)).id
