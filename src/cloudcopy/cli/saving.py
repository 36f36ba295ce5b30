"""Writing what a server sent into a file that a person named."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import Parameter

from cloudcopy.cli.exits import Refused

Output = Annotated[
    Path | None,
    Parameter(name=("--output", "-o"), show_default=False, help="Write into this file."),
]


@contextmanager
def saved(path: Path) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all: it gets its name at the end.

    What is no regular file, such as ``/dev/stdout``, is written to as it is.

    Raises:
        Refused: it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as file:
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Refused(
            f"{path} cannot be written: {error.strerror}.",
            next=("Name a file in a directory of yours, with room for it.",),
        ) from error
