"""The program `cloudcopy`: the CLI, and the commands that run the server and the agent.

The latter are imported only when one of them is called: a client command should not wait
for a web server to be imported.
"""

import os
import sys
from typing import Final

from cloudcopy.cli.app import build_app

# `cyclopts` imports "module:function" when the command is called.
_HERE: Final = {
    "up": "cloudcopy.compose.commands:up",
    "server": "cloudcopy.compose.commands:server",
    "agent": "cloudcopy.compose.commands:agent",
}


def main() -> None:
    """Run one command and exit with its code."""
    app = build_app(environ=os.environ)
    for name, place in _HERE.items():
        app.command(place, name=name)
    code = app()
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
