"""Requests to the store that obstore has no call for: pages of a listing, parts, ranges.

HTTP/1.1 over connections that are kept, each request signed with AWS Signature Version 4.
A body is not part of the signature, but its Content-MD5 is, and the store refuses a body that
has another.
"""

import hashlib
import hmac
import http.client
import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

from cloudcopy.adapters.objects.child.call import Call
from cloudcopy.adapters.objects.child.failing import Failure, Stopped, answered, of_network

FIRST_PAUSE: Final = 0.1  # seconds, doubled each time
CHUNK: Final = 1 << 18
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_OK: Final = range(200, 300)
_BROKEN: Final = (OSError, http.client.HTTPException)
T = TypeVar("T")

Sent = Callable[[int], None]
"""Called before so many more bytes of a body are sent; it may wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A store, and what opens it."""

    endpoint: str
    region: str
    key: str
    secret: str
    token: str
    connect: float
    timeout: float


class Signed:
    """Connections to one store. For any thread."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._address = urlsplit(access.endpoint)
        self._idle: list[http.client.HTTPConnection] = []
        self._turn = threading.Lock()
        self._tls = ssl.create_default_context() if self._address.scheme == "https" else None

    def whole(
        self,
        call: Call,
        method: str,
        place: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | memoryview = b"",
        sent: Sent | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        """One request, once; the answer's headers, with small letters, and its body.

        Raises:
            Failure, Stopped
        """
        with self.answer(
            call, method, place, query=query, headers=headers, body=body, sent=sent
        ) as response:
            found = {name.lower(): value for name, value in response.getheaders()}
            return found, response.read()

    @contextmanager
    def answer(
        self,
        call: Call,
        method: str,
        place: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | memoryview = b"",
        sent: Sent | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """The same with the body still to be read."""
        path = quote(f"/{place}", safe="/-_.~")
        text = "&".join(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
            for name, value in sorted((query or {}).items())
        )
        signed = self._sign(method, path, text, dict(headers or {}), bool(body))
        call.check()
        connection, refused = self._take(), None
        try:
            try:
                with call.using(self._connected(connection)):
                    connection.putrequest(
                        method,
                        f"{path}?{text}" if text else path,
                        skip_host=True,
                        skip_accept_encoding=True,
                    )
                    for name, value in signed.items():
                        connection.putheader(name, value)
                    connection.putheader("content-length", str(len(body)))
                    connection.endheaders()
                    _send(connection, body, sent)
                    response = connection.getresponse()
                    if response.status in _OK:
                        yield response
                    else:
                        refused = _refused(method, response)
            except _BROKEN as error:
                call.check()
                raise of_network(error) from None
        except BaseException:
            connection.close()
            raise
        if response.isclosed() and not response.will_close:
            self._give(connection)
        else:
            connection.close()
        if refused:
            raise refused

    def connect(self, call: Call) -> None:
        """Open a connection for a request that will come. Raises Failure, Stopped."""
        connection = self._made()
        try:
            with call.using(self._connected(connection)):
                pass
        except _BROKEN as error:
            connection.close()
            raise of_network(error) from None
        self._give(connection)

    def _connected(self, connection: http.client.HTTPConnection) -> socket.socket:
        if connection.sock is None:
            connection.connect()
            connection.sock.settimeout(self._access.timeout)  # type: ignore[attr-defined]
        return connection.sock

    def _take(self) -> http.client.HTTPConnection:
        while True:
            with self._turn:
                if not self._idle:
                    return self._made()
                known = self._idle.pop()
            if not _ended(known):
                return known
            known.close()

    def _made(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._tls is not None:
            return http.client.HTTPSConnection(
                host, port, timeout=self._access.connect, context=self._tls
            )
        return http.client.HTTPConnection(host, port, timeout=self._access.connect)

    def _give(self, connection: http.client.HTTPConnection) -> None:
        with self._turn:
            self._idle.append(connection)

    def _sign(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bool
    ) -> dict[str, str]:
        access = self._access
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        payload = _UNSIGNED if body else _EMPTY
        headers = {name.lower(): value for name, value in headers.items()}
        headers |= {
            "host": self._address.netloc,
            "x-amz-date": now,
            "x-amz-content-sha256": payload,
        }
        if access.token:
            headers["x-amz-security-token"] = access.token
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
        scope = f"{now[:8]}/{access.region}/s3/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        key = f"AWS4{access.secret}".encode()
        for part in (now[:8], access.region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={access.key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return headers


def _ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the store has closed it meanwhile, as far as is known here."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLRDHUP)
    return bool(poll.poll(0))


def tried(call: Call, work: Callable[[], T]) -> T:
    """`work`, again after what may pass, as often as the call allows."""
    for count in range(call.tries):
        began = time.monotonic()
        try:
            return work()
        except Failure as error:
            if error.throttled:
                call.refused(began)
            if not error.passing or count == call.tries - 1:
                raise
            pause = FIRST_PAUSE * 2**count * (0.5 + random.random() / 2)  # noqa: S311 - spreads, hides nothing
            if call.stopped.wait(pause):
                raise Stopped from None
    raise AssertionError  # the last try returns or raises


def _send(
    connection: http.client.HTTPConnection, body: bytes | memoryview, sent: Sent | None
) -> None:
    if sent is None:
        if body:
            connection.send(body)
        return
    view = memoryview(body)
    for start in range(0, len(view), CHUNK):
        some = view[start : start + CHUNK]
        sent(len(some))
        connection.send(some)


def _refused(method: str, response: http.client.HTTPResponse) -> Failure:
    text = response.read().decode(errors="replace")
    code = _inner(text, "Code") or (response.reason or "").replace(" ", "")
    return answered(method, response.status, code, _inner(text, "Message")[:200])


def _inner(text: str, name: str) -> str:
    return text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
