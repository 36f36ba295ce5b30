"""What a dead agent or server may have left of a sandbox, found by what it has open.

A sandbox dies with the process that made it, but for one that was being made at that moment:
bubblewrap's second process waits for a word of its first, for ever, and holds all that it was
given. (Seen in two of 200 kills on a busy machine.)
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_GONE: Final = " (deleted)"  # in the kernel's name of what was removed


def end_orphans(place: Path) -> None:
    """SIGKILL to every process that has something at or below `place` open, and that was not
    started by this one, nor by what it started.

    For whoever alone may use `place`. What another user's processes have open is seen by root
    only.
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _is_orphan(entry, place):
            with contextlib.suppress(ProcessLookupError):
                held = os.pidfd_open(int(entry.name))
                try:
                    if _is_orphan(entry, place):  # still the process of that number
                        signal.pidfd_send_signal(held, signal.SIGKILL)
                finally:
                    os.close(held)


def _is_orphan(process: Path, place: Path) -> bool:
    has = any(each == place or place in each.parents for each in _open_files(process))
    return has and os.getpid() not in _line(int(process.name))


def _open_files(process: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for each in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield Path(str(each.readlink()).removesuffix(_GONE))


def _line(pid: int) -> Iterator[int]:
    """The process, its parent, and so on."""
    while pid:
        yield pid
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return
        pid = int(status.rpartition(")")[2].split()[1])
