"""The control plane: everything built by hand, top to bottom, then served until stopped."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
import uvicorn

from cloudcopy.adapters import documents, system
from cloudcopy.adapters.bus.local import LocalBus
from cloudcopy.adapters.cron import read_cron
from cloudcopy.adapters.directories import own_directory
from cloudcopy.adapters.rclone.binary import find
from cloudcopy.adapters.rclone.probe import StoreProbe
from cloudcopy.adapters.sandbox.cell import no_core_dumps
from cloudcopy.adapters.sandbox.choose import choose
from cloudcopy.adapters.sql.database import open_database
from cloudcopy.adapters.sql.intake import GroupCommit
from cloudcopy.adapters.sql.reads import SqlReads
from cloudcopy.adapters.sql.schedule_reads import SqlScheduleReads
from cloudcopy.adapters.sql.store import open_store
from cloudcopy.adapters.vault import FileVault
from cloudcopy.compose import timetable
from cloudcopy.compose.settings import ServerSettings, private_directory
from cloudcopy.control import (
    accepting,
    connections,
    hosting,
    instances,
    keys,
    ledgers,
    machines,
    offers,
    queries,
    slots,
    ssh_keys,
    transfers,
)
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.machine import AccountId
from cloudcopy.http.app import build_app
from cloudcopy.http.relays import RelaysHere
from cloudcopy.http.services import Services
from cloudcopy.ports.intake import Outcomes, Wanted
from cloudcopy.ports.store import Store
from cloudcopy.wire.agent import MAX_FRAME_BYTES

log = structlog.get_logger()

DAY_SECONDS: Final = 24 * 3600.0
ANSWERS_SECONDS: Final = 600.0  # between looks for answers that are too old to be read
USES_SECONDS: Final = 60.0  # how old `last_used_at` of a key may be
LEDGERS_KEPT: Final = timedelta(days=30)  # after the end of their transfer
STALLED_MILLISECONDS: Final = 60_000
BACKLOG: Final = 2048  # uvicorn's own default
OWNER = AccountId(1)  # made by the first migration


@asynccontextmanager
async def services(settings: ServerSettings, closing: asyncio.Event) -> AsyncIterator[Services]:
    """Open everything the control plane uses; all is closed when this ends."""
    no_core_dumps()
    data_dir = private_directory(settings.data_dir)
    vault = await asyncio.to_thread(FileVault.at, data_dir / "master.key")
    tools = settings.tools
    sandbox = await choose(
        bwrap=tools.bwrap, allow_unconfined=tools.allow_unconfined, prefer=tools.sandbox
    )
    bus = LocalBus()
    now = system.utc_now
    async with AsyncExitStack() as stack:
        looks = await asyncio.to_thread(stack.enter_context, own_directory(data_dir / "looks"))
        probe = StoreProbe(sandbox, await find(tools.rclone), looks)
        stack.push_async_callback(probe.close)
        database = await stack.enter_async_context(open_database(data_dir / "cloudcopy.db"))
        opened, reads = partial(open_store, database), SqlReads(database)

        def accept(wanted: Sequence[Wanted], store: Store) -> Outcomes:
            return accepting.accept_all(wanted, store, desk=transfer_desk)

        transfer_desk = transfers.Desk(
            opened,
            reads,
            bus,
            now,
            system.new_ulid,
            system.new_fence,
            settings.limits,
            GroupCommit(database, accept),
        )
        yield Services(
            open_store=opened,
            reads=reads,
            vault=vault,
            bus=bus,
            probe=probe,
            now=now,
            new_nonce=system.new_nonce,
            transfers=transfer_desk,
            connections=connections.Desk(opened, reads, vault, probe, now),
            machines=machines.Desk(
                opened, vault, bus, now, settings.limits, hearing=asyncio.Lock()
            ),
            instances=instances.Desk(opened, vault, bus, now, system.new_ulid),
            offers=offers.Desk(reads, now),
            ssh_keys=ssh_keys.Desk(opened, reads, now),
            keys=keys.Desk(opened, reads, vault, now, settings.rate),
            queries=queries.Desk(reads, bus, vault, now),
            schedules=slots.Desk(
                transfer_desk, SqlScheduleReads(database), read_cron, timetable.Alarm()
            ),
            relays=RelaysHere(system.new_secret),
            public_url=settings.public_url.rstrip("/"),
            closing=closing,
            documents=await asyncio.to_thread(documents.load),
        )


def listening(settings: ServerSettings) -> socket.socket:
    """A bound socket, so that the port is known, and taken, before anything else starts.

    Raises:
        Unavailable: the address is in use or not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on and each small reply waits 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # A reader that takes nothing for so long is gone; accepted sockets inherit it.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MILLISECONDS)
    try:
        bound.bind((settings.host, settings.port))
        bound.listen(BACKLOG)  # from now on a request waits rather than being refused
    except OSError as error:
        bound.close()
        raise Unavailable(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
            next=("Choose another address with --listen HOST:PORT.",),
        ) from error
    return bound


def local_url(bound: socket.socket, settings: ServerSettings) -> str:
    """The address that programs on this machine use."""
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{wildcard.get(settings.host, host)}:{bound.getsockname()[1]}"


def url_of(bound: socket.socket, settings: ServerSettings) -> str:
    """The address that people are told."""
    return settings.public_url.rstrip("/") or local_url(bound, settings)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: one place decides when we stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(found: Services, bound: socket.socket, *, stop: asyncio.Event) -> None:
    """Answer requests on `bound` until `stop`; requests under way are answered first."""
    config = uvicorn.Config(
        build_app(found),
        log_config=None,
        access_log=False,
        lifespan="off",
        http="h11",  # httptools puts no bound on a head that is still coming
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,  # 10 kB and more for each that asks; what is large is packed
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    stopping = asyncio.create_task(stop.wait())
    chores = [
        asyncio.create_task(each(found)) for each in (_prune, _forget, _note_uses, timetable.keep)
    ]
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for each in chores:
        each.cancel()
    await asyncio.gather(*chores, return_exceptions=True)
    found.closing.set()
    server.should_exit = True
    await serving
    await _noted(found)


async def _prune(found: Services) -> None:
    """Forget old ledgers, now and each day, a few chunks in each transaction."""
    while True:
        try:
            pruned = await ledgers.prune(
                before=found.now() - LEDGERS_KEPT, open_store=found.open_store
            )
            if pruned:
                log.info("old ledgers forgotten", chunks=pruned)
        except Unavailable as error:
            log.warning("old ledgers could not be forgotten", reason=str(error))
        await asyncio.sleep(DAY_SECONDS)


async def _forget(found: Services) -> None:
    """Remove answers of machines that nobody can read any more."""
    while True:
        try:
            await hosting.forget(open_store=found.open_store, now=found.now)
        except Unavailable as error:
            log.warning("old answers could not be removed", reason=str(error))
        await asyncio.sleep(ANSWERS_SECONDS)


async def _note_uses(found: Services) -> None:
    """Keep when keys were last used, beside the requests that use them."""
    while True:
        await asyncio.sleep(USES_SECONDS)
        await _noted(found)


async def _noted(found: Services) -> None:
    try:
        await keys.note_uses(desk=found.keys)
    except Unavailable as error:
        log.warning("last uses of keys could not be stored", reason=str(error))


async def first_key(found: Services, *, again: bool) -> str | None:
    """A key for the owner when there is none yet, or when one is asked for; else None."""
    if not again and await found.reads.keys(OWNER):
        return None
    _, text = await keys.create("owner", account=OWNER, desk=found.keys)
    return text
