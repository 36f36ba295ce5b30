"""What the kernel's files say of a machine, a container's limits included."""

import os
from pathlib import Path

import pytest

from cloudcopy.adapters.machine import LinuxMachine
from cloudcopy.domain.tuning import Capacity


@pytest.fixture
def machine(tmp_path: Path) -> LinuxMachine:
    """One with 8 GiB free and no limits; files are added by the tests."""
    made = LinuxMachine(copies=3, proc=tmp_path / "proc", cgroup=tmp_path / "cgroup")
    write(made.proc / "meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n")
    write(made.proc / "self/cgroup", "0::/outer/inner\n")
    return made


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_limits_it_is_the_whole_machine(machine):
    cores = len(os.sched_getaffinity(0))
    assert machine.capacity() == Capacity(cores=cores, memory=8 << 30, copies=3)


def test_a_limit_of_any_group_above_counts(machine):
    write(machine.cgroup / "outer/memory.max", f"{1 << 30}\n")
    write(machine.cgroup / "outer/inner/memory.max", "max\n")
    write(machine.cgroup / "outer/inner/cpu.max", "50000 100000\n")
    capacity = machine.capacity()
    assert (capacity.cores, capacity.memory) == (0.5, 1 << 30)


def test_the_first_version_of_groups_counts_too(machine):
    write(machine.proc / "self/cgroup", "4:memory:/box\n")
    write(machine.cgroup / "memory/box/memory.limit_in_bytes", f"{2 << 30}\n")
    assert machine.capacity().memory == 2 << 30


def test_a_part_of_a_machine_counts_only_what_the_mover_does(machine):
    write(machine.cgroup / "cpu.max", "10000 100000\n")
    write(machine.proc / "stat", "cpu 9000 0 0 50 0 0 0 0 0 0\n")
    write(machine.proc / "7/stat", "7 (a name) R 1" + " 0" * 9 + " 150 50 0 0\n")
    ticks = os.sysconf("SC_CLK_TCK")
    assert machine.load(7).busy_seconds == 200 / ticks


def test_all_work_counts_on_a_whole_machine(machine, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: len(os.sched_getaffinity(0)))
    write(machine.proc / "stat", "cpu 100 0 100 5000 700 0 0 0 0 0\ncpu0 1 1\n")
    write(machine.proc / "pressure/io", "some avg10=0.00 total=2500000\nfull total=1\n")
    load = machine.load(7)
    assert load.busy_seconds == 200 / os.sysconf("SC_CLK_TCK")
    assert load.io_stalled_seconds == 2.5


def test_what_the_kernel_does_not_tell_is_unknown(machine):
    assert machine.load(7).io_stalled_seconds is None


def test_this_machine_is_readable():
    here = LinuxMachine()
    assert here.capacity().memory > 0
    assert here.load(os.getpid()).busy_seconds > 0
