"""The agent: built by hand, then connected to its server for as long as it runs."""

import asyncio
import contextlib
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from cloudcopy.adapters import system
from cloudcopy.adapters.experience import FileExperience
from cloudcopy.adapters.journal import open_journal
from cloudcopy.adapters.machine import LinuxMachine
from cloudcopy.adapters.objects.spare import DIRECTORY as WAITING
from cloudcopy.adapters.objects.spare import Spares
from cloudcopy.adapters.rclone.binary import find
from cloudcopy.adapters.rclone.engine import RcloneEngine
from cloudcopy.adapters.rclone.origin import DIRECTORY as RELAYS
from cloudcopy.adapters.rclone.origin import RcloneOrigins
from cloudcopy.adapters.rclone.tuner import Tuners
from cloudcopy.adapters.sandbox.cell import no_core_dumps
from cloudcopy.adapters.sandbox.choose import choose
from cloudcopy.adapters.sandbox.orphans import end_orphans
from cloudcopy.adapters.tunnels import WebTunnels
from cloudcopy.agent.attempt import Bench
from cloudcopy.agent.instances import Instances, Roots
from cloudcopy.agent.outbox import Outbox
from cloudcopy.agent.questions import Questions
from cloudcopy.agent.shipping import Shipping
from cloudcopy.agent.sources import Sources
from cloudcopy.agent.worker import Worker
from cloudcopy.compose.identity import Identity, hold, identity
from cloudcopy.compose.runtime import chosen, offering
from cloudcopy.compose.settings import AgentSettings, private_directory
from cloudcopy.domain.errors import Forbidden, Unavailable
from cloudcopy.domain.machine import ActualStatus
from cloudcopy.domain.movers import Mover
from cloudcopy.domain.offer import Hardware
from cloudcopy.ports.runtime import InstanceRuntime
from cloudcopy.wire import agent as wire

log = structlog.get_logger()

EXPERIENCE: Final = "experience.json"  # may be deleted at any time
DAY_SECONDS: Final = 24 * 3600.0
AGAIN_SECONDS: Final = 20.0  # how long an acknowledgement may take before we say it again
FIRST_WAIT: Final = 0.1  # before the first reconnection; doubles up to the last
LAST_WAIT: Final = 15.0
OPEN_SECONDS: Final = 10.0
STEADY_SECONDS: Final = 30.0  # a connection that lived longer was a good one
Connected = Callable[[dict[str, int]], object]


class Lost(Exception):
    """The server ended the connection and may take the next one."""


async def run(
    settings: AgentSettings, *, stop: asyncio.Event, connected: Connected = lambda ids: None
) -> None:
    """Serve the machine's instances until `stop`. Copies that run then resume at the next start.

    Args:
        connected: Called with the instances' ids by label each time the server has welcomed us.

    Raises:
        Forbidden: the server refused this machine.
        Conflict: another agent runs from the same directory.
    """
    no_core_dumps()
    directory = private_directory(settings.data_dir)
    lock = hold(directory)
    try:
        me = await identity(
            directory, server=settings.server, join=settings.join, name=settings.name
        )
        async with open_journal(directory / "journal.db") as journal:
            outbox = Outbox()
            work_dir = private_directory(directory / "work")
            engine = await _engine(settings, work_dir, directory / EXPERIENCE)
            runtime = await chosen(settings, directory)
            roots = Roots(settings.instances, runtime)
            bench = Bench(
                roots=roots,
                journal=journal,
                engine=engine,
                outbox=outbox,
                questions=Questions(outbox),
                shipping=Shipping(outbox, work_dir / "ledgers"),
                sources=Sources(
                    roots=roots,
                    origins=RcloneOrigins(
                        sandbox=engine.sandbox, binary=engine.binary, work_dir=work_dir
                    ),
                    tunnels=WebTunnels(
                        server=settings.server, sleep=asyncio.sleep, monotonic=time.monotonic
                    ),
                    outbox=outbox,
                ),
                work_dir=work_dir,
                now=system.utc_now,
            )
            try:
                await _work(settings, me, bench, runtime=runtime, stop=stop, connected=connected)
            finally:
                await engine.spares.close()
                if runtime is not None:
                    await runtime.close()
    finally:
        os.close(lock)


async def _engine(settings: AgentSettings, work_dir: Path, experience: Path) -> RcloneEngine:
    tools = settings.tools
    # Of copies that died with an earlier agent; nothing of ours runs yet.
    await asyncio.to_thread(end_orphans, work_dir)
    for leftover in ("run", "only", WAITING, RELAYS):
        await asyncio.to_thread(shutil.rmtree, work_dir / leftover, ignore_errors=True)
    sandbox = await choose(
        bwrap=tools.bwrap, allow_unconfined=tools.allow_unconfined, prefer=tools.sandbox
    )
    log.info("copies are confined", by=sandbox.name)
    return RcloneEngine(
        sandbox=sandbox,
        spares=Spares(sandbox, work_dir),
        binary=await find(tools.rclone),
        work_dir=work_dir,
        local_store=settings.local_store,
        mover=Mover.RCLONE if tools.engine == "rclone" else None,
        sleep=asyncio.sleep,
        random=random.random,
        monotonic=time.monotonic,
        tuners=Tuners(
            experience=FileExperience(experience),
            machine=LinuxMachine(copies=settings.copies),
            cap=settings.max_concurrency,
        ),
    )


