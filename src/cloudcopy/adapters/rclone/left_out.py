"""What the destination has below something that the listing of the source left out.

A link that is not followed, or a directory that may not be listed, hides whatever the source
has behind it. So what the destination has there is not known to be extra.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final

from cloudcopy.adapters.rclone.spool import LEFT_OUT, Spool
from cloudcopy.domain.ledger import Outcome

_ASKED: Final = 500  # names in one statement; SQLite takes at least 999 everywhere


async def hidden(spool: Spool, paths: Iterable[str]) -> dict[str, Outcome]:
    """Those of `paths` that lie in something left out, and as what that was marked."""
    above = {path: _above(path) for path in paths}
    names = sorted({name for each in above.values() for name in each})
    if not names:
        return {}
    known = await spool.do(lambda database: _known(database, names))
    return {
        path: known[first]
        for path, each in above.items()
        if (first := next((name for name in each if name in known), None)) is not None
    }


def _known(database: sqlite3.Connection, names: list[str]) -> dict[str, Outcome]:
    outcomes = [each.value for each in LEFT_OUT]
    found: dict[str, Outcome] = {}
    for start in range(0, len(names), _ASKED):
        some = names[start : start + _ASKED]
        rows = database.execute(
            "SELECT path, outcome FROM files "  # noqa: S608
            f"WHERE path IN ({_marks(some)}) AND outcome IN ({_marks(outcomes)})",
            (*some, *outcomes),
        )
        found |= {path: Outcome(outcome) for path, outcome in rows}
    return found


def _marks(values: list[str]) -> str:
    return ",".join("?" * len(values))


def _above(path: str) -> list[str]:
    """Every directory that it is in, spelled as a link is marked and as a directory is."""
    parts = path.split("/")
    names = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    return [*names, *(f"{name}/" for name in names)]
