"""Writing to the terminal: data on stdout, talk on stderr.

What comes from a server, and so perhaps from a hostile host (file names, reasons), is
shown without control characters: they could rewrite what the person sees.
"""

import codecs
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pydantic import BaseModel

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class Terminal:
    """Where a command writes.

    Attributes:
        json: Data and problems are written as JSON, one value per line.
        err: For bars and talk.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.err = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._out = Console(markup=False, highlight=False, emoji=False)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    @property
    def watched(self) -> bool:
        """A person reads stdout, not a pipe."""
        return self._out.is_terminal

    def one(self, thing: "BaseModel", facts: Iterable[tuple[str, object]]) -> None:
        """One thing: its JSON, or its facts line by line."""
        if self.json:
            self.data(thing.model_dump(mode="json"))
            return
        known = [(name, text) for name, value in facts if (text := _text(value))]
        width = max((len(name) for name, _ in known), default=0)
        for name, text in known:
            self.line(f"{name:<{width}}  {text}")

    def many(
        self,
        things: Sequence["BaseModel"],
        heads: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        none: str,
    ) -> None:
        """A list: its JSON; a table for people; lines with tabs for a pipe.

        `none` is what to say when it is empty.
        """
        if self.json:
            self.data([thing.model_dump(mode="json") for thing in things])
            return
        if not things:
            self.say(none)
            return
        if not self.watched:
            for row in rows:
                self.row(row)
            return
        table = Table(*heads, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(_text(value)) for value in row))
        self._out.print(table)

    def data(self, value: object) -> None:
        """One line of JSON on stdout."""
        self._write(json.dumps(value))

    def line(self, text: str) -> None:
        """One line on stdout, never wrapped."""
        self._write(clean(text))

    def row(self, values: Sequence[object]) -> None:
        """One line on stdout, with tabs."""
        self._write("\t".join(_text(value) for value in values))

    def raw(self, piece: bytes) -> None:
        """Lines on stdout as they are, in pieces; for a person without control characters."""
        if self.watched:
            lines = self._decoder.decode(piece).split("\n")
            sys.stdout.write("\n".join(clean(line) for line in lines))
        else:
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Lines of talk on stderr; with `json` there is none."""
        if not self.json:
            for line in text.splitlines():
                self.err.print(clean(line), soft_wrap=True)

    def problem(self, detail: str, next: Sequence[str], *, code: str, **more: bool | int) -> None:
        """What happened, and what to do now."""
        if self.json:
            body = {"code": code, "detail": detail, "next": [*next], **more}
            sys.stderr.write(f"{json.dumps(body)}\n")
            return
        self.err.print(Text.assemble(("✖ ", "red"), clean(detail)), soft_wrap=True)
        for each in next:
            self.err.print(Text.assemble(("  Now: ", "bold"), clean(each)), soft_wrap=True)

    def _write(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def clean(text: str) -> str:
    """`text` in one line, without control and format characters."""
    one_line = " ".join(text.splitlines())
    return "".join(char if char.isprintable() else "�" for char in one_line)


def size(count: float) -> str:
    """Bytes for people, e.g. ``1.2 GiB``."""
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {_UNITS[-1]}"


def duration(seconds: int) -> str:
    """E.g. ``6m12s``; two units at most."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"  # the API's times are UTC
        case _:
            return clean(str(value))
