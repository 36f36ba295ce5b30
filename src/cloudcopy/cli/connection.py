"""`cloudcopy connection`."""

from typing import Annotated

from cyclopts import App, Parameter

from cloudcopy.cli import credentials, exits
from cloudcopy.cli.call import NO_OPTIONS, Call, Environ, Options, Session
from cloudcopy.cli.output import Terminal
from cloudcopy.sdk import ConnectionView

app = App(name="connection", help_epilogue="")

Reference = Annotated[str, Parameter(help="The connection's id or name.")]


@app.command
def add(
    name: Annotated[str, Parameter(help="What it is called in addresses: NAME:path.")],
    /,
    *,
    type: Annotated[
        str,
        Parameter(help="s3, hf, gcs, azureblob, b2, drive, dropbox, sftp, webdav or local."),
    ],
    bucket: Annotated[
        str | None, Parameter(help="Keep to this bucket; paths then begin inside it.")
    ] = None,
    param: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            show_default=False,
            help="KEY=VALUE: an rclone option that is no secret, e.g. region=eu-west-1. Repeat.",
        ),
    ] = (),
    secrets_stdin: Annotated[
        bool, Parameter(negative=(), help="Read the secrets from stdin, a JSON object.")
    ] = False,
    secret_env: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            show_default=False,
            help="KEY=VARIABLE: take a secret from an environment variable. Repeat.",
        ),
    ] = (),
    from_env: Annotated[
        bool,
        Parameter(negative=(), help="Take AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and so on."),
    ] = False,
    test: Annotated[bool, Parameter(help="Try the credentials before they are kept.")] = True,
    options: Options = NO_OPTIONS,
) -> Call:
    """Add a cloud store; its credentials are tried first.

    Secrets are never taken from the command line: they come from stdin, from
    the environment, or are asked for. The server seals them and never shows
    them again.
    """

    def ask(environ: Environ) -> dict[str, str]:
        given = credentials.plain(type, param)
        if bucket is not None:
            given["bucket"] = bucket
        return given | credentials.collect(
            type, environ, stdin=secrets_stdin, standard=from_env, named=secret_env
        )

    async def work(session: Session) -> int:
        made = await session.client.connections.create(
            name=name, cloud_type=type, parameters=session.answers, test=test
        )
        _show(made, session.terminal)
        session.terminal.say(f"Copy with it: cloudcopy copy @INSTANCE:/path {made.name}:path")
        return exits.DONE

    return Call(options, work, ask)


@app.command(name="list")
def every(*, options: Options = NO_OPTIONS) -> Call:
    """List connections."""

    async def work(session: Session) -> int:
        found = await session.client.connections.list()
        session.terminal.many(
            found,
            ("ID", "NAME", "TYPE", "BUCKET"),
            [(each.id, each.name, each.cloud_type, each.bucket) for each in found],
            none="There are no connections. Add one with: cloudcopy connection add NAME --type s3",
        )
        return exits.DONE

    return Call(options, work)


@app.command
def show(connection: Reference, /, *, options: Options = NO_OPTIONS) -> Call:
    """Show one connection, without its secrets."""

    async def work(session: Session) -> int:
        _show(await session.client.connections.find(connection), session.terminal)
        return exits.DONE

    return Call(options, work)


@app.command(name="test")
def try_out(connection: Reference, /, *, options: Options = NO_OPTIONS) -> Call:
    """Try a connection's credentials now.

    The server lists the store's top once.
    """

    async def work(session: Session) -> int:
        found = await session.client.connections.find(connection)
        answer = await session.client.connections.test(found.id)
        if session.terminal.json:
            session.terminal.data(answer.model_dump(mode="json"))
        elif answer.ok:
            session.terminal.line(f"✔ {found.name}: {answer.detail}")
        else:
            session.terminal.problem(f"{found.name}: {answer.detail}", (), code="test_failed")
        return exits.DONE if answer.ok else exits.FAILED

    return Call(options, work)


@app.command
def remove(connection: Reference, /, *, options: Options = NO_OPTIONS) -> Call:
    """Forget a connection and its credentials.

    Refused while a live transfer uses it.
    """

    async def work(session: Session) -> int:
        found = await session.client.connections.find(connection)
        await session.client.connections.remove(found.id)
        session.terminal.say(f"Connection {found.id} ({found.name}) is forgotten.")
        return exits.DONE

    return Call(options, work)


def _show(connection: ConnectionView, terminal: Terminal) -> None:
    terminal.one(
        connection,
        (
            ("id", connection.id),
            ("name", connection.name),
            ("type", connection.cloud_type),
            ("bucket", connection.bucket),
            *sorted((f"  {key}", value) for key, value in connection.parameters.items()),
            ("created", connection.created_at),
        ),
    )
