"""What this machine has and how busy it is, from the kernel's files (proc(5), cgroups(7)).

A container's own limits count, not the host's size. What cannot be read counts as not there.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from cloudcopy.domain.tuning import Capacity
from cloudcopy.ports.experience import Load

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_IDLE: Final = (3, 4)  # fields of the line "cpu" in /proc/stat: idle and waiting for a disk
_KIB: Final = 1024


@dataclass(frozen=True, kw_only=True)
class LinuxMachine:
    """See `ports.experience.Machine`.

    Attributes:
        copies: How many copies may run here at once.
        proc, cgroup: Where the kernel shows its files.
    """

    copies: int = 1
    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")

    def capacity(self) -> Capacity:
        cores: float = len(os.sched_getaffinity(0))
        memory = self._available()
        for group in self._groups():
            quota, _, period = _read(group / "cpu.max").strip().partition(" ")
            if quota.isdigit() and period.isdigit() and int(period):
                cores = min(cores, int(quota) / int(period))
            for name in ("memory.max", "memory.limit_in_bytes"):
                limit = _read(group / name).strip()
                if limit.isdigit():
                    memory = min(memory, int(limit))
        return Capacity(cores=cores, memory=memory, copies=self.copies)

    def load(self, pid: int) -> Load:
        # Of a part of the machine, nobody else's work counts against ours.
        busy = self._process(pid) if self._partial else self._busy()
        return Load(busy_seconds=busy, io_stalled_seconds=self._stalled())

    @cached_property
    def _partial(self) -> bool:
        return self.capacity().cores < (os.cpu_count() or 1)

    def _available(self) -> int:
        """What the kernel could give without swapping."""
        for line in _read(self.proc / "meminfo").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * _KIB
        return Capacity().memory

    def _groups(self) -> Iterator[Path]:
        """Of this process, and all above: each of them may limit it. Both versions."""
        for line in _read(self.proc / "self" / "cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            top = self.cgroup / controllers if controllers else self.cgroup
            inner = Path(path.lstrip("/"))
            yield from (top / each for each in (inner, *inner.parents))

    def _busy(self) -> float:
        fields = _read(self.proc / "stat").partition("\n")[0].split()[1:9]  # guests are in user
        return sum(int(each) for at, each in enumerate(fields) if at not in _IDLE) / _TICKS

    def _process(self, pid: int) -> float:
        # The name, in brackets, may hold anything; user and system time are fields 14 and 15.
        fields = _read(self.proc / str(pid) / "stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS if len(fields) > 12 else 0.0

    def _stalled(self) -> float | None:
        for line in _read(self.proc / "pressure" / "io").splitlines():
            if line.startswith("some ") and "total=" in line:
                return int(line.rpartition("total=")[2]) / 1e6
        return None


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""
