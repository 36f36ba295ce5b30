"""The documents that come with this version, for people and programs to read."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One page.

    Attributes:
        title: Its first heading.
        summary: The first sentence below that; it may be empty.
        text: Markdown. Links to other pages are relative to it, by their names.
    """

    title: str
    summary: str
    text: str


Documents = Mapping[str, Document]  # by name, e.g. "cli.md" or "adr/0004-confinement.md"
