"""When two files count as equal, before anything was copied.

`decide` answers as rclone 1.75 would (fs/operations, `NeedTransfer` and `Equal`), with its
reason, so that a plan says what a copy then does. It does no I/O: what it has not been told
and needs, it asks for.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import Final

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import Outcome


class Level(StrEnum):
    """What is looked at, weakest first."""

    EXISTS = "exists"  # a file of that name is enough
    SIZE = "size"
    MTIME = "mtime"  # size and modification time; size alone where a store keeps no times
    CHECKSUM = "checksum"  # size and a hash both sides have; size alone where there is none


_FLAG: Final = {
    Level.EXISTS: "--ignore-existing",
    Level.SIZE: "--size-only",
    Level.CHECKSUM: "--checksum",
}


def level_of(flags: Flags) -> Level:
    """The level that the flags ask for. The weakest of several decides, as in rclone."""
    return next((level for level, flag in _FLAG.items() if flag in flags.switches), Level.MTIME)


def with_level(flags: Flags, level: Level) -> Flags:
    """The same flags, asking for `level`.

    Raises:
        Invalid: they ask for another level already.
    """
    asked = level_of(flags)
    if asked not in (level, Level.MTIME):
        raise Invalid(
            "compare",
            f"{level} contradicts the flag {_FLAG[asked]}",
            next=("Leave one of the two out.",),
        )
    if level is Level.MTIME:
        return flags
    return replace(flags, switches=flags.switches | {_FLAG[level]})


@dataclass(frozen=True, slots=True)
class Seen:
    """One side of a file.

    Attributes:
        size: Bytes; -1 where the store does not know it, which equals every size.
        time: Nanoseconds since 1970; None where it was not looked at.
        hash: Of a kind that both sides know; empty where this file has none, None where it
            was not looked at.
    """

    size: int
    time: int | None = None
    hash: str | None = None


class Need(Enum):
    """What must be looked at, on both sides, before there is an answer."""

    TIME = auto()
    HASH = auto()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a copy would do with the file: NEW, UPDATE, UNCHANGED or KEPT.

    Attributes:
        why: What differs, or why it is left alone, for people; empty for nothing to say.
        code: Set where a rule forbids what would be done: "immutable".
        hashed: The two were found equal or different by their hash.
    """

    outcome: Outcome
    why: str = ""
    code: str = ""
    hashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How to compare.

    Attributes:
        update: Leave files alone that are newer at the destination.
        immutable: What differs must not be touched.
        window: Times that are less than this many nanoseconds apart are equal: the coarser
            one of both sides' precisions, as in rclone. None where a side keeps no times.
    """

    level: Level
    update: bool = False
    immutable: bool = False
    window: int | None = 1

    @classmethod
    def of(cls, flags: Flags, *, window: int | None) -> "Rules":
        return cls(
            level=level_of(flags),
            update="--update" in flags.switches,
            immutable="--immutable" in flags.switches,
            window=window,
        )


_SECOND: Final = 1_000_000_000


def decide(source: Seen, destination: Seen | None, rules: Rules) -> Decision | Need:
    """What to do with a file of the source. With all that was asked for, never a `Need`."""
    if destination is None:
        return Decision(Outcome.NEW)
    if rules.level is Level.EXISTS:
        if _sizes_differ(source, destination):
            return Decision(Outcome.KEPT, "the destination has a file of this name")
        return Decision(Outcome.UNCHANGED)
    if rules.update:
        answer = _unless_newer(source, destination, rules)
    else:
        answer = _equal(source, destination, rules, rules.level)
    if rules.immutable and isinstance(answer, Decision) and _touches(answer):
        return replace(answer, outcome=Outcome.KEPT, code="immutable")
    return answer


def _unless_newer(source: Seen, destination: Seen, rules: Rules) -> Decision | Need:
    if source.time is None or destination.time is None:
        return Need.TIME
    # Without times of the file itself, those of its arrival are good to a second.
    window = rules.window or _SECOND
    age = destination.time - source.time
    if age >= window:
        if _sizes_differ(source, destination):
            return Decision(Outcome.KEPT, "the destination has a newer one")
        return Decision(Outcome.UNCHANGED, "the destination has a newer one of the same size")
    if age > -window:
        by = Level.CHECKSUM if rules.level is Level.CHECKSUM else Level.SIZE
        return _equal(source, destination, rules, by)
    if rules.level is Level.MTIME and not _sizes_differ(source, destination):
        return _by_content(source, destination, otherwise="the destination has an older one")
    return _equal(source, destination, rules, rules.level)


def _equal(source: Seen, destination: Seen, rules: Rules, level: Level) -> Decision | Need:
    if _sizes_differ(source, destination):
        sizes = f"{destination.size} bytes there, {source.size} at the source"
        return Decision(Outcome.UPDATE, f"the size differs: {sizes}")
    if level is Level.SIZE or (level is Level.MTIME and rules.window is None):
        return Decision(Outcome.UNCHANGED)
    if level is Level.CHECKSUM:
        return _by_content(source, destination, otherwise="")
    if source.time is None or destination.time is None:
        return Need.TIME
    if rules.window is not None and abs(destination.time - source.time) < rules.window:
        return Decision(Outcome.UNCHANGED)
    return _by_content(source, destination, otherwise="the time differs")


def _by_content(source: Seen, destination: Seen, *, otherwise: str) -> Decision | Need:
    """By hash. Where there is none: equal, or changed for the reason `otherwise`."""
    if source.hash is None or destination.hash is None:
        return Need.HASH
    if source.hash and destination.hash:
        if source.hash != destination.hash:
            return Decision(Outcome.UPDATE, "the content differs", hashed=True)
        return Decision(Outcome.UNCHANGED, _TIME_ONLY if otherwise else "", hashed=True)
    if otherwise:
        return Decision(Outcome.UPDATE, otherwise)
    return Decision(Outcome.UNCHANGED)


_TIME_ONLY: Final = "only the time differs"


def _touches(answer: Decision) -> bool:
    # Equal content with another time: rclone would set the time, which is a change, too.
    return answer.outcome is Outcome.UPDATE or answer.why == _TIME_ONLY


def _sizes_differ(one: Seen, other: Seen) -> bool:
    return one.size >= 0 and other.size >= 0 and one.size != other.size
