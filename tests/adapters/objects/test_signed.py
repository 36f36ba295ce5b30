"""Connections to the store are used again, whatever was answered over them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.failing import Failure
from cloudcopy.adapters.objects.child.signed import Access, Signed


class Server(ThreadingHTTPServer):
    """Counts connections; answers 404 for what has "missing" in it, and ends the connection
    behind an answer to what has "last" in it."""

    connections = 0
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.ended = threading.Semaphore(0)

    def process_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        self.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:  # type: ignore[no-untyped-def]
        super().shutdown_request(request)
        self.ended.release()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = "last" in self.path

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@contextmanager
def opened(port: int) -> Iterator[Signed]:
    signed = Signed(
        Access(
            endpoint=f"http://127.0.0.1:{port}",
            region="r",
            key="k",
            secret="s",
            token="",
            connect=10.0,
            timeout=10.0,
        )
    )
    try:
        yield signed
    finally:
        for each in signed._idle:
            each.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_refusal_leaves_the_connection_open(server: Server, method: str):
    with opened(server.server_port) as signed:
        for _ in range(3):
            with pytest.raises(Failure, match="404"):
                signed.whole(Call(), method, "bucket/missing")
        assert signed.whole(Call(), "GET", "bucket/there")[1]
        assert server.connections == 1


def test_a_connection_that_the_store_has_closed_is_not_used_again(server: Server):
    with opened(server.server_port) as signed:
        signed.whole(Call(), "GET", "bucket/last")
        assert server.ended.acquire(timeout=30)
        signed.whole(Call(), "GET", "bucket/there")
        assert server.connections == 2


def test_a_connection_opened_ahead_is_the_one_that_is_used(server: Server):
    with opened(server.server_port) as signed:
        signed.connect(Call())
        signed.whole(Call(), "GET", "bucket/there")
        assert server.connections == 1


def test_a_connection_that_cannot_be_opened_is_a_failure():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        with opened(port) as signed, pytest.raises(Failure, match="connection refused"):
            signed.connect(Call())
