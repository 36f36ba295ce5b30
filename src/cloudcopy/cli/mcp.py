"""`cloudcopy mcp`: the tools for a model, over stdin and stdout."""

from cloudcopy.cli import exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Options, Session
from cloudcopy.cli.exits import Refused


def mcp(*, options: Options = NO_OPTIONS) -> Call:
    """The words for people are in `app`."""

    async def work(session: Session) -> int:
        try:
            from cloudcopy.cli import tools  # noqa: PLC0415 - an extra, and slow to import
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "mcp":
                raise
            raise Refused(
                "`cloudcopy mcp` needs the package mcp, which is not installed here.",
                next=("pip install 'cloudcopy[mcp]'",),
            ) from None
        await tools.server(session).run_stdio_async()
        return exits.DONE

    return Call(options, work)
