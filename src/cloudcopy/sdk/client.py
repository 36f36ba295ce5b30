"""The door to a cloudcopy server.

async with Client("http://127.0.0.1:8420", key) as client:
    transfer = await client.transfers.create(
        instance="here", connection="my-s3", direction="instance_to_cloud",
        src="/data", dst="my-bucket/data",
    )
    ended = await transfer.wait()
    print(ended.state, ended.result.summary)
"""

import asyncio
import random
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import httpx2

from cloudcopy.sdk.accounts import Accounts
from cloudcopy.sdk.calls import Calls, Chance, Sleep
from cloudcopy.sdk.connections import Connections
from cloudcopy.sdk.errors import Unauthenticated, Unreachable
from cloudcopy.sdk.instances import Instances
from cloudcopy.sdk.keys import Keys
from cloudcopy.sdk.machines import Machines
from cloudcopy.sdk.plans import Checks, Plans
from cloudcopy.sdk.receipts import fetch_key
from cloudcopy.sdk.schedules import Schedules
from cloudcopy.sdk.ssh_keys import SshKeys
from cloudcopy.sdk.transfers import Transfers

DEFAULT_TIMEOUT_SECONDS: Final = 40.0  # a connection is tested live, for at most 20 s


class Client:
    """A client of one server, with one key. Use it as an async context manager.

    Args:
        url: The server's address, e.g. ``http://127.0.0.1:8420``.
        api_key: Sent as a bearer token; kept out of every repr and error.
        timeout: Seconds to wait for any one answer.
        transport: Instead of the network, e.g. ``httpx2.ASGITransport(app)``.
        sleep: Waits between tries and polls.
        chance: Draws from 0 to 1 how much the pauses between tries vary.
        new_idempotency_key: Draws a fresh one for each copy, plan or check that is asked for.

    Raises:
        Unreachable: `url` is not an http address.
        Unauthenticated: `api_key` cannot be a key.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        chance: Chance = random.random,
        new_idempotency_key: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        server = _server(url)
        self._http = httpx2.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {_sendable(api_key)}"},
            timeout=timeout,
            transport=transport,
        )
        self._server = server
        calls = Calls(self._http, server=server, sleep=sleep, chance=chance)
        self._calls = calls
        self.transfers = Transfers(calls, new_idempotency_key)
        self.plans = Plans(calls, new_idempotency_key)
        self.checks = Checks(calls, new_idempotency_key)
        self.schedules = Schedules(calls)
        self.connections = Connections(calls)
        self.instances = Instances(calls)
        self.machines = Machines(calls)
        self.keys = Keys(calls)
        self.accounts = Accounts(calls)
        self.ssh_keys = SshKeys(calls)

    async def receipt_key(self) -> str:
        """The key that the server signs receipts with, in base64. It names the server, too:
        another one has another key, whatever its address is."""
        return await fetch_key(self._calls)

    def __repr__(self) -> str:
        return f"Client({self._server!r})"

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)


def _server(url: str) -> str:
    """`url` as it may be shown: without a password that somebody wrote into it."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        parsed = httpx2.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Unreachable(
            "The server's address must be a URL that begins with http:// or https://.",
            code="bad_url",
            next=("Give it as --url or CLOUDCOPY_URL, e.g. http://127.0.0.1:8420.",),
        )
    return str(parsed.copy_with(userinfo=b"")).rstrip("/")


def _sendable(api_key: str) -> str:
    """Checked here, because the error of the HTTP library would quote it."""
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Unauthenticated(
            401,
            "The API key is empty or has characters that no key has.",
            code="bad_key",
            next=("Copy the key once more: it begins with cck_ and is one word.",),
        )
    return key
