"""One command's call of the server.

A command only reads its arguments and returns a `Call`; `app` runs it with the environment
it was built with. So no command reads the environment, and each can be tried out alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from cyclopts import Group, Parameter

from cloudcopy.cli import exits
from cloudcopy.cli.exits import Refused
from cloudcopy.cli.output import Terminal
from cloudcopy.sdk import Client, CloudCopyError

Environ = Mapping[str, str]

DEFAULT_URL: Final = "http://127.0.0.1:8420"  # where `cloudcopy up` listens
URL_VARIABLE: Final = "CLOUDCOPY_URL"
KEY_VARIABLE: Final = "CLOUDCOPY_API_KEY"

_EVERYWHERE = Group("Everywhere", sort_key=100)


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """The options that every command of the server takes."""

    url: Annotated[
        str | None,
        Parameter(
            group=_EVERYWHERE,
            help=f"The server's address; otherwise {URL_VARIABLE}, otherwise {DEFAULT_URL}.",
        ),
    ] = None
    json: Annotated[
        bool,
        Parameter(group=_EVERYWHERE, negative=(), help="Write the API's JSON, one value per line."),
    ] = False


NO_OPTIONS: Final = Options()


@dataclass(frozen=True)
class Session:
    """What a command works with.

    Attributes:
        answers: What `Call.ask` collected. There may be secrets among it.
    """

    client: Client
    terminal: Terminal
    answers: Mapping[str, str] = field(repr=False)


def _nothing(_: Environ) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Call:
    """What a command wants done.

    Attributes:
        work: Talks to the server and returns the exit code, or what is wanted next.
        ask: Collects secrets from the environment, stdin or a person. It runs before the
            event loop, so that Ctrl-C works at a prompt.
    """

    options: Options
    work: Callable[[Session], Awaitable["int | Call"]]
    ask: Callable[[Environ], Mapping[str, str]] = _nothing

    def run(self, environ: Environ) -> int:
        """Do it; errors become words and an exit code."""
        terminal = Terminal(json=self.options.json)
        try:
            key = environ.get(KEY_VARIABLE, "")
            if not key:
                raise exits.NoKey
            url = self.options.url or environ.get(URL_VARIABLE) or DEFAULT_URL
            wish: Call | int = self
            while isinstance(wish, Call):
                wish = asyncio.run(wish._run(url, key, wish.ask(environ), terminal))
            return wish
        except Refused as error:
            return exits.refused(error, terminal)
        except CloudCopyError as error:
            return exits.failed(error, terminal)
        except KeyboardInterrupt:
            return exits.INTERRUPTED
        except BrokenPipeError:
            return exits.cut_off()

    async def _run(
        self, url: str, key: str, answers: Mapping[str, str], terminal: Terminal
    ) -> "int | Call":
        async with Client(url, key) as client:
            return await self.work(Session(client, terminal, answers))
