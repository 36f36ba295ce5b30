"""Frames on the socket that this program inherits: four bytes of length, then JSON.

A request is ``{"id", "method", "parameters"}``, an answer ``{"id", "result"}`` or ``{"id",
"error", "status", "unsupported"}``. A request without a method takes back the one of that id.
"""

import json
import socket
import threading
from typing import Any, Final

LISTENING: Final = 3  # where `sandbox.launch` puts the socket
LENGTH_BYTES: Final = 4


class Peer:
    """The agent. Answers may be sent from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reading = connection.makefile("rb")
        self._turn = threading.Lock()

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
