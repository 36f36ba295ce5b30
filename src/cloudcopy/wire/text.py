"""Text that JSON can hold and nothing can pass on.

``"\\ud800"`` is half of a character. JSON allows it; UTF-8, and so the database, an agent and an
answer, do not.
"""

from typing import Any, Final

HALF: Final = "holds half of a surrogate pair (as \\ud800), which is no text"


def half_character(value: Any, place: str = "") -> str | None:
    """Where a parsed JSON value holds such a text: the first place, as in ``env.NAME``."""
    waiting = [(place, value)]
    while waiting:
        at, each = waiting.pop()
        if isinstance(each, str):
            if not _whole(each):
                return at
        elif isinstance(each, dict):
            for name, inner in each.items():
                if isinstance(name, str) and not _whole(name):
                    return at or "a name"
                waiting.append((f"{at}.{name}" if at else str(name), inner))
        elif isinstance(each, list | tuple):
            waiting += [(at, inner) for inner in each]
    return None


def _whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
