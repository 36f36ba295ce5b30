"""rclone's remote control over a unix socket in a private directory.

Whoever reaches that socket can run programs through it, so it never leaves the directory
that only this copy's processes can enter.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2

SOCKET: Final = "rc.sock"


class RcError(Exception):
    """rclone answered a call with an error.

    Attributes:
        status: Its HTTP status: 404 for what does not exist, 500 for the rest.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Gone(Exception):
    """rclone ended before it answered."""


class Rc:
    """The remote control of one rclone process."""

    def __init__(self, run_dir: Path) -> None:
        # A socket's address holds 108 bytes; by descriptor any directory fits.
        self._dir = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        transport = httpx2.AsyncHTTPTransport(
            uds=f"/proc/self/fd/{self._dir}/{SOCKET}", verify=False
        )
        self._client = httpx2.AsyncClient(
            transport=transport, base_url="http://rclone", timeout=None, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()
        os.close(self._dir)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call `method` and wait for its end, however long that is.

        Raises:
            RcError: rclone refused or the operation failed.
            Gone: rclone is not there, or ended while we waited.
        """
        try:
            reply = await self._client.post(f"/{method}", json=parameters)
            body: dict[str, Any] = reply.json()
        except (httpx2.TransportError, ValueError) as error:
            raise Gone(method) from error
        if reply.status_code != httpx2.codes.OK:
            raise RcError(str(body.get("error", "no reason given")), reply.status_code)
        return body
