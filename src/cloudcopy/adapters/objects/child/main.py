"""The program: serves the socket that it inherits until the agent is gone, or SIGTERM."""

import os
import signal
import socket
import sys
import threading
from types import FrameType
from typing import Any, Final

from cloudcopy.adapters.objects.child.call import Call, log
from cloudcopy.adapters.objects.child.failing import Failure, Stopped, Unsupported
from cloudcopy.adapters.objects.child.methods import Methods
from cloudcopy.adapters.objects.child.options import read
from cloudcopy.adapters.objects.child.wire import LISTENING, Peer

_QUIT: Final = "core/quit"


class _Asked(Exception):
    """SIGTERM."""


def main() -> None:
    signal.signal(signal.SIGTERM, _asked)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    methods = Methods(read(sys.argv[1:]))
    running: dict[int, Call] = {}
    try:
        _serve(Peer(socket.socket(fileno=LISTENING)), methods, running)
    except _Asked:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for call in list(running.values()):
        call.stop()
    methods.copier.leave()
    os._exit(0)  # what still waits for a store must not keep us


def _asked(number: int, frame: FrameType | None) -> None:
    raise _Asked


def _serve(peer: Peer, methods: Methods, running: dict[int, Call]) -> None:
    while (request := peer.receive()) is not None:
        id = int(request["id"])
        if "method" not in request:
            known = running.get(id)
            if known:
                known.stop()
            continue
        if request["method"] == _QUIT:
            return
        call = running[id] = Call()
        threading.Thread(
            target=_answer, args=(peer, methods, running, id, call, request), daemon=True
        ).start()


def _answer(
    peer: Peer,
    methods: Methods,
    running: dict[int, Call],
    id: int,
    call: Call,
    request: dict[str, Any],
) -> None:
    try:
        answer: dict[str, Any] = {
            "result": methods.answer(call, request["method"], request["parameters"])
        }
    except Failure as error:
        answer = {
            "error": str(error),
            "status": error.status,
            "unsupported": isinstance(error, Unsupported),
        }
    except Stopped:
        answer = {"error": "context canceled", "status": 499}
    except Exception as error:  # noqa: BLE001 - a defect must not leave the agent waiting
        log("critical", f"{request['method']} failed: {type(error).__name__}")
        answer = {"error": f"internal error: {type(error).__name__}", "status": 500}
    running.pop(id, None)
    peer.send({"id": id, **answer})


if __name__ == "__main__":
    main()
