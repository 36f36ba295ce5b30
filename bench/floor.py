"""What the machine itself does: no copy can be faster, whoever makes it.

Raw HTTP over loopback between two processes that keep nothing, memory to memory, the sums that
S3 asks for, and the store alone with the cheapest client there is.
"""

import hashlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from bench.latency import far
from bench.programs import PEERS
from bench.rounds import say
from bench.work import MIB
from demo.seaweed import REGION, seaweed

BYTES: Final = 2 << 30
SUMMED: Final = 256 * MIB
TRIES: Final = 3  # the best of them: a floor is what is possible
_PIECE: Final = bytes(MIB)


def measure() -> dict[str, float]:
    """By what it is, with its unit in the name."""
    say("the machine's floor")
    found = {
        "memory copy, MB/s": _rate(SUMMED, _memory()),
        "SHA-256, one core, MB/s": _rate(SUMMED, lambda: hashlib.sha256(_summed()).digest()),
        "MD5, one core, MB/s": _rate(
            SUMMED, lambda: hashlib.md5(_summed(), usedforsecurity=False).digest()
        ),
    }
    with _server() as port:
        found["HTTP GET of 2 GiB over loopback, s"] = _fastest(lambda: get(port, BYTES))
        found["HTTP PUT of 2 GiB over loopback, s"] = _fastest(lambda: put(port, BYTES))
        for rtt in (30.0, 100.0):
            with far(port, rtt) as distant:
                name = f"the same GET through the proxy, {rtt:g} ms, s"
                found[name] = _fastest(lambda port=distant: get(port, BYTES))  # type: ignore[misc]
    return found | _store()


def _rate(size: int, do: Callable[[], object]) -> float:
    return size / 1e6 / _fastest(do)


def _fastest(do: Callable[[], object]) -> float:
    seconds = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        do()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _memory() -> Callable[[], object]:
    source, target = _summed(), memoryview(bytearray(SUMMED))

    def copy() -> None:
        target[:] = source

    return copy


def _summed() -> bytes:
    return bytes(SUMMED)


# Raw HTTP


class _Bare(BaseHTTPRequestHandler):
    """Sends zeros, and forgets what it is sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size = int(self.path.strip("/"))
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        for _ in range(0, size, MIB):
            self.wfile.write(_PIECE)

    def do_PUT(self) -> None:
        left, room = int(self.headers["Content-Length"]), memoryview(bytearray(MIB))
        while left:
            left -= self.rfile.readinto(room[: min(left, MIB)])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def _server() -> Iterator[int]:
    words = [sys.executable, "-m", "bench.floor"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def get(port: int, size: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/{size}")
    answer, room = connection.getresponse(), bytearray(MIB)
    while answer.readinto(room):
        pass
    connection.close()


def put(port: int, size: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    pieces = (_PIECE for _ in range(0, size, MIB))
    connection.request("PUT", "/", body=pieces, headers={"Content-Length": str(size)})
    connection.getresponse().read()
    connection.close()


# The store alone


def _store() -> dict[str, float]:
    """Empty where the peers are not installed."""
    python = PEERS / "python"
    if not python.exists():
        return {}
    script = Path(__file__).with_name("obstore_floor.py")
    with seaweed() as store:
        bucket = store.create_bucket("floor")
        told = subprocess.run(
            [str(python), str(script), store.endpoint, bucket],
            env={
                "AWS_ACCESS_KEY_ID": store.access_key,
                "AWS_SECRET_ACCESS_KEY": store.secret_key,
                "AWS_REGION": REGION,
            },
            capture_output=True,
            check=True,
        ).stdout
    return {str(name): float(value) for name, value in json.loads(told).items()}


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), _Bare) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
