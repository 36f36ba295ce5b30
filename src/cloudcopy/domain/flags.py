"""The rclone flags a caller may set, as typed values.

The list is closed. Everything else rclone knows can run a program, read or write a
host file, send data elsewhere or switch off a check; the reasons, flag by flag, are in
docs/flags.md. Words are parsed here on the server, parsed here again on the agent, and
rendered anew for rclone: no caller's word ever reaches its command line.

The meaning of each flag is rclone's own. Only ASCII digits count as digits.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

from cloudcopy.domain.errors import Invalid

PUBLISHED_LIST: Final = "/v1/flags"  # on every server, open to all
MAX_WORDS: Final = 64  # rclone itself has no bound; ours keeps orders and argv small
MAX_PATTERN_BYTES: Final = 1024

_SIZE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?(B|[KMGTP]i?)?", re.ASCII | re.IGNORECASE)
# Hours and less add up ("1h30m"); the longer units stand alone (rclone, fs.ParseDuration).
_DURATION = re.compile(
    r"([0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h))+|[0-9]{1,9}(\.[0-9]{1,6})?(d|w|M|y)", re.ASCII
)
_COUNT = re.compile(r"[0-9]{1,3}", re.ASCII)
MAX_PARALLEL: Final = 64  # beyond it nothing gets faster and small stores fall over


def _size(word: str) -> str | None:
    return None if _SIZE.fullmatch(word) else "must be a size such as 10M or 1.5G"


def _duration(word: str) -> str | None:
    return None if _DURATION.fullmatch(word) else "must be a duration such as 90s, 24h or 7d"


def _count(word: str) -> str | None:
    if _COUNT.fullmatch(word) and 1 <= int(word) <= MAX_PARALLEL:
        return None
    return f"must be a whole number from 1 to {MAX_PARALLEL}"


def _pattern(word: str) -> str | None:
    if not word or len(word.encode(errors="surrogatepass")) > MAX_PATTERN_BYTES:
        return f"must be a pattern of 1 to {MAX_PATTERN_BYTES} bytes"
    if not word.isprintable():
        return "must not hold control characters"
    if "{{" in word or "}}" in word:
        return "must be a glob; regular expressions in {{ }} are not accepted"
    if not _is_glob(word):
        return "must be a glob whose [ ] and { } are in pairs, without ***"
    return None


def _is_glob(word: str) -> bool:
    """Whether rclone can read it (rclone, fs/filter/glob.go); a backslash quotes what follows."""
    plain = re.sub(r"\\.", "", word)
    without_sets = re.sub(r"\[[^\]]+\]", "", plain)
    without_choices = re.sub(r"\{[^{}]*\}", "", without_sets)
    return not re.search(r"[\[\]{}]|\*\*\*|\\$", without_choices)


def _filter(word: str) -> str | None:
    if word[:2] not in ("+ ", "- "):
        return "must begin with '+ ' or '- '"
    return _pattern(word[2:])


Check = Callable[[str], str | None]  # what is wrong with the value, or None

SWITCHES: Final = frozenset(
    {
        "--dry-run",  # report what would move, move nothing
        "--size-only",  # equal size means equal file
        "--checksum",  # equal size and hash means equal file
        "--ignore-existing",  # never touch a file the destination has
        "--update",  # leave files that are newer at the destination
        "--immutable",  # a changed file is an error, not an update
        "--no-traverse",  # do not list the destination first
        "--delete-excluded",  # no effect in a copy, which never deletes; accepted for old clients
    }
)
VALUED: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "--bwlimit": _size,
        "--max-transfer": _size,
        "--max-size": _size,
        "--min-size": _size,
        "--max-age": _duration,
        "--min-age": _duration,
        "--transfers": _count,
        "--checkers": _count,
    }
)
RULES: Final[Mapping[str, Check]] = MappingProxyType(
    {"--include": _pattern, "--exclude": _pattern, "--filter": _filter}
)
KNOWN: Final = tuple(sorted({*SWITCHES, *VALUED, *RULES}))
_TAKES: Final[Mapping[Check, str]] = {_size: "size", _duration: "duration", _count: "count"}


def published() -> dict[str, str]:
    """Each accepted flag and what it takes: nothing, a size, a duration, a count, or a pattern."""
    values = {name: _TAKES[check] for name, check in VALUED.items()}
    rules = dict.fromkeys(RULES, "pattern")
    return dict(sorted({**dict.fromkeys(SWITCHES, "nothing"), **values, **rules}.items()))


CHOOSING: Final = frozenset({"--max-size", "--min-size", "--max-age", "--min-age"})
"""Those that choose files by what they are on each side, not by name."""
_NARROWING: Final = frozenset({*RULES, *CHOOSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Checked flags.

    Attributes:
        switches: Those that are on.
        values: Value by flag, as the caller wrote it.
        rules: Filter rules (flag, pattern) in the caller's order, which decides their meaning.
    """

    switches: frozenset[str] = frozenset()
    values: tuple[tuple[str, str], ...] = ()
    rules: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, words: Iterable[str]) -> Self:
        """Read ``["--dry-run", "--exclude", "*.tmp", "--max-size=1G"]``.

        Raises:
            Invalid: a flag is not on the list, appears twice, or has a bad value. Names the flag.
        """
        queue = list(words)
        if len(queue) > MAX_WORDS:
            raise _bad(f"more than {MAX_WORDS} items")
        switches: set[str] = set()
        values: dict[str, str] = {}
        rules: list[tuple[str, str]] = []
        while queue:
            name, given, value = queue.pop(0).partition("=")
            if name not in KNOWN:
                raise _unknown(name)
            if name in SWITCHES:
                if given:
                    raise _bad(f"{name} takes no value")
                if name in switches:
                    raise _bad(f"{name} is given twice")
                switches.add(name)
                continue
            if not given:
                if not queue:
                    raise _bad(f"{name} needs a value")
                value = queue.pop(0)
            wrong = (VALUED.get(name) or RULES[name])(value)
            if wrong:
                raise _bad(f"{name} {wrong}")
            if name in RULES:
                rules.append((name, value))
            elif name in values:
                raise _bad(f"{name} is given twice")
            else:
                values[name] = value
        return cls(
            switches=frozenset(switches), values=tuple(sorted(values.items())), rules=tuple(rules)
        )

    def words(self) -> list[str]:
        """The same flags in one canonical spelling: equal flags give equal words."""
        return [
            *sorted(self.switches),
            *(f"{name}={value}" for name, value in self.values),
            *(f"{name}={value}" for name, value in self.rules),
        ]

    @property
    def dry_run(self) -> bool:
        return "--dry-run" in self.switches

    @property
    def chooses(self) -> bool:
        """Whether files are chosen by what they are on each side; see `CHOOSING`."""
        return any(name in CHOOSING for name, _ in self.values)

    @property
    def narrows(self) -> bool:
        """Whether some files of the source may be left out on purpose."""
        return bool(self.rules) or any(name in _NARROWING for name, _ in self.values)


def _bad(problem: str) -> Invalid:
    return Invalid(
        "flags", problem, code="bad_flag", next=(f"Read {PUBLISHED_LIST} for what is accepted.",)
    )


def _unknown(name: str) -> Invalid:
    shown = name[:40] if name.isprintable() else "(unprintable)"
    return Invalid(
        "flags",
        f"{shown!r} is not accepted; the published list ({PUBLISHED_LIST}): {', '.join(KNOWN)}",
        code="bad_flag",
    )
