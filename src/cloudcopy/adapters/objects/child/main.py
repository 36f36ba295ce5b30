"""The program: serves the socket that it inherits until the agent is gone, or SIGTERM.

It may have waited for long when it is told of its copy, knowing nothing and able to reach nothing
of it. What it may touch of the instance is handed over as descriptors, and it confines itself to
that before it looks at anything.
"""

import contextlib
import os
import signal
import socket
import threading
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

from cloudcopy.adapters.objects.child.call import Call, log
from cloudcopy.adapters.objects.child.failing import Failure, Stopped, Unsupported
from cloudcopy.adapters.objects.child.methods import Methods
from cloudcopy.adapters.objects.child.options import read
from cloudcopy.adapters.objects.child.wire import DATA, LISTENING, RUN, Begun, Peer
from cloudcopy.adapters.sandbox.launch import restrict

_QUIT: Final = "core/quit"


class _Asked(Exception):
    """SIGTERM."""


def main() -> None:
    signal.signal(signal.SIGTERM, _asked)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    peer = Peer(socket.socket(fileno=LISTENING))
    try:
        begun = peer.begin()
    except _Asked:
        return
    if begun is None:
        return
    _confine(begun)
    options = read(begun.told["words"], begun.told["store"])
    service = _Service(peer, Methods(options), options.tries)
    with contextlib.suppress(_Asked):
        service.serve()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for call in list(service.running.values()):
        call.stop()
    service.methods.copier.leave()
    os._exit(0)  # what still waits for a store must not keep us


def _confine(begun: Begun) -> None:
    """Raises OSError: the kernel does not do it; then nothing is done at all."""
    if begun.told["handed"]:
        for fd, place in zip(begun.handed, (DATA, RUN), strict=False):
            os.dup2(fd, place)
    rules = begun.told["rules"]
    if rules is None:
        return
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - a thread that runs stays free
        raise OSError("something runs already")
    restrict([(begun.handed[x] if isinstance(x, int) else x, right) for x, right in rules])


def _asked(number: int, frame: FrameType | None) -> None:
    raise _Asked


@dataclass(frozen=True, slots=True)
class _Service:
    peer: Peer
    methods: Methods
    tries: int
    running: dict[int, Call] = field(default_factory=dict)

    def serve(self) -> None:
        """Until the agent is gone, or says so. Each call has a thread of its own."""
        while (request := self.peer.receive()) is not None:
            id = int(request["id"])
            if "method" not in request:
                known = self.running.get(id)
                if known:
                    known.stop()
                continue
            if request["method"] == _QUIT:
                return
            call = self.running[id] = Call(self.tries)
            threading.Thread(target=self._answer, args=(id, call, request), daemon=True).start()

    def _answer(self, id: int, call: Call, request: dict[str, Any]) -> None:
        method = str(request["method"])
        try:
            answer: dict[str, Any] = {
                "result": self.methods.answer(call, method, request["parameters"])
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
            log("critical", f"{method} failed: {type(error).__name__}")
            answer = {"error": f"internal error: {type(error).__name__}", "status": 500}
        self.running.pop(id, None)
        self.peer.send({"id": id, **answer})


if __name__ == "__main__":
    main()
