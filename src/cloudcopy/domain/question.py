"""What can be asked about an instance that only its machine can answer: its log, and the
outcome of one of three harmless commands. There is no shell anywhere.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, Self

from cloudcopy.domain.errors import Invalid
from cloudcopy.domain.machine import AccountId, InstanceId
from cloudcopy.domain.paths import InstancePath

QuestionId = NewType("QuestionId", str)

ANSWER_LIFE: Final = timedelta(hours=1)  # clients read it within seconds
PATIENCE: Final = timedelta(minutes=2)  # what no machine has answered by then is not answered
MAX_OPEN: Final = 32  # of one instance: what its machine has not answered
MAX_COMMAND: Final = 4_096  # characters
MAX_FILTER: Final = 256
MAX_TAIL: Final = 10_000  # lines
DEFAULT_TAIL: Final = 1_000
MAX_ANSWER: Final = 400_000  # characters

# Options that take no value, of each program; `du -d` takes one.
OPTIONS: Final = {"ls": "aA1lhogrtSRd", "rm": "rRfdv", "du": "hsackmb"}
_DEPTH: Final = ("-d", "--max-depth")


class Kind(StrEnum):
    LOGS = "logs"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Asked once, and answered once. Times are aware, UTC.

    Attributes:
        command: For EXECUTE, as it was written.
        tail: How many lines of the log, from its end.
        filter: Only lines that hold this text.
        daemon: What the runtime says about the instance, not what runs in it.
        answer: None until its machine has answered.
    """

    id: QuestionId
    account: AccountId
    instance: InstanceId
    kind: Kind
    asked_at: datetime
    command: str = ""
    tail: int = DEFAULT_TAIL
    filter: str = ""
    daemon: bool = False
    answered_at: datetime | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """``ls``, ``rm`` or ``du``, taken apart.

    Attributes:
        options: Letters.
        depth: Of ``du -d``.
        paths: Below the instance's root; without one it is the root itself.
    """

    program: str
    options: frozenset[str]
    depth: int | None
    paths: tuple[InstancePath, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``ls -l -a data``. Quotes work as in a shell; nothing else of a shell does.

        Raises:
            Invalid: another program, an option that is not known, a path that climbs, or
                ``rm`` of the instance's root.
        """
        if len(text) > MAX_COMMAND:
            raise _refused(f"is longer than {MAX_COMMAND} characters")
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise _refused(f"cannot be read: {error}") from None
        if not words or words[0] not in OPTIONS:
            raise _refused("must be ls, rm or du, with options and paths")
        program, rest = words[0], words[1:]
        options, depth, paths = _taken_apart(program, rest)
        if program == "rm":
            if not paths:
                raise _refused("names nothing to remove")
            if any(not each.value for each in paths):
                raise _refused("would remove the instance's root; destroy the instance instead")
        return cls(program, frozenset(options), depth, tuple(paths))


def _taken_apart(program: str, words: list[str]) -> tuple[set[str], int | None, list[InstancePath]]:
    options: set[str] = set()
    depth: int | None = None
    paths: list[InstancePath] = []
    only_paths = False
    left = list(words)
    while left:
        word = left.pop(0)
        if only_paths or not word.startswith("-") or word == "-":
            paths.append(InstancePath.parse(word, field="command"))
        elif word == "--":
            only_paths = True
        elif program == "du" and word.startswith(_DEPTH):
            depth = _depth(word, left)
        elif word.startswith("--") or not set(word[1:]) <= set(OPTIONS[program]):
            known = ", ".join(f"-{each}" for each in OPTIONS[program])
            raise _refused(f"{program} {word[:40]!r} is not served; known: {known}")
        else:
            options |= set(word[1:])
    return options, depth, paths


def _depth(word: str, left: list[str]) -> int:
    for name in _DEPTH:
        if word.startswith(name):
            value = word.removeprefix(name).removeprefix("=") or (left.pop(0) if left else "")
            if value.isascii() and value.isdigit() and len(value) < 4:
                return int(value)
    raise _refused("du -d takes a number")


def _refused(problem: str) -> Invalid:
    return Invalid("command", problem, code="bad_command")
