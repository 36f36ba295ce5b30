"""Real processes for the journeys: servers, agents, and a way to kill them."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

T = TypeVar("T")

PATIENCE = 120.0  # seconds that a condition may take on a busy machine
FINAL = ("succeeded", "partial", "failed", "cancelled")


def eventually(look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """The first true answer of `look`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not happen within {patience:.0f} s: {what}")


@dataclass
class Program:
    """One `cloudcopy` process, its output kept in files."""

    arguments: list[str]
    out: Path
    err: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cloudcopy.compose.main", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9: no last words."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def line(self, number: int = 0) -> str:
        """A line of stdout, once it is there."""

        def look() -> str | None:
            assert self.process.poll() is None, self.err.read_text()[-3000:]
            lines = self.out.read_text().splitlines()
            return lines[number] if len(lines) > number else None

        return eventually(look, f"line {number} on stdout of {self.arguments[0]}")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of that event."""
        lines = (json.loads(line) for line in self.err.read_text().splitlines() if line[:1] == "{")
        return [line for line in lines if line["event"] == name]


class Api:
    """The native API over a real socket."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self._client = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False
        )

    def close(self) -> None:
        self._client.close()

    def request(self, method: str, path: str, **rest: Any) -> httpx2.Response:
        return self._client.request(method, path, **rest)

    def ok(self, method: str, path: str, body: Any = None, **rest: Any) -> Any:
        reply = self.request(method, path, json=body, **rest)
        assert reply.is_success, (reply.status_code, reply.text)
        return reply.json() if reply.content else None

    def connect(self, name: str, parameters: dict[str, str]) -> int:
        body = {"name": name, "cloud_type": "s3", "parameters": parameters}
        return int(self.ok("POST", "/v1/connections", body)["id"])

    def copy(self, **body: Any) -> str:
        return str(self.ok("POST", "/v1/transfers", body)["id"])

    def wait_until_up(self) -> None:
        """Until the server answers; it is being started."""

        def look() -> bool:
            try:
                return self.request("GET", "/v1/health").is_success
            except httpx2.TransportError:
                return False

        eventually(look, "the server answers")

    def transfer(self, id: str) -> dict[str, Any]:
        return dict(self.ok("GET", f"/v1/transfers/{id}"))

    def wait(self, id: str, *states: str, patience: float = PATIENCE) -> dict[str, Any]:
        """The transfer, once it is in one of `states` (by default: ended)."""

        def look() -> dict[str, Any] | None:
            try:
                seen = self.transfer(id)
            except httpx2.TransportError:
                return None  # the server is being killed and started
            if seen["state"] in (states or FINAL):
                return seen
            assert seen["state"] not in FINAL, seen
            return None

        return eventually(look, f"{id} is {' or '.join(states or FINAL)}", patience)

    def wait_for_bytes(self, id: str) -> dict[str, Any]:
        """The transfer, once some of it has gone over and before it has ended."""

        def look() -> dict[str, Any] | None:
            seen = self.transfer(id)
            assert seen["state"] not in FINAL, seen
            progress = seen["progress"]
            return seen if progress and progress["bytes_copied"] > 0 else None

        return eventually(look, f"{id} has copied something")


def holders(work: Path) -> dict[int, set[str]]:
    """Which rclone processes hold which transfers' locks below the agent's `work` directory.

    The lock's descriptor is inherited, so it tells whose copy an rclone is.
    """
    locks = str(work / "locks")
    found: dict[int, set[str]] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if not _moves(process):
                continue
            names = {str(fd.readlink()) for fd in (process / "fd").iterdir()}
        except OSError:
            continue
        held = {
            Path(name.removesuffix(" (deleted)")).name for name in names if name.startswith(locks)
        }
        if held:
            found[int(process.name)] = held
    return found


def _moves(process: Path) -> bool:
    """Whether it is an rclone, or the program that takes its place for S3."""
    name = (process / "exe").readlink().name
    return "rclone" in name or (
        "python" in name and b"objects.child" in (process / "cmdline").read_bytes()
    )


def rclones(work: Path) -> Counter[str]:
    """How many rclone processes each transfer has."""
    return Counter(transfer for held in holders(work).values() for transfer in held)


@contextmanager
def watched(work: Path) -> Iterator[Counter[str]]:
    """The most rclone processes that any transfer had at one moment, by transfer."""
    most: Counter[str] = Counter()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for transfer, count in rclones(work).items():
                most[transfer] = max(most[transfer], count)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()
