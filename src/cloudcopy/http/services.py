"""Everything the routes may use, built once by `compose` and kept on the application."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from fastapi import Request, WebSocket

from cloudcopy.control import (
    connections,
    instances,
    keys,
    machines,
    offers,
    queries,
    rechecks,
    slots,
    ssh_keys,
    transfers,
)
from cloudcopy.http.relays import RelaysHere
from cloudcopy.ports.bus import Bus
from cloudcopy.ports.clock import Clock
from cloudcopy.ports.documents import Documents
from cloudcopy.ports.engine import Probe
from cloudcopy.ports.reads import Reads
from cloudcopy.ports.store import OpenStore
from cloudcopy.ports.vault import Vault

RECHECKS: Final = 4  # at once; each lists a store with an rclone of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases' desks and the ports behind them.

    Attributes:
        new_nonce: 256 random bits for an agent's login challenge.
        relays: Those between agents that are connected to this process.
        public_url: What result URLs begin with; empty means the address of the request.
        closing: Set when the server shuts down: sockets of agents end then.
        documents: What `/docs/NAME.md` serves.
        rechecking: The turns of those that list a store before they believe a report.
        misses: How often that was not possible, by attempt.
    """

    open_store: OpenStore
    reads: Reads
    vault: Vault
    bus: Bus
    probe: Probe
    now: Clock
    new_nonce: Callable[[], bytes]
    transfers: transfers.Desk
    connections: connections.Desk
    machines: machines.Desk
    instances: instances.Desk
    offers: offers.Desk
    ssh_keys: ssh_keys.Desk
    keys: keys.Desk
    queries: queries.Desk
    schedules: slots.Desk
    relays: RelaysHere
    public_url: str
    closing: asyncio.Event
    documents: Documents = field(default_factory=dict)
    rechecking: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, RECHECKS))
    misses: rechecks.Misses = field(default_factory=dict)


async def services(request: Request) -> Services:
    """The application's services, for a route. Async, or the framework asks for it in a thread."""
    found: Services = request.app.state.services
    return found


def socket_services(socket: WebSocket) -> Services:
    """The application's services, for a WebSocket."""
    found: Services = socket.app.state.services
    return found
