"""What becomes of each file, read from rclone's JSON log as it runs.

`core/transferred` of rclone forgets all but the last hundred files; the log does not.
Nothing is kept here for long: rows wait only until they are taken to the spool.
"""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from cloudcopy.adapters.rclone.glance import IRREGULAR, LINK
from cloudcopy.adapters.rclone.reasons import Reason, reason, shown
from cloudcopy.adapters.rclone.spool import Spool
from cloudcopy.domain.ledger import FileRow, Outcome

MAX_ERRORS: Final = 100  # texts kept that name no file
MAX_CLOSED: Final = 10_000  # directories whose names are kept
MAX_LOG: Final = 40  # lines kept of the log
_SKIPPED: Final = {
    "Can't follow symlink without -L/--copy-links": LINK,
    "Can't transfer non file/directory": IRREGULAR,
}
_PARTIAL: Final = re.compile(r"\.[0-9a-f]{8}\.partial$")
# And then rclone lists it as an empty one, or without what it could not look at.
_CLOSED: Final = ("failed to open directory", "failed to get info about directory entry")
# A file that was being compared when all was broken off: rclone had not come to it.
_UNCOMPARED: Final = re.compile(r"Failed to calculate (src|dst) hash: .*context canceled")
_DUPLICATE: Final = ("Duplicate object found in source", "Duplicate directory found in source")


class Part(Enum):
    """What rclone is doing: the same line may mean one thing or another."""

    OTHER = auto()
    SOURCE = auto()  # listing the source: what it leaves out counts
    COPY = auto()
    BROKEN_OFF = auto()  # what fails now did not fail by itself
    HASH = auto()  # reading files to compare them


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
        sent, bytes_sent: Files that rclone says it has copied, and their sizes, summed.
        replaced: Those of them that the destination had before.
        duplicates: Names that the source has twice; one of the two was left out.
        errors: Error texts that name no file, of the latest pass over the files.
        closed: Directories that could not be read in that pass, or not wholly, and why.
        elsewhere: How many other errors there were that name no file.
        name: Of the single file that is copied: the log calls it by its path in the store.
        round: Which time the files are gone over, from 1.
        hopeless: Why no further file can succeed, when an error has told so; `doomed` is set.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.bytes_sent = 0
        self.replaced = 0
        self.duplicates: Counter[str] = Counter()
        self.errors: list[str] = []
        self.closed: dict[str, Reason] = {}
        self.elsewhere = 0
        self.hopeless: Reason | None = None
        self.doomed = asyncio.Event()
        self.round = 0
        self.name = ""
        self._part = Part.OTHER
        self._rows: list[FileRow] = []
        self._log: deque[_Line] = deque(maxlen=MAX_LOG)

    def begin(self, part: Part) -> None:
        """From here on the lines are about `part`."""
        self._part = part
        if part is Part.COPY:
            self.round += 1
            self.errors.clear()
            self.closed.clear()
            self.elsewhere = 0
            self.duplicates.clear()

    def take(self) -> list[FileRow]:
        """The rows that came since the last time, in their order."""
        rows, self._rows = self._rows, []
        return rows

    async def pour(self, spool: Spool) -> None:
        """What was told of files goes to the spool."""
        await spool.mark(self.take(), round=self.round)

    @property
    def log(self) -> tuple[str, ...]:
        """The latest lines in plain text, oldest first, without addresses and request ids."""
        return tuple(_plain(line) for line in self._log)  # most lines are never shown

    def feed(self, raw: bytes) -> None:
        """Take in one line. What is no JSON (a crash of rclone, say) is kept as an error."""
        try:
            line = _decoder(raw)
        except msgspec.DecodeError:
            self._error("", raw.decode(errors="replace").strip())
            return
        self._log.append(line)
        if line.level == "notice" and line.msg in _SKIPPED:
            if self._part is Part.SOURCE:
                self._rows.append(FileRow(line.object, Outcome.SKIPPED, -1, *_SKIPPED[line.msg]))
        elif line.level in ("error", "critical"):
            text = _without(line.object, line.msg)
            if line.objectType.endswith(".Object"):
                self._error(self.name or line.object, text)
            else:
                self._error("", text, directory=line.object)
        elif self._part in (Part.COPY, Part.BROKEN_OFF):
            self._copying(line)

    def _copying(self, line: _Line) -> None:
        if line.msg.startswith(("Copied (", "Multi-thread Copied (")):
            self.sent += 1
            self.bytes_sent += max(line.size, 0)
            self.replaced += "(replaced" in line.msg
            self._rows.append(FileRow(self.name or line.object, Outcome.COPIED, line.size))
        elif line.skipped == "copy":
            self._rows.append(FileRow(self.name or line.object, Outcome.NEW, line.size))
        elif line.level == "notice" and line.msg.startswith(_DUPLICATE):
            self.duplicates[line.object] += 1
            if len(self.duplicates) > MAX_ERRORS:
                self.duplicates.popitem()

    def _error(self, name: str, text: str, *, directory: str = "") -> None:
        if not text or text.startswith("rc: "):  # said again in the call's own answer
            return
        if name and _UNCOMPARED.match(text):
            return
        known = reason(text)
        if name and self._part in (Part.COPY, Part.HASH):
            # A download is written under another name first, and fails under that one.
            own = _PARTIAL.sub("", name)
            self._rows.append(FileRow(own, Outcome.FAILED, -1, known.code, known.text))
        elif not name:
            if len(self.errors) < MAX_ERRORS:
                self.errors.append(text)
            if directory and text.startswith(_CLOSED) and len(self.closed) < MAX_CLOSED:
                self.closed[directory] = known
            else:
                self.elsewhere += 1
        if directory and self._part is Part.SOURCE and text.startswith(_CLOSED):
            self._rows.append(FileRow(f"{directory}/", Outcome.FAILED, -1, known.code, known.text))
        if known.hopeless and self._part is Part.COPY and not self.hopeless:
            self.hopeless = known
            self.doomed.set()


def _plain(line: _Line) -> str:
    return shown(f"{line.level}: {line.object}: {line.msg}".replace(": : ", ": "))


def _without(name: str, text: str) -> str:
    """An error's text without the file's own name, which may look like any error."""
    return re.sub(rf'(?<=[/"]){re.escape(name)}', "", text) if name else text
