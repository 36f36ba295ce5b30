"""A process's own directory for what must not outlive it.

Python removes a temporary directory when its block ends, but a process that is killed ends no
block. Here the next one of the same kind removes what the dead left, ends what still uses it, and
touches nothing of the living.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cloudcopy.adapters.sandbox.orphans import end_orphans

_PRIVATE: Final = 0o700


@contextmanager
def own_directory(parent: Path) -> Iterator[Path]:
    """A new private directory below `parent`, which is made if needed; removed with the block.

    Several processes may share `parent`: each holds a lock on its own directory, which the
    kernel lets go of when the process ends, however it ends.
    """
    parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    with _locked(parent):  # so that nobody removes one that is not locked yet
        _remove_left(parent)
        own = Path(tempfile.mkdtemp(dir=parent))
        held = contextlib.ExitStack()
        held.enter_context(_locked(own))
    with held:
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)


def _remove_left(parent: Path) -> None:
    for each in parent.iterdir():
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(each, wait=False):
            end_orphans(each)
            shutil.rmtree(each, ignore_errors=True)


@contextmanager
def _locked(directory: Path, *, wait: bool = True) -> Iterator[int]:
    """Raises BlockingIOError where another process holds it and we do not wait."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield fd
    finally:
        os.close(fd)
