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

Addresses: CONNECTION:path for a cloud store, @INSTANCE:/path for an instance.
The forms s3.101:/path (connection 101) and C.123:/path (instance 123) work
too.

The server is found by --url or CLOUDCOPY_URL. The API key is read from
CLOUDCOPY_API_KEY only: on a command line every user of the machine sees it.
"""
_COPY_HELP: Final = """Copy between an instance and a cloud store, or two instances; wait for it.

What is inside SRC lands inside DST; nothing is ever deleted: that is what
mirror is for. The command ends when the copy is verified. Ctrl-C stops the
waiting, not the copy.
"""
_PLAN_HELP: Final = """List what a copy would do, and do nothing.

Every file with its reason and its bytes; with --mirror also what would be
deleted. With -o FILE it can be carried out later: cloudcopy apply FILE. What a
program planned is approved with: cloudcopy plan approve PLAN.
"""
_APPLY_HELP: Final = """Carry out a plan, and wait for it.

Exactly the files of the plan are copied or deleted. When the source or the
destination has changed since, nothing is done. A file that was edited, or
comes from another server, is refused.
"""
_MIRROR_HELP: Final = """Make the destination like the source, deleting what only it has.

It makes a plan, shows what would be deleted, asks, carries the plan out and
waits. A script confirms with the number of deletions: --confirm-deletions 12.
"""
_CHECK_HELP: Final = """Compare both sides, and change nothing.

By checksum unless --compare says otherwise. Exit code 0: they are equal;
3: they differ.
"""

_MCP_HELP: Final = """Serve a model the tools to plan, start and watch copies (MCP over stdio).

It asks with the API key in CLOUDCOPY_API_KEY: make one for it alone, with
cloudcopy key create. It deletes nothing that a person did not approve.
"""

# Where each noun's commands are, and what it is.
_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "copy": ("copy:copy", _COPY_HELP),
    "mirror": ("plan:mirror", _MIRROR_HELP),
    "plan": ("plan:planning", _PLAN_HELP),
    "apply": ("plan:apply", _APPLY_HELP),
    "check": ("check:check", _CHECK_HELP),
    "transfer": ("transfer:app", "Copies, plans and checks that run and that have ended."),
    "schedule": ("schedule:app", "Copies that are made again and again."),
    "receipt": ("receipt:app", "Receipts: what a copy can prove, verified offline."),
    "connection": ("connection:app", "Cloud stores and their credentials."),
    "instance": ("instance:app", "Directories on machines, announced or created."),
    "ssh-key": ("ssh_key:app", "Public SSH keys, placed in instances that are created."),
    "machine": ("machine:app", "Hosts that run an agent."),
    "key": ("key:app", "API keys."),
    "mcp": ("mcp:mcp", _MCP_HELP),
    "cloud": ("copy:cloud", "Copies in the form of the compatible API."),
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
        help_format="plaintext",
        help_epilogue=exits.epilogue(),
        error_formatter=_misread,
        result_action=[carry_out, "sys_exit"],
    )
    for noun, (place, what) in _NOUNS.items():
        app.command(f"{__package__}.{place}", name=noun, help=what)
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
