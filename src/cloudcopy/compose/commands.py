"""The commands that run something here: up, server, agent."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from cloudcopy.cli import exits
from cloudcopy.compose import agent as agents
from cloudcopy.compose import logs
from cloudcopy.compose import server as servers
from cloudcopy.compose import up as everything
from cloudcopy.compose.settings import (
    DEFAULT_COPIES,
    DEFAULT_DATA_DIR,
    DEFAULT_LISTEN,
    DEFAULT_RATE,
    AgentSettings,
    ServerSettings,
    Tools,
    address,
    instances,
    limits,
    machine_name,
)
from cloudcopy.compose.settings import rate as rated
from cloudcopy.domain.errors import CloudCopyError, Invalid, first
from cloudcopy.domain.tuning import MOST_FILES
from cloudcopy.domain.turns import Limits

DEFAULT: Final = Limits()

Instances = Annotated[
    tuple[str, ...],
    Parameter(
        name="--instance",
        negative=(),
        help="LABEL=DIR: a directory that copies may use, and its name. Repeat for more.",
    ),
]
DataDir = Annotated[Path, Parameter(name="--data-dir", help="Where everything is kept.")]
Listen = Annotated[str, Parameter(name="--listen", help="HOST:PORT; port 0 takes a free one.")]
Copies = Annotated[int, Parameter(name="--copies", help="How many copies run at once.")]
MaxConcurrency = Annotated[
    int,
    Parameter(
        name="--max-concurrency",
        help="Files in flight in each copy, at most; how many is chosen below that.",
    ),
]
LocalStore = Annotated[
    Path | None,
    Parameter(name="--local-store", help="Where connections of type `local` may lie."),
]
PublicUrl = Annotated[
    str, Parameter(name="--public-url", help="This server's address behind a proxy.")
]
MaxPerAccount = Annotated[
    int, Parameter(name="--max-per-account", help="Copies of one account at once; others queue.")
]
MaxPerConnection = Annotated[
    int, Parameter(name="--max-per-connection", help="The same for each connection.")
]
MaxPerInstance = Annotated[
    int, Parameter(name="--max-per-instance", help="The same for each instance.")
]
PerSecond = Annotated[
    float,
    Parameter(name="--rate", help="How often each API key may be used in a second; 0: no limit."),
]
Burst = Annotated[
    int | None,
    Parameter(
        name="--burst", help="How often at once after a pause; by default 10 seconds' worth."
    ),
]
Rclone = Annotated[
    Path | None, Parameter(name="--rclone", help="An rclone instead of the packaged one.")
]
Engine = Annotated[
    Literal["auto", "rclone"],
    Parameter(
        name="--engine",
        env_var="CLOUDCOPY_ENGINE",
        help="rclone: it moves all files. auto: obstore does, for S3, where it can and is faster.",
    ),
]
Sandbox = Annotated[
    Literal["bubblewrap", "landlock"] | None,
    Parameter(name="--sandbox", help="Instead of the first that works."),
]
Unconfined = Annotated[
    bool,
    Parameter(
        name="--allow-unconfined",
        negative=(),
        help="Run rclone without a sandbox where there is none: only on a machine you own alone.",
    ),
]

Runtime = Annotated[
    Literal["auto", "process", "docker", "none"],
    Parameter(
        name="--runtime",
        help="What created instances run in; auto: Docker if it answers. none: create none here. "
        "Otherwise whoever may create instances runs programs on this machine.",
    ),
]
SameUser = Annotated[
    bool,
    Parameter(
        name="--allow-same-user",
        negative=(),
        help="Run instances as processes of this agent's own user, where it is not root. They can "
        "then reach every socket of that user: only on a machine you own alone.",
    ),
]


def up(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    listen: Listen = DEFAULT_LISTEN,
    instance: Instances = (),
    copies: Copies = DEFAULT_COPIES,
    max_concurrency: MaxConcurrency = MOST_FILES,
    local_store: LocalStore = None,
    runtime: Runtime = "auto",
    allow_same_user: SameUser = False,
    json: Annotated[bool, Parameter(negative=(), help="One JSON line when ready.")] = False,
    print_key: Annotated[
        bool, Parameter(negative=(), help="Make and print a new API key.")
    ] = False,
    max_per_account: MaxPerAccount = DEFAULT.account,
    max_per_connection: MaxPerConnection = DEFAULT.connection,
    max_per_instance: MaxPerInstance = DEFAULT.instance,
    rate: PerSecond = 0.0,
    burst: Burst = None,
    rclone: Rclone = None,
    engine: Engine = "auto",
    sandbox: Sandbox = None,
    allow_unconfined: Unconfined = False,
) -> int:
    """Run the whole system here: the server, and an agent for this machine.

    Without --instance, the current directory is the instance `here`. The API key is printed
    at the first start only. Ctrl-C stops cleanly; running copies go on at the next start.
    """

    async def main(stop: asyncio.Event) -> None:
        host, port = address(listen)
        roots = instances(instance) or {"here": Path.cwd()}
        home = data_dir.expanduser()
        await everything.up(
            ServerSettings(
                data_dir=home,
                host=host,
                port=port,
                limits=limits(
                    account=max_per_account,
                    connection=max_per_connection,
                    instance=max_per_instance,
                ),
                rate=rated(rate, burst),
                tools=Tools(
                    rclone=rclone,
                    sandbox=sandbox,
                    allow_unconfined=allow_unconfined,
                    engine=engine,
                ),
            ),
            instances=roots,
            copies=_checked(copies),
            max_concurrency=concurrency(max_concurrency),
            runtime=runtime,
            allow_same_user=allow_same_user,
            local_store=(local_store or home / "local-store").expanduser().absolute(),
            print_key=print_key,
            stop=stop,
            ready=everything.as_json(roots) if json else everything.as_text(roots),
        )

    return run_to_end(main)


def server(
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    listen: Listen = DEFAULT_LISTEN,
    public_url: PublicUrl = "",
    print_key: Annotated[
        bool, Parameter(negative=(), help="Make and print a new API key.")
    ] = False,
    max_per_account: MaxPerAccount = DEFAULT.account,
    max_per_connection: MaxPerConnection = DEFAULT.connection,
    max_per_instance: MaxPerInstance = DEFAULT.instance,
    rate: PerSecond = DEFAULT_RATE,
    burst: Burst = None,
    rclone: Rclone = None,
    sandbox: Sandbox = None,
    allow_unconfined: Unconfined = False,
) -> int:
    """Run the control plane alone. Agents connect to it: see `cloudcopy machine token`.

    The API key is printed on stdout at the first start only.
    """

    async def main(stop: asyncio.Event) -> None:
        host, port = address(listen)
        settings = ServerSettings(
            data_dir=data_dir,
            host=host,
            port=port,
            public_url=public_url,
            limits=limits(
                account=max_per_account,
                connection=max_per_connection,
                instance=max_per_instance,
            ),
            rate=rated(rate, burst),
            tools=Tools(rclone=rclone, sandbox=sandbox, allow_unconfined=allow_unconfined),
        )
        async with servers.services(settings, asyncio.Event()) as found:
            bound = servers.listening(settings)
            key = await servers.first_key(found, again=print_key)
            sys.stderr.write(f"cloudcopy server is ready at {servers.url_of(bound, settings)}\n")
            if key:
                sys.stdout.write(f"{key}\n")
                sys.stdout.flush()
            await servers.serve(found, bound, stop=stop)

    return run_to_end(main)


def agent(
    *,
    server: Annotated[str, Parameter(name="--server", help="The server's URL.")],
    instance: Instances,
    join: Annotated[
        str | None,
        Parameter(
            name="--join",
            env_var="CLOUDCOPY_JOIN_TOKEN",
            help="A join token, the first time only; works once.",
        ),
    ] = None,
    name: Annotated[str, Parameter(name="--name", help="What the machine is called.")] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR / "agent",
    copies: Copies = DEFAULT_COPIES,
    max_concurrency: MaxConcurrency = MOST_FILES,
    local_store: LocalStore = None,
    runtime: Runtime = "none",
    allow_same_user: SameUser = False,
    rclone: Rclone = None,
    engine: Engine = "auto",
    sandbox: Sandbox = None,
    allow_unconfined: Unconfined = False,
) -> int:
    """Run this machine's agent: it connects out to the server and opens no port.

    It joins with --join the first time and with its own key ever after. Instances can be
    created on it only when --runtime says what they run in.
    """

    async def main(stop: asyncio.Event) -> None:
        if not server.startswith(("http://", "https://")):
            raise Invalid("--server", f"{server!r} must begin with http:// or https://")
        roots = instances(instance)
        if not roots:
            raise Invalid("--instance", "is needed: LABEL=DIR")
        settings = AgentSettings(
            data_dir=data_dir,
            server=server.rstrip("/"),
            name=name or machine_name(),
            instances=roots,
            join=join,
            copies=_checked(copies),
            max_concurrency=concurrency(max_concurrency),
            runtime=runtime,
            allow_same_user=allow_same_user,
            local_store=local_store.expanduser().absolute() if local_store else None,
            tools=Tools(
                rclone=rclone,
                sandbox=sandbox,
                allow_unconfined=allow_unconfined,
                engine=engine,
            ),
        )
        await agents.run(settings, stop=stop)

    return run_to_end(main)


def _checked(copies: int) -> int:
    if not 1 <= copies <= 64:
        raise Invalid("--copies", "must be 1 to 64")
    return copies


def concurrency(files: int) -> int:
    """Raises Invalid where no copy could have so many files in flight."""
    if not 1 <= files <= MOST_FILES:
        raise Invalid("--max-concurrency", f"must be 1 to {MOST_FILES}")
    return files


def run_to_end(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> int:
    """Run until done or until a signal asks to stop; errors become words and an exit code."""
    logs.configure()

    async def guarded() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    try:
        asyncio.run(guarded())
    except (CloudCopyError, BaseExceptionGroup) as caught:
        error = first(caught)
        if not isinstance(error, CloudCopyError):
            raise
        return exits.local_failure(str(error), error.next, usage=isinstance(error, Invalid))
    return 0
