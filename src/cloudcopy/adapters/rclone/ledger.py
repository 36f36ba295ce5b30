"""What became of each file, read from rclone's JSON log as it runs.

`core/transferred` of rclone forgets all but the last hundred files; the log does not.
Memory is bounded: counts for everything, names for failures (the first `MAX_NAMES`) and for
files that were sent (the first `MAX_SENT`; all of them where a flag leaves others alone).
"""

import re
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import msgspec

from cloudcopy.adapters.rclone.reasons import shown

MAX_NAMES: Final = 100
MAX_LOG: Final = 40  # lines kept of the log
MAX_SENT: Final = 100_000  # names of some 10 MB
_HASHLESS = re.compile(r"^(\d+) hashes could not be checked$")
_SKIPPED: Final = {
    "Can't follow symlink without -L/--copy-links": "symbolic link",
    "Can't transfer non file/directory": "not a regular file",
    "Duplicate object found in source - ignoring": "duplicate name",
    "Duplicate directory found in source - ignoring": "duplicate name",
}


class _Line(msgspec.Struct):
    """The fields of a log line that we read."""

    level: str = ""
    msg: str = ""
    object: str = ""
    objectType: str = ""  # noqa: N815 - rclone's name
    size: int = 0
    skipped: str = ""


_decoder: Final[Callable[[bytes], _Line]] = msgspec.json.Decoder(_Line).decode


class Ledger:
    """The running account of one copy.

    Attributes:
        sent: Files that rclone says it has copied, in the order of its log.
        bytes_sent: Their sizes, summed.
        would_send, bytes_would_send: The same for a dry run.
        skipped: Things that cannot be copied, by reason.
        failures: Error text by name, of the files that have failed and not arrived since.
        errors: Error texts that name no file.
        hashless: Files that verification could compare by size only.

    Failures, errors and what was skipped are those of the latest pass over the files.
    """

    def __init__(self, *, keep_names: bool) -> None:
        self.sent = 0
        self.bytes_sent = 0
        self.would_send = 0
        self.bytes_would_send = 0
        self.skipped: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self.errors: list[str] = []
        self.hashless = 0
        self._log: deque[str] = deque(maxlen=MAX_LOG)
        self._passes = 0
        self._copying = False  # what is listed again to verify is not skipped twice
        self._names: set[str] = set()
        self._most = None if keep_names else MAX_SENT

    def begin_pass(self) -> int:
        """The files are gone over, again; returns the how manieth time this is."""
        self._passes += 1
        self._copying = True
        self.skipped.clear()
        self.failures.clear()
        self.errors.clear()
        return self._passes

    def end_pass(self) -> None:
        self._copying = False

    def was_sent(self, name: str) -> bool:
        """Whether `name` was copied; True also where it is no longer known."""
        return name in self._names or len(self._names) == self._most

    @property
    def log(self) -> tuple[str, ...]:
        """The latest lines in plain text, oldest first, without addresses and request ids."""
        return tuple(self._log)

    def feed(self, raw: bytes) -> None:
        """Take in one line. What is no JSON (a crash of rclone, say) is kept as an error."""
        try:
            line = _decoder(raw)
        except msgspec.DecodeError:
            self._error("", raw.decode(errors="replace").strip())
            return
        self._log.append(shown(f"{line.level}: {line.object}: {line.msg}".replace(": : ", ": ")))
        if hashless := _HASHLESS.match(line.msg):
            self.hashless += int(hashless[1])
        elif not self._copying:
            return
        elif line.msg.startswith(("Copied (", "Multi-thread Copied (")):
            self._arrived(line)
        elif line.skipped == "copy":
            self.would_send += 1
            self.bytes_would_send += line.size
        elif line.level == "notice" and line.msg in _SKIPPED:
            self.skipped[_SKIPPED[line.msg]] += 1
        elif line.level in ("error", "critical"):
            self._error(line.object if line.objectType.endswith(".Object") else "", line.msg)

    def _arrived(self, line: _Line) -> None:
        self.sent += 1
        self.bytes_sent += max(line.size, 0)
        self.failures.pop(line.object, None)
        if self._most is None or len(self._names) < self._most:
            self._names.add(line.object)

    def _error(self, name: str, text: str) -> None:
        if not text or text.startswith("rc: "):  # said again in the call's own answer
            return
        if name:
            if len(self.failures) < MAX_NAMES:
                self.failures[name] = text
        elif len(self.errors) < MAX_NAMES:
            self.errors.append(text)
