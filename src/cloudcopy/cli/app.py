"""The command line as a whole: which nouns and verbs there are.

The modules that do the work are imported by name when their command is called, because
they import the SDK: `cloudcopy --help` should not wait for an HTTP client.
"""

from collections.abc import Mapping
from typing import Final

from cyclopts import App, CycloptsError

from cloudcopy.cli import exits
from cloudcopy.cli.exits import Refused
from cloudcopy.cli.output import Terminal

_HELP: Final = """Copy data between compute instances and cloud stores, verified.

Addresses: CONNECTION:path for a cloud store, @INSTANCE:/path for an instance. The forms
s3.101:/path (connection 101) and C.123:/path (instance 123) work too.

The server is found by --url or CLOUDCOPY_URL. The API key is read from CLOUDCOPY_API_KEY
only: on a command line it would be seen by every user of the machine.
"""

# Noun: what it is, and what can be done with it (verb: module and function, help).
_NOUNS: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]]] = {
    "transfer": (
        "Copies: those that run and those that have ended.",
        {
            "list": ("transfer:every", "List transfers, newest first."),
            "show": ("transfer:show", "Show one transfer."),
            "watch": ("transfer:watch", "Watch a transfer until it has ended."),
            "cancel": ("transfer:cancel", "Ask the machine to stop a transfer."),
            "retry": ("transfer:retry", "Try a failed or cancelled transfer again."),
        },
    ),
    "connection": (
        "Cloud stores and their credentials.",
        {
            "add": ("connection:add", "Add a cloud store; its credentials are tried first."),
            "list": ("connection:every", "List connections."),
            "show": ("connection:show", "Show one connection, without its secrets."),
            "test": ("connection:try_out", "Try a connection's credentials now."),
            "remove": ("connection:remove", "Forget a connection and its credentials."),
        },
    ),
    "instance": (
        "Directories on machines that can be copied from and to.",
        {
            "list": ("instance:every", "List instances."),
            "show": ("instance:show", "Show one instance."),
        },
    ),
    "machine": (
        "Hosts that run an agent.",
        {
            "list": ("machine:every", "List machines."),
            "token": ("machine:token", "Make a token with which one machine may join, once."),
            "give-up": ("machine:give_up", "End the live transfers of a machine that is gone."),
        },
    ),
    "key": (
        "API keys.",
        {
            "create": ("key:create", "Make an API key; it is printed once."),
            "list": ("key:every", "List API keys, without the keys themselves."),
            "revoke": ("key:revoke", "Make an API key useless from now on."),
        },
    ),
    "cloud": (
        "Copies in the form of the compatible API.",
        {"copy": ("copy:cloud_copy", "Copy between an instance and a cloud store.")},
    ),
}


def build_app(environ: Mapping[str, str]) -> App:
    """The CLI, with everything that is a client of the server.

    Running it ends the process with an exit code of `exits.EXIT_CODES`.

    Args:
        environ: The environment; it holds the server's address, the API key, and the
            secrets that a command is told to take from there.
    """

    def carry_out(wish: object) -> object:
        """Commands return what they want done (`call.Call`), or their own exit code."""
        run = getattr(wish, "run", None)
        return wish if run is None else run(environ)

    app = App(
        name="cloudcopy",
        help=_HELP,
        help_format="markdown",
        help_epilogue=exits.epilogue(),
        error_formatter=_misread,
        result_action=[carry_out, "sys_exit"],
    )
    app.command(
        f"{__package__}.copy:copy",
        name="copy",
        help="Copy between an instance and a cloud store.",
    )
    for noun, (what, verbs) in _NOUNS.items():
        group = App(name=noun, help=what, help_epilogue="")
        for verb, (place, does) in verbs.items():
            group.command(f"{__package__}.{place}", name=verb, help=does)
        app.command(group)
    return app


def _misread(error: CycloptsError) -> None:
    """Tell what is wrong with the command line. Ends the process: cyclopts would exit with 2,
    which is the code of a cancelled transfer here."""
    words = error.root_input_tokens or []
    detail = str(error)
    for word in words:  # a value that was meant for a secret is not repeated
        option, given, _ = word.partition("=")
        if given and option.startswith("-"):
            detail = detail.replace(word, option)
    next = [f"See: {' '.join(('cloudcopy', *(error.command_chain or ())))} --help"]
    if any(word.partition("=")[0] == "--api-key" for word in words):
        next = ["The key is read from the environment only: export CLOUDCOPY_API_KEY=cck_..."]
    raise SystemExit(exits.refused(Refused(detail, next=next), Terminal(json="--json" in words)))
