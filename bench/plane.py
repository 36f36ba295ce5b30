"""How many agents one control plane bears: memory, the way of an order, orders per second.

The server is a process of its own, as in production; agents and callers are others.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import machine
from bench.posts import PATH, Line, order
from bench.rounds import say
from bench.swarm import KEY
from bench.table import NOTHING
from demo.stack import PROGRAM

PER_PROCESS: Final = 5_000  # agents
ORDERS: Final = 300  # whose way is timed
PAUSE_SECONDS: Final = 0.01  # between them: what is timed is the way, not a queue
SETTLE_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 20.0  # one full round of every agent
ARRIVE_SECONDS: Final = 60.0
LIVE: Final = 10_000  # copies at once, the most that a server can be told
KIB: Final = 1 << 10
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int
    api_key: str = field(repr=False)

    def rss(self) -> int:
        """Bytes of memory in use now."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        line = next(each for each in text.splitlines() if each.startswith("VmRSS:"))
        return int(line.split()[1]) * KIB

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / _TICKS


def measure(
    place: Path, agents: int, *, seconds: float, idle_seconds: float = IDLE_SECONDS
) -> dict[str, str]:
    """By what it is, with its unit in the name.

    Args:
        place: For the server's data.
        seconds: How long orders are poured in.
        idle_seconds: How long the server is looked at with nothing to do.
    """
    with ExitStack() as stack:
        server = stack.enter_context(_server(place / f"plane-{agents}"))
        sizes = [PER_PROCESS] * (agents // PER_PROCESS)
        sizes += [agents % PER_PROCESS] * bool(agents % PER_PROCESS)
        say(f"{agents} agents join")
        swarms = [stack.enter_context(_swarm(server, size)) for size in sizes]
        for swarm in swarms:
            swarm.fact("joined")
        before = server.rss()
        say(f"{agents} agents connect")
        begun = time.monotonic()
        for swarm in swarms:
            swarm.tell("connect")
        instances = [each for swarm in swarms for each in swarm.fact("connected")]
        connected = time.monotonic() - begun
        time.sleep(min(SETTLE_SECONDS, idle_seconds))
        per_agent = (server.rss() - before) / agents
        cpu = server.cpu()
        time.sleep(idle_seconds)
        idle = (server.cpu() - cpu) / idle_seconds
        say(f"{agents} agents: {ORDERS} orders, one after another")
        connection = asyncio.run(_connection(server))
        answered, arrived = asyncio.run(_ways(server, instances, swarms))
        say(f"{agents} agents: orders for {seconds:g} s, twice")
        poured = _poured(server, instances, seconds)
        compatible = _poured(server, instances, seconds, connection)
        return {
            "version": machine.version(),
            "memory of the server without agents, MB": f"{before / 1e6:.0f}",
            "memory per idle agent, kB": f"{per_agent / 1e3:.1f}",
            "logins per second": f"{agents / connected:.0f}",
            "logins that had to be tried again": f"{sum(swarm.again() for swarm in swarms)}",
            "CPU of the idle server, % of a core": f"{100 * idle:.1f}",
            "POST until its answer, p50 / p99, ms": _both(answered),
            "POST until the agent has the order, p50 / p99, ms": _both(arrived),
            "orders that reached no agent within a minute": f"{ORDERS - len(arrived)}",
            "connections lost": f"{sum(swarm.lost() for swarm in swarms)}",
            "POSTs to /api/v0 accepted per second, 32 at once": f"{compatible['rate']:.0f}",
            "answers of /api/v0 meanwhile, p50 / p99, ms": _ms(
                compatible["p50"], compatible["p99"]
            ),
            "POSTs to /v1 accepted per second, 32 at once": f"{poured['rate']:.0f}",
            "answers of /v1 meanwhile, p50 / p99, ms": _ms(poured["p50"], poured["p99"]),
        }


def _both(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        return NOTHING
    cuts = statistics.quantiles(seconds, n=100)
    return _ms(cuts[49], cuts[98])


def _ms(*seconds: float) -> str:
    return " / ".join(f"{each * 1e3:.1f}" for each in seconds)


async def _connection(server: Server) -> int:
    store = {"endpoint": "http://127.0.0.1:9", "access_key_id": "x", "secret_access_key": "x"}
    body = {"name": "store", "cloud_type": "s3", "parameters": store}
    async with Line(server.port, server.api_key) as line:
        status, told = await line.post("/v1/connections?test=false", body)
    if status != 201:
        raise RuntimeError(f"the connection was refused: {told}")
    return int(told["id"])


async def _ways(
    server: Server, instances: Sequence[int], swarms: Sequence["Swarm"]
) -> tuple[list[float], list[float]]:
    """Seconds of each order until its answer, and until its agent has it."""
    begun: dict[str, float] = {}
    answered = []
    async with Line(server.port, server.api_key) as line:
        for number in range(ORDERS):
            instance = instances[number * len(instances) // ORDERS]
            at = time.monotonic()
            _, told = await line.post(PATH, order(instance, number))
            answered.append(time.monotonic() - at)
            begun[told["id"]] = at
            await asyncio.sleep(PAUSE_SECONDS)
    arrived = await asyncio.to_thread(_arrivals, set(begun), swarms)
    return answered, [arrived[id] - at for id, at in begun.items() if id in arrived]


def _arrivals(wanted: set[str], swarms: Sequence["Swarm"]) -> dict[str, float]:
    deadline = time.monotonic() + ARRIVE_SECONDS
    found: dict[str, float] = {}
    while wanted - found.keys():
        for swarm in swarms:
            found |= swarm.orders()
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return found


def _poured(
    server: Server, instances: Sequence[int], seconds: float, connection: int | None = None
) -> dict[str, float]:
    words = [sys.executable, "-m", "bench.posts", f"--port={server.port}"]
    words += [] if connection is None else [f"--connection={connection}"]
    told = subprocess.run(
        [*words, f"--seconds={seconds}", f"--key={KEY}"],
        input=json.dumps(list(instances)) + "\n",
        env={**os.environ, KEY: server.api_key},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return dict(json.loads(told))


@contextmanager
def _server(data_dir: Path) -> Iterator[Server]:
    words = [str(PROGRAM), "server", f"--data-dir={data_dir}", "--listen=127.0.0.1:0", "--rate=0"]
    words += [f"--max-per-{each}={LIVE}" for each in ("account", "connection", "instance")]
    log = data_dir.with_suffix(".log")
    with (
        log.open("wb") as told,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=told, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            key = process.stdout.readline().strip()
            if not key:
                raise RuntimeError(f"the server did not start: {log.read_text()[-2_000:]}")
            ready = next(each for each in log.read_text().splitlines() if "is ready at" in each)
            yield Server(process.pid, int(ready.rpartition(":")[2]), key)
        finally:
            process.kill()  # what it holds is thrown away
    shutil.rmtree(data_dir, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Swarm:
    """A process of simulated agents; its words are read from its file, so it never waits."""

    process: subprocess.Popen[str]
    out: Path

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def facts(self) -> list[dict[str, Any]]:
        lines = self.out.read_text().split("\n")[:-1]  # the last may be half written
        return [json.loads(line) for line in lines]

    def fact(self, name: str) -> Any:
        """The value of the fact of this name, once it is there."""
        while True:
            for fact in self.facts():
                if name in fact:
                    return fact[name]
            if self.process.poll() is not None:
                raise RuntimeError("the simulated agents ended too early")
            time.sleep(0.05)

    def orders(self) -> dict[str, float]:
        """When each order came, in seconds of the machine's clock."""
        return {fact["order"]: fact["at"] for fact in self.facts() if "order" in fact}

    def again(self) -> int:
        return sum("again" in fact for fact in self.facts())

    def lost(self) -> int:
        """How many agents lost their connection, for which they do not ask again."""
        return sum("lost" in fact for fact in self.facts())


@contextmanager
def _swarm(server: Server, agents: int) -> Iterator[Swarm]:
    words = [sys.executable, "-m", "bench.swarm", f"--port={server.port}", f"--agents={agents}"]
    with (
        tempfile.NamedTemporaryFile("w", prefix="cloudcopy-swarm-") as told,
        subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=told,
            env={**os.environ, KEY: server.api_key},
            text=True,
        ) as process,
    ):
        try:
            yield Swarm(process, Path(told.name))
        finally:
            process.kill()
