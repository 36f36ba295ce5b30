"""`cloudcopy key`."""

from typing import Annotated

from cyclopts import App, Parameter

from cloudcopy.cli import exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session

app = App(name="key", help_epilogue="")


@app.command
def create(
    name: Annotated[str, Parameter(help="What the key is for; to know it again in the list.")],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call:
    """Make an API key; it is printed this once.

    The key is the only thing on stdout.
    """

    async def work(session: Session) -> int:
        made = await session.client.keys.create(name=name)
        if options.json:
            session.terminal.data(made.model_dump(mode="json"))
            return exits.DONE
        session.terminal.line(made.key)
        session.terminal.say(
            f"This is the only time it is shown. Revoke it with: cloudcopy key revoke {made.id}"
        )
        return exits.DONE

    return Call(options, work)


@app.command(name="list")
def every(*, options: Options = NO_OPTIONS) -> Call:
    """List API keys, without the keys themselves."""

    async def work(session: Session) -> int:
        found = await session.client.keys.list()
        session.terminal.many(
            found,
            ("ID", "NAME", "CREATED", "REVOKED"),
            [(each.id, each.name, each.created_at, each.revoked_at) for each in found],
            none="There are no keys.",
        )
        return exits.DONE

    return Call(options, work)


@app.command
def revoke(
    id: Annotated[str, Parameter(help="The key's id, as the list shows it.")],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call:
    """Make an API key useless from now on."""

    async def work(session: Session) -> int:
        await session.client.keys.revoke(id)
        session.terminal.say(f"Key {id} is revoked.")
        return exits.DONE

    return Call(options, work)
