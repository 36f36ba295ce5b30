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
_ACCOUNT: Final = "Accounts of the server whose data directory is here."
_HERE: Final = {
    "up": ("commands:up", _UP),
    "server": ("commands:server", _SERVER),
    "agent": ("commands:agent", _AGENT),
    "account": ("accounts:app", _ACCOUNT),
}


def main() -> None:
    """Run one command and exit with its code."""
    app = build_app(environ=os.environ)
    for name, (place, what) in _HERE.items():
        app.command(f"cloudcopy.compose.{place}", name=name, help=what)
    app()


if __name__ == "__main__":
    main()
