"""`cloudcopy machine`."""

from typing import Annotated

from cyclopts import App, Parameter

from cloudcopy.cli import exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session

app = App(name="machine", help_epilogue="")


@app.command(name="list")
def every(*, options: Options = NO_OPTIONS) -> Call:
    """List machines."""

    async def work(session: Session) -> int:
        found = await session.client.machines.list()
        session.terminal.many(
            found,
            ("ID", "NAME", "ONLINE", "LAST HEARD"),
            [(each.id, each.name, each.connected, each.seen_at) for each in found],
            none="No machine has joined. Let one in with: cloudcopy machine token",
        )
        return exits.DONE

    return Call(options, work)


@app.command
def token(
    *,
    account: Annotated[
        int | None,
        Parameter(help="Whose the machine and its instances will be; otherwise your own."),
    ] = None,
    options: Options = NO_OPTIONS,
) -> Call:
    """Make a token with which one machine may join, once. For operators.

    The token is the only thing on stdout.
    """

    async def work(session: Session) -> int:
        made = await session.client.machines.new_token(account=account)
        if options.json:
            session.terminal.data(made.model_dump(mode="json"))
            return exits.DONE
        session.terminal.line(made.token)
        session.terminal.say(
            f"Valid until {made.expires_at:%H:%M} UTC. On the machine:\n"
            "  read -rs CLOUDCOPY_JOIN_TOKEN && export CLOUDCOPY_JOIN_TOKEN   (paste it)\n"
            "  cloudcopy agent --server URL --instance LABEL=DIR"
        )
        return exits.DONE

    return Call(options, work)


@app.command(name="give-up")
def give_up(
    machine: Annotated[str, Parameter(help="The machine's id or name.")],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call:
    """End the live transfers of a machine that is gone, as failed. For operators.

    Only for a machine that will not come back: one that is merely silent may
    still be copying.
    """

    async def work(session: Session) -> int:
        found = await session.client.machines.find(machine)
        ended = await session.client.machines.give_up(found.id)
        session.terminal.one(ended, (("ended", f"{ended.ended} transfers of {found.name}"),))
        return exits.DONE

    return Call(options, work)
