"""The store `R` in the two spellings in which rclone reads one.

A value must come out of rclone exactly as it went in, and must never become a second
option: a line break in a secret would otherwise add one that no allow-list has seen.
Source: the parser that rclone uses, unknwon/goconfig; `tests/adapters/sandbox/test_section.py`
asks rclone itself.
"""

import json
import re
from typing import Final

from cloudcopy.domain.connection import Backend
from cloudcopy.domain.errors import Invalid

REMOTE: Final = "R"
_NAME: Final = re.compile(r"[a-z0-9_]+", re.ASCII)
_INTERPOLATED: Final = re.compile(r"%\(.+\)s")  # goconfig puts another option's value there
_PEM: Final = "-----BEGIN "


def as_file(backend: Backend) -> bytes:
    """The text of a configuration file.

    Raises:
        Invalid: a value cannot be written so that rclone reads it back unchanged.
    """
    lines = [f"{name} = {_quoted(name, value)}" for name, value in options(backend).items()]
    return "\n".join([f"[{REMOTE}]", *lines, ""]).encode()


def as_environment(backend: Backend) -> dict[str, str]:
    """Variables that define the store for one process.

    Raises:
        Invalid: a value has a line break that means nothing to rclone.
    """
    return {
        f"RCLONE_CONFIG_{REMOTE}_{name.upper()}": value for name, value in options(backend).items()
    }


def options(backend: Backend) -> dict[str, str]:
    """The store's options, each in one line.

    Raises:
        Invalid: a value has a line break that means nothing to rclone.
    """
    found = {"type": backend.type}
    for name, value in backend.options.items():
        if not _NAME.fullmatch(name) or name in found:
            raise Invalid("parameters", f"{name[:40]!r} is not the name of an option")
        found[name] = _one_line(name, value)
    return found


def _one_line(name: str, value: str) -> str:
    """JSON without its layout, PEM with line breaks as rclone wants them, all else as it is."""
    if not re.search(r"[\r\n]", value):
        return value
    if value.lstrip().startswith(_PEM):
        return "\\n".join(value.splitlines()) + "\\n"
    try:
        return json.dumps(json.loads(value))
    except ValueError:
        raise Invalid(f"parameters.{name}", "has a line break") from None


def _quoted(name: str, value: str) -> str:
    if _INTERPOLATED.search(value):
        raise Invalid(f"parameters.{name}", "has '%(', which rclone's configuration cannot hold")
    if value and value == value.strip() and not value.startswith(("`", '"""')):
        return value
    if "`" in value:
        raise Invalid(
            f"parameters.{name}", "has a backquote where rclone's configuration cannot hold one"
        )
    return f"`{value}`"
