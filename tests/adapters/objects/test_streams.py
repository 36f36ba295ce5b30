"""How many pieces of a large file are on their way at once, however few files there are."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.methods import Methods
from cloudcopy.adapters.objects.child.options import Options
from cloudcopy.adapters.objects.child.pieces import PIECE

PIECES = 4


class Store(ThreadingHTTPServer):
    """Answers no piece before `wanted` are asked for.

    Attributes:
        most: Pieces that were on their way at once.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.wanted, self.most = 1, 0
        self._now = 0
        self._turn = threading.Condition()

    def hold(self) -> None:
        """One piece, until it may be answered."""
        with self._turn:
            self._now += 1
            self.most = max(self.most, self._now)
            self._turn.notify_all()
            self._turn.wait_for(lambda: self.most >= self.wanted, timeout=20)
            self._now -= 1


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def do_POST(self) -> None:
        self._read()
        self._answer(b"<UploadId>u</UploadId>")

    def do_PUT(self) -> None:
        self._read()
        assert "partNumber" in parse_qs(urlsplit(self.path).query)
        self.server.hold()
        self._answer(b"")

    def do_GET(self) -> None:
        first, last = self.headers["range"].removeprefix("bytes=").split("-")
        self.server.hold()
        self._answer(bytes(int(last) - int(first) + 1))

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(PIECES * PIECE))
        self.send_header("etag", f'"{"0" * 32}-9"')
        self.end_headers()

    def _read(self) -> None:
        left = int(self.headers["content-length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as store:
        serving = threading.Thread(target=store.serve_forever, args=(0.01,))
        serving.start()
        yield store
        store.shutdown()
        serving.join()


@pytest.mark.parametrize("streams", [1, PIECES])
@pytest.mark.parametrize("upload", [True, False])
def test_one_file_has_as_many_as_were_chosen(
    store: Store, tmp_path: Path, upload: bool, streams: int
):
    store.wanted = streams
    address = f"http://127.0.0.1:{store.server_port}"
    keys = {"access_key_id": "a", "secret_access_key": "s", "endpoint": address}
    methods = Methods(Options(store=keys, tries=1))
    here = tmp_path / "large"
    if upload:
        with here.open("wb") as file:
            file.truncate(PIECES * PIECE)
    sides: list[tuple[str, str]] = [(f"{tmp_path}/", "large"), ("R:bucket/", "large")]
    (src, src_name), (dst, dst_name) = sides if upload else reversed(sides)
    methods.cloud.sizes["bucket/large"] = PIECES * PIECE  # as a listing would have told
    given: dict[str, Any] = {
        "srcFs": src,
        "srcRemote": src_name,
        "dstFs": dst,
        "dstRemote": dst_name,
        "_config": {"Transfers": 1, "MultiThreadStreams": streams},
    }
    methods.answer(Call(1), "operations/copyfile", given)
    assert store.most == streams
    assert here.stat().st_size == PIECES * PIECE
    for connection in methods.cloud.signed._idle:
        connection.close()
