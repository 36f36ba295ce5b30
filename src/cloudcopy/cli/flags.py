"""The flags of a copy, as options of the command line.

Nothing is checked here: the server knows which values it takes, and says so in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final

from cyclopts import Group, Parameter, Token

from cloudcopy.sdk import LevelName, VerifyName

_WHAT = Group("What is copied", sort_key=10)
_HOW = Group("How it is compared", sort_key=20)
_PACE = Group("How fast, how much", sort_key=30)


def _rules(_: Any, tokens: Sequence[Token]) -> tuple[str, ...]:
    """One option under three names, because the order among them decides their meaning."""
    return tuple(f"{token.keyword}={token.value}" for token in tokens)


def _switch(group: Group, help: str) -> Parameter:
    return Parameter(group=group, negative=(), help=help, show_default=False)


def _value(group: Group, help: str) -> Parameter:
    return Parameter(group=group, help=help)


Compare = Annotated[
    LevelName | None,
    Parameter(
        group=_HOW,
        show_default=False,
        help="When a file counts as equal: its name is there, its size, its size and time, or its "
        "content. By mtime unless told otherwise; a check by checksum.",
    ),
]
Verify = Annotated[
    VerifyName,
    Parameter(
        group=_HOW,
        help="How what was sent is proven afterwards; by size where both sides have no hash in "
        "common.",
    ),
]
Bwlimit = Annotated[
    str,
    Parameter(
        group=_PACE,
        show_default=False,
        help="Bytes per second at most: 50M; or a timetable: '08:00,1M 18:00,off [Europe/Berlin]'. "
        "Change it later with: cloudcopy transfer limit.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Flags:
    """rclone's flags, with rclone's meaning."""

    rules: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--include", "--exclude", "--filter"),
            group=_WHAT,
            converter=_rules,
            allow_leading_hyphen=True,
            negative=(),
            show_default=False,
            help="A filter rule, e.g. --exclude '*.tmp' or --filter '- cache/**'. Repeat for "
            "more; the first that matches a file decides, in the order given.",
        ),
    ] = ()
    max_age: Annotated[str | None, _value(_WHAT, "Only files younger than this: 24h, 7d.")] = None
    min_age: Annotated[str | None, _value(_WHAT, "Only files older than this.")] = None
    max_size: Annotated[str | None, _value(_WHAT, "Only files smaller than this: 10M, 1G.")] = None
    min_size: Annotated[str | None, _value(_WHAT, "Only files larger than this.")] = None
    delete_excluded: Annotated[
        bool, _switch(_WHAT, "No effect: a copy never deletes. For compatibility.")
    ] = False

    dry_run: Annotated[bool, _switch(_HOW, "Say what would be copied, copy nothing.")] = False
    size_only: Annotated[bool, _switch(_HOW, "Equal size means equal file.")] = False
    checksum: Annotated[bool, _switch(_HOW, "Equal size and hash means equal file.")] = False
    ignore_existing: Annotated[
        bool, _switch(_HOW, "Never touch a file that the destination has.")
    ] = False
    update: Annotated[bool, _switch(_HOW, "Leave files that are newer at the destination.")] = False
    immutable: Annotated[bool, _switch(_HOW, "A changed file is an error, not an update.")] = False

    no_traverse: Annotated[
        bool,
        Parameter(
            name="--no-traverse",
            group=_PACE,
            negative=(),
            show_default=False,
            help="Do not list the destination first: quicker for a few files into a large store.",
        ),
    ] = False
    transfers: Annotated[str | None, _value(_PACE, "Files copied at once.")] = None
    checkers: Annotated[str | None, _value(_PACE, "Files compared at once.")] = None
    max_transfer: Annotated[str | None, _value(_PACE, "Stop after this many bytes.")] = None

    def words(self) -> list[str]:
        """As the API takes them; the rules in the order they were given."""
        words: list[str] = []
        for each in fields(self):
            value = getattr(self, each.name)
            name = f"--{each.name.replace('_', '-')}"
            if value is True:
                words.append(name)
            elif isinstance(value, str):
                words.append(f"{name}={value}")
        return [*words, *self.rules]


NO_FLAGS: Final = Flags()
