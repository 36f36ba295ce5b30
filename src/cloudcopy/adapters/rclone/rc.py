"""rclone's remote control over a unix socket in a private directory, with a password.

Whoever controls rclone can run programs and read its credentials. The directory keeps other
users out; it does not keep out what runs as the same user, not even under Landlock, which has
no say in connecting to a socket. So each run draws a password, which never leaves this
process: rclone gets a file with its hash.

rclone asks nobody for a password on a unix socket that it made itself, only on one that it
inherited as systemd hands them over (measured with 1.75.2; `sandbox.launch`).
"""

import base64
import hashlib
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2
import msgspec

from cloudcopy.adapters.rclone.flags import HTPASSWD

SOCKET: Final = "rc.sock"
_USER: Final = "cloudcopy"
_BACKLOG: Final = 128

# A listing of ten thousand files is megabytes; the standard decoder takes three times as long.
_decoded: Final = msgspec.json.Decoder(dict[str, Any]).decode


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

    unsupported = ""  # rclone does every copy

    def __init__(self, run_dir: Path, password: str) -> None:
        # A socket's address holds 108 bytes; by descriptor any directory fits.
        self._dir = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        transport = httpx2.AsyncHTTPTransport(
            uds=f"/proc/self/fd/{self._dir}/{SOCKET}", verify=False
        )
        self._client = httpx2.AsyncClient(
            transport=transport,
            base_url="http://rclone",
            timeout=None,
            trust_env=False,
            auth=(_USER, password),
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
            body = _decoded(reply.content)
        except (httpx2.TransportError, msgspec.DecodeError) as error:
            raise Gone(method) from error
        if reply.status_code != httpx2.codes.OK:
            raise RcError(str(body.get("error", "no reason given")), reply.status_code)
        return body


def drawn(run_dir: Path) -> str:
    """A new password, whose hash is put where rclone looks for it.

    SHA-1 is enough for 256 random bits, and rclone computes it on each call.
    """
    password = secrets.token_urlsafe(32)
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    path = run_dir / HTPASSWD
    path.write_text(f"{_USER}:{{SHA}}{base64.b64encode(digest).decode()}\n")
    path.chmod(0o444)  # rclone may run as another user; the directory lets in nobody else
    return password


@contextmanager
def listening(run_dir: Path) -> Iterator[int]:
    """A socket in that directory, for rclone to inherit. Ours must be closed then: as long as
    anybody has it, calls wait for an answer."""
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            place = f"/proc/self/fd/{directory}/{SOCKET}"
            made.bind(place)
            Path(place).chmod(0o600)
            made.listen(_BACKLOG)
            yield made.fileno()
    finally:
        os.close(directory)
