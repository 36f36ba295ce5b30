"""Frames on the socket that this program inherits: four bytes of length, then JSON.

This program says ``{"id": 0, "result": {}}`` when it is ready, and is told one `Begin`, with
descriptors. From then on a request is ``{"id", "method", "parameters"}``, an answer ``{"id",
"result"}`` or ``{"id", "error", "status", "unsupported"}``. A request without a method takes back
the one of that id.
"""

import json
import socket
import threading
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

LISTENING: Final = 3  # where `sandbox.launch` puts the socket
LENGTH_BYTES: Final = 4
READY: Final = 0  # the id of what is said first
DATA: Final = 200  # descriptors of what is handed over; far above what is open by then
RUN: Final = 201
_MOST_HANDED: Final = 8


class Begin(TypedDict):
    """What this program is told of its copy, or of its look.

    words: Arguments, in rclone's spelling.
    store: The store's options.
    rules: What it confines itself to, a path, or which of the descriptors, with a key of
        `sandbox.launch.RIGHTS`; None where it must not.
    handed: The first descriptors are of directories, and become `DATA`, what it copies from or
        to, and `RUN`, where lists of names are.
    """

    words: list[str]
    store: dict[str, str]
    rules: list[tuple[str | int, str]] | None
    handed: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """What was told, and the descriptors that came with it."""

    told: Begin = field(repr=False)
    handed: list[int]


class Peer:
    """The agent. Answers may be sent from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._turn = threading.Lock()

    def begin(self) -> Begun | None:
        """Say that we are ready, and wait for what we are told; None when the agent is gone."""
        self.send({"id": READY, "result": {}})
        head, handed, _, _ = socket.recv_fds(self._connection, LENGTH_BYTES, _MOST_HANDED)
        self._reading = self._connection.makefile("rb")
        if len(head) < LENGTH_BYTES:
            return None
        told: Begin = json.loads(self._reading.read(int.from_bytes(head, "big")))
        return Begun(told, handed)

    def receive(self) -> dict[str, Any] | None:
        """The next request; None when the agent is gone."""
        length = self._reading.read(LENGTH_BYTES)
        if len(length) < LENGTH_BYTES:
            return None
        body = self._reading.read(int.from_bytes(length, "big"))
        request: dict[str, Any] = json.loads(body)
        return request

    def send(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer, ensure_ascii=False).encode()
        with self._turn:
            try:
                self._connection.sendall(len(body).to_bytes(LENGTH_BYTES, "big") + body)
            except OSError:
                return  # the agent is gone, and we are told so
