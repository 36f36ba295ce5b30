"""A server and the agents of two machines, as processes of their own."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.journeys.stack import Api, Program, eventually

ODD = ("plain", "sp ace", "ünï/cödé ✓", "per%cent#?&", "tab\tin it", "quo'te\"s", "deep/er/still")


@dataclass
class Two:
    """Instances `one` and `other` are on one machine, `far` is on the second."""

    run: Callable[..., Program]
    top: Path
    listen: str
    options: tuple[str, ...] = ()
    server: Program = field(init=False)
    agents: dict[str, Program] = field(default_factory=dict, init=False)
    ids: dict[str, int] = field(default_factory=dict, init=False)
    api: Api = field(init=False)

    def __post_init__(self) -> None:
        self.start_server()
        self.api = Api(f"http://{self.listen}", self.server.line())
        for name, labels in (("near", ("one", "other")), ("away", ("far",))):
            for label in labels:
                self.root(label).mkdir()
            self._token = str(self.api.ok("POST", "/v1/machines/tokens")["token"])
            self.start_agent(name, labels)
        eventually(self._all_there, "both agents joined")

    def _all_there(self) -> bool:
        found = self.api.ok("GET", "/v1/instances")["data"]
        self.ids = {each["label"]: each["id"] for each in found}
        return len(self.ids) == 3

    def root(self, label: str) -> Path:
        return self.top / label

    def work(self, name: str) -> Path:
        return self.top / name / "work"

    def start_server(self) -> None:
        words = [f"--data-dir={self.top / 'server'}", f"--listen={self.listen}"]
        self.server = self.run("server", *words)

    def start_agent(self, name: str, labels: tuple[str, ...] = ()) -> None:
        labels = labels or (("far",) if name == "away" else ("one", "other"))
        self.agents[name] = self.run(
            "agent",
            f"--server=http://{self.listen}",
            f"--join={self._token}",
            f"--data-dir={self.top / name}",
            *(f"--instance={label}={self.root(label)}" for label in labels),
            *self.options,
        )

    def copy(self, src: str, dst: str, *flags: str, **more: Any) -> str:
        """From `LABEL/path` to `LABEL/path`."""
        return self.api.copy(**self.sides(src, dst), flags=list(flags), **more)

    def sides(self, src: str, dst: str) -> dict[str, Any]:
        (here, one), (there, other) = src.split("/", 1), dst.split("/", 1)
        return {"source_instance": here, "instance": there, "src": f"/{one}", "dst": f"/{other}"}

    def rclones(self) -> list[int]:
        """The processes of rclone of both agents."""
        return [each for name in ("near", "away") for each in _rclones(self.top / name)]

    def leftovers(self) -> list[str]:
        """Processes of rclone, and run directories, below either agent."""
        found = [str(each) for each in self.rclones()]
        for name in ("near", "away"):
            for kind in ("run", "relays", "locks", "only"):
                place = self.work(name) / kind
                found += [str(each) for each in place.iterdir()] if place.is_dir() else []
        return found

    def nothing_left(self) -> None:
        eventually(lambda: not self.leftovers(), f"all is cleared away: {self.leftovers()}", 30)


@contextmanager
def two(run: Callable[..., Program], top: Path, *options: str) -> Iterator[Two]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{held.getsockname()[1]}"
    made = Two(run, top, listen, options)
    yield made
    made.api.close()


def _rclones(data_dir: Path) -> list[int]:
    """Those that hold a file of that agent open, as every rclone of ours does its lock."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if "rclone" not in str((process / "exe").readlink()):
                continue
            names = [str(fd.readlink()) for fd in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(name.startswith(str(data_dir)) for name in names):
            found.append(int(process.name))
    return found


def lay(root: Path, size: int = 0) -> dict[str, bytes]:
    """A tree with names and files of every kind; returns what must arrive."""
    files = {f"{name}/file": name.encode() for name in ODD}
    files |= {name.replace("/", "-") + ".txt": os.urandom(100) for name in ODD}
    files |= {"empty": b"", "deep/empty": b"", "big": os.urandom(size)}
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "link").symlink_to("/etc/passwd")
    (root / "inner").symlink_to("empty")
    return files


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() or path.is_symlink()
    }


def memory_from_now_on(program: Program) -> int:
    """What it has in memory, in bytes; the most from now on is `most_memory`."""
    Path(f"/proc/{program.process.pid}/clear_refs").write_text("5")
    return most_memory(program)


def most_memory(program: Program) -> int:
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
