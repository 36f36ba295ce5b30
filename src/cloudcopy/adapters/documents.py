"""The documents of this version, read from where it is installed.

A wheel has them in the package (`force-include` in pyproject.toml); a checkout has them at its
root, and nowhere twice.
"""

import re
from pathlib import Path
from typing import Final

from cloudcopy.ports.documents import Document, Documents

_PACKAGE: Final = Path(__file__).parents[1]
_ROOTS: Final = (_PACKAGE / "documents", _PACKAGE.parents[1])
_PAGES: Final = "docs"
_ALSO: Final = ("README.md", "SKILL.md")  # of the root
_SENTENCE: Final = re.compile(r"(.+?[.!?:])(?:\s|$)", re.DOTALL)


def load() -> Documents:
    """Every page, the two of the root first, then by name. None, if they were not installed."""
    root = next((each for each in _ROOTS if (each / _PAGES).is_dir()), None)
    if root is None:
        return {}
    pages = root / _PAGES
    files = {name: root / name for name in _ALSO if (root / name).is_file()}
    for path in sorted(pages.rglob("*.md"), key=lambda each: (len(each.parts), each)):
        files[path.relative_to(pages).as_posix()] = path
    return {name: _document(path.read_text("utf-8")) for name, path in files.items()}


def _document(text: str) -> Document:
    """A page as it is served: all pages lie side by side, those of the root, too."""
    text = text.replace(f"]({_PAGES}/", "](")
    body = text.partition("\n---\n")[2] if text.startswith("---\n") else text
    title, _, rest = body.strip().partition("\n")
    paragraph = next((part for part in rest.split("\n\n") if part.strip()), "").strip()
    found = None if paragraph.startswith(("#", "|", "`", "*")) else _SENTENCE.match(paragraph)
    return Document(
        title=title.lstrip("# "),
        summary=" ".join(found[1].split()) if found else "",
        text=text,
    )
