"""The program `cloudcopy`: the CLI, and the commands that run the server and the agent.

The latter are imported only when one of them is called: a client command should not wait
for a web server to be imported.
"""

import os
from typing import Final

from cloudcopy.cli.app import build_app

_UP: Final = "Run the whole system here: the server, and an agent for this machine."
_SERVER: Final = "Run the control plane alone."
_AGENT: Final = "Run this machine's agent for a server elsewhere."

# "module:function" is imported when the command is called.
_HERE: Final = {"up": _UP, "server": _SERVER, "agent": _AGENT}


def main() -> None:
    """Run one command and exit with its code."""
    app = build_app(environ=os.environ)
    for name, what in _HERE.items():
        app.command(f"cloudcopy.compose.commands:{name}", name=name, help=what)
    app()


if __name__ == "__main__":
    main()
