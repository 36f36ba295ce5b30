"""The proxy that all figures with a round-trip time rest on."""

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.latency import far

MIB = 1 << 20


@contextmanager
def echo() -> Iterator[int]:
    """A server that sends back what it is sent, and ends when its client does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                while data := connection.recv(MIB):
                    connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listening.getsockname()[1])
        thread.join()


@contextmanager
def connected(rtt_ms: float) -> Iterator[socket.socket]:
    """To that server, from this far."""
    with (
        echo() as port,
        far(port, rtt_ms) as distant,
        socket.create_connection(("127.0.0.1", distant), 30) as connection,
    ):
        yield connection


def send(connection: socket.socket, data: bytes) -> threading.Thread:
    def work() -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def received(connection: socket.socket) -> bytes:
    got = bytearray()
    while data := connection.recv(MIB):
        got += data
    return bytes(got)


def test_an_answer_takes_a_round_trip_and_a_new_connection_one_more():
    with connected(200) as connection:
        seconds = []
        for _ in range(3):
            began = time.monotonic()
            connection.sendall(b"x")
            assert connection.recv(1) == b"x"
            seconds.append(time.monotonic() - began)
    assert seconds[0] >= 0.4  # the handshake's
    assert all(0.2 <= each < 0.4 for each in seconds[1:])


def test_every_byte_arrives_in_its_order_and_the_end_too():
    sent = bytes(range(256)) * 4096 * 16  # 16 MiB
    with connected(30) as connection:
        thread = send(connection, sent)
        got = received(connection)
        thread.join()
    assert hashlib.sha256(got).digest() == hashlib.sha256(sent).digest()


def test_bytes_on_their_way_do_not_wait_for_one_another():
    """At one piece of 256 KiB per round trip, 64 MiB would take 25 s."""
    with connected(100) as connection:
        began = time.monotonic()
        thread = send(connection, bytes(64 * MIB))
        assert len(received(connection)) == 64 * MIB
        thread.join()
    assert time.monotonic() - began < 10


def test_without_a_round_trip_there_is_no_proxy():
    with far(1234, 0) as port:
        assert port == 1234


def test_a_client_is_hung_up_on_where_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = int(unused.getsockname()[1])
    with (
        far(port, 10) as distant,
        socket.create_connection(("127.0.0.1", distant), 30) as connection,
        contextlib.suppress(ConnectionResetError),  # as good
    ):
        assert received(connection) == b""