async def _work(
    settings: AgentSettings,
    me: Identity,
    bench: Bench,
    *,
    runtime: InstanceRuntime | None,
    stop: asyncio.Event,
    connected: Connected,
) -> None:
    async with asyncio.TaskGroup() as copies:
        spawn = copies.create_task
        instances = None if runtime is None else Instances(runtime, bench.outbox, spawn)
        worker = Worker(bench, asyncio.Semaphore(settings.copies), spawn, instances)
        await worker.recover()
        talking = asyncio.create_task(_stay_connected(settings, me, worker, connected))
        pruning = asyncio.create_task(_prune(worker))
        asked = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({talking, asked}, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                talking.result()
        finally:
            for each in (talking, pruning, asked):
                each.cancel()
            await asyncio.gather(talking, pruning, asked, return_exceptions=True)
            worker.abandon()


async def _prune(worker: Worker) -> None:
    """Each day, for an agent that runs for months."""
    while True:
        await asyncio.sleep(DAY_SECONDS)
        try:
            await worker.prune()
        except Unavailable as error:
            log.warning("the journal could not be pruned", reason=str(error))


async def _stay_connected(
    settings: AgentSettings, me: Identity, worker: Worker, connected: Connected
) -> None:
    """Raises Forbidden when the server will not have this machine. Nothing else ends it."""
    address = f"{settings.server.replace('http', 'ws', 1)}/v1/agent"
    offered = await offering(worker.instances.runtime, settings) if worker.instances else None
    loop = asyncio.get_running_loop()
    wait = FIRST_WAIT
    while True:
        begun = loop.time()
        try:
            async with connect(
                address,
                max_size=wire.MAX_FRAME_BYTES,
                open_timeout=OPEN_SECONDS,
                proxy=None,
                compression=None,
            ) as socket:
                connected(await _log_in(socket, settings, me, offered))
                await _converse(socket, worker)
        except (OSError, TimeoutError, WebSocketException, msgspec.DecodeError, Lost) as error:
            reason = str(error) if isinstance(error, Lost) else type(error).__name__
            log.info("not connected", server=settings.server, reason=reason)
        # A connection that ended at once is a fault that will be there again.
        wait = FIRST_WAIT if loop.time() - begun > STEADY_SECONDS else min(LAST_WAIT, wait * 2)
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311


async def _log_in(
    socket: ClientConnection, settings: AgentSettings, me: Identity, offered: Hardware | None
) -> dict[str, int]:
    await socket.send(wire.pack(wire.Hello(protocol=wire.PROTOCOL, machine=me.machine)))
    challenge = await _next(socket)
    if isinstance(challenge, wire.Challenge):
        await socket.send(wire.pack(wire.Proof(signature=me.prove(challenge.nonce))))
        instances = await asyncio.to_thread(_announced, settings.instances)
        announce = wire.Announce(instances=instances, hardware=offered, relays=True)
        await socket.send(wire.pack(announce))
        welcome = await _next(socket)
        if isinstance(welcome, wire.Welcome):
            log.info("connected", server=settings.server, machine=me.machine, epoch=welcome.epoch)
            return welcome.instances
        challenge = welcome
    if isinstance(challenge, wire.Bye) and challenge.final:
        raise Forbidden(f"The server refused this machine: {challenge.reason}")
    raise Lost(challenge.reason if isinstance(challenge, wire.Bye) else "unexpected answer")


def _announced(roots: Mapping[str, Path]) -> list[wire.AnnouncedInstance]:
    """What this machine has now; a directory that is gone is an instance that is offline."""
    return [
        wire.AnnouncedInstance(
            label, str(root), ActualStatus.RUNNING if root.is_dir() else ActualStatus.OFFLINE
        )
        for label, root in roots.items()
    ]


async def _converse(socket: ClientConnection, worker: Worker) -> None:
    """Until the socket closes."""
    outbox = worker.bench.outbox
    outbox.again()
    worker.new_socket()
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(_send(socket, outbox)),
                group.create_task(_again(outbox)),
            ]
            try:
                while True:
                    message = await _next(socket)
                    if isinstance(message, wire.Bye):
                        log.info("server said goodbye", reason=message.reason)
                        break
                    await worker.hear(message)
            except (ConnectionClosed, msgspec.DecodeError) as error:
                log.info("connection lost", reason=type(error).__name__)
            finally:
                for each in background:
                    each.cancel()
                worker.lost_socket()


async def _next(socket: ClientConnection) -> wire.FromServer:
    frame = await socket.recv(decode=False)
    return wire.from_server(frame)


async def _send(socket: ClientConnection, outbox: Outbox) -> None:
    while True:
        await outbox.wait()
        for message in outbox.take():
            try:
                await socket.send(wire.pack(message))
            except ConnectionClosed:
                return  # what was held is said again on the next socket


async def _again(outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(AGAIN_SECONDS)
        outbox.again()
