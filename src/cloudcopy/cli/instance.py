"""`cloudcopy instance`."""

from typing import Annotated

from cyclopts import App, Parameter

from cloudcopy.cli import exits, lifecycle
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session

app = App(name="instance", help_epilogue="")
for command in (
    lifecycle.offers,
    lifecycle.create,
    lifecycle.start,
    lifecycle.stop,
    lifecycle.reboot,
    lifecycle.label,
    lifecycle.destroy,
    lifecycle.logs,
    lifecycle.execute,
):
    app.command(command)


@app.command(name="list")
def every(*, options: Options = NO_OPTIONS) -> Call:
    """List instances."""

    async def work(session: Session) -> int:
        found = await session.client.instances.list()
        session.terminal.many(
            found,
            ("ID", "LABEL", "MACHINE", "STATUS", "ONLINE", "ROOT"),
            [
                (
                    each.id,
                    each.label,
                    each.machine_name,
                    each.actual_status,
                    each.connected,
                    each.root,
                )
                for each in found
            ],
            none="There are no instances. Run `cloudcopy up` here, or an agent on a machine.",
        )
        return exits.DONE

    return Call(options, work)


@app.command
def show(
    instance: Annotated[str, Parameter(help="The instance's id or label.")],
    /,
    *,
    options: Options = NO_OPTIONS,
) -> Call:
    """Show one instance."""

    async def work(session: Session) -> int:
        found = await session.client.instances.find(instance)
        session.terminal.one(
            found,
            (
                ("id", found.id),
                ("label", found.label),
                ("machine", f"{found.machine_name} ({found.machine})"),
                ("online", found.connected),
                ("status", found.actual_status),
                ("wanted", found.intended_status),
                ("image", found.image),
                ("message", found.status_msg),
                ("root", found.root),
            ),
        )
        return exits.DONE

    return Call(options, work)
