"""Each fault does what its name says, and without one everything passes as it is."""

import os
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from botocore.exceptions import ClientError

from demo.seaweed import S3
from tests.faults.conftest import KEY, Bucket
from tests.faults.faults import (
    DENIED,
    EXPIRED,
    INTERNAL,
    NO_BUCKET,
    SLOW_DOWN,
    Between,
    Break,
    Call,
    Refusal,
    always,
    first,
    share,
    too_many,
)
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.journeys.stack import eventually

CONTENT = bytes(range(256)) * 4096  # 1 MiB
HALF = len(CONTENT) // 2
MIB = 1 << 20


def received(url: str) -> tuple[bytes, Exception | None]:
    """What comes of an object, and how it ends."""
    got = bytearray()
    try:
        with httpx2.stream("GET", url, trust_env=False, timeout=30) as answer:
            for piece in answer.iter_raw():
                got += piece
    except httpx2.TransportError as error:
        return bytes(got), error
    return bytes(got), None


def told(error: ClientError) -> tuple[int, str]:
    response: dict[str, Any] = error.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def differing(one: bytes, other: bytes) -> list[int]:
    assert len(one) == len(other)
    return [at for at in range(len(one)) if one[at] != other[at]]


@contextmanager
def asking_to_send(bucket: Bucket, size: int) -> Iterator[socket.socket]:
    """A connection on which the client waits to be told to send the body."""
    url = httpx2.URL(bucket.url("put_object", Key=KEY))
    with socket.create_connection(("127.0.0.1", bucket.store.port), timeout=30) as plug:
        plug.sendall(
            f"PUT {url.raw_path.decode()} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n"
            f"Content-Length: {size}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        yield plug


def until_closed(plug: socket.socket) -> bytes:
    return b"".join(iter(lambda: plug.recv(4096), b""))


# Nothing is spoilt


@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIB + 1])
def test_objects_pass_byte_for_byte(straight: Bucket, bucket: Bucket, proxy: FaultProxy, size):
    content = os.urandom(size)
    bucket.put(content)
    assert straight.get() == content
    assert bucket.get() == content
    assert bucket.keys() == [KEY]
    assert proxy.seen == {Call.PUT: 1, Call.GET: 1, Call.LIST: 1}


def test_an_upload_in_parts_passes(straight: Bucket, bucket: Bucket, proxy: FaultProxy):
    parts = [os.urandom(5 * MIB), os.urandom(MIB)]
    which = {"Bucket": bucket.name, "Key": KEY}
    with bucket.store.client() as client:
        which["UploadId"] = client.create_multipart_upload(**which)["UploadId"]
        etags = [
            client.upload_part(**which, PartNumber=number, Body=body)["ETag"]
            for number, body in enumerate(parts, 1)
        ]
        client.complete_multipart_upload(
            **which,
            MultipartUpload={
                "Parts": [{"PartNumber": at, "ETag": etag} for at, etag in enumerate(etags, 1)]
            },
        )
        head = client.head_object(Bucket=bucket.name, Key=KEY)
        client.delete_object(Bucket=bucket.name, Key="other")  # 204
    assert head["ContentLength"] == sum(map(len, parts))
    assert straight.get() == b"".join(parts)
    assert proxy.seen == {
        Call.BEGIN: 1,
        Call.PART: 2,
        Call.COMPLETE: 1,
        Call.HEAD: 1,
        Call.DELETE: 1,
    }


def test_a_body_of_unknown_length_passes(straight: Bucket, bucket: Bucket):
    pieces = [os.urandom(size) for size in (1, 100_000, 7)]
    answer = httpx2.put(bucket.url("put_object", Key=KEY), content=iter(pieces), trust_env=False)
    assert answer.status_code == 200
    assert straight.get() == b"".join(pieces)


def test_a_client_may_wait_to_be_told_to_go_on(straight: Bucket, bucket: Bucket):
    with asking_to_send(bucket, 5) as plug:
        assert plug.recv(1024).startswith(b"HTTP/1.1 100 ")
        plug.sendall(b"hello")
        assert plug.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert straight.get() == b"hello"


def test_a_client_that_waits_may_be_refused(straight: Bucket, bucket: Bucket, proxy: FaultProxy):
    proxy.faults = always(SLOW_DOWN)
    with asking_to_send(bucket, 5) as plug:
        assert b"<Code>SlowDown</Code>" in until_closed(plug)
    assert straight.keys() == []


def test_many_requests_share_few_connections(straight: Bucket, bucket: Bucket, proxy: FaultProxy):
    straight.put(b"small")
    url = bucket.url("get_object", Key=KEY)
    with httpx2.Client(trust_env=False) as client, ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: client.get(url).content, range(400)))
    assert got == [b"small"] * 400
    assert proxy.seen == {Call.GET: 400}


def test_the_stores_own_refusal_of_a_large_body_comes_through(bucket: Bucket):
    url = bucket.url("put_object", Key=KEY).replace("Signature=", "Signature=0")
    answer = httpx2.put(url, content=bytes(8 * MIB), trust_env=False, timeout=30)
    assert answer.status_code == 403


# The proxy answers


@pytest.mark.parametrize(
    "refusal", [SLOW_DOWN, too_many(7), INTERNAL, EXPIRED, DENIED, NO_BUCKET], ids=str
)
def test_a_refusal_is_told_in_the_stores_form(
    straight: Bucket, bucket: Bucket, proxy: FaultProxy, refusal: Refusal
):
    proxy.faults = always(refusal)
    with pytest.raises(ClientError) as caught:
        bucket.put(CONTENT)
    assert told(caught.value) == (refusal.status, refusal.code)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers.get("retry-after") == ("7" if refusal.status == 429 else None)
    assert proxy.seen == {refusal: 1}
    assert straight.keys() == []


def test_a_refusal_leaves_the_connection_as_it_was(bucket: Bucket, proxy: FaultProxy):
    proxy.faults = first(1, SLOW_DOWN)
    url = bucket.url("put_object", Key=KEY)
    with httpx2.Client(trust_env=False, limits=httpx2.Limits(max_connections=1)) as client:
        assert [client.put(url, content=b"x").status_code for _ in range(2)] == [503, 200]


def test_credentials_expire_from_one_request_on(bucket: Bucket, proxy: FaultProxy):
    proxy.faults = Between(3, EXPIRED)
    bucket.put(b"1")
    bucket.put(b"2")
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            bucket.put(b"3")
        assert told(caught.value) == (403, "ExpiredToken")
    with pytest.raises(ClientError, match="ExpiredToken"):
        bucket.get()
    assert proxy.seen == {Call.PUT: 2, EXPIRED: 3}


def test_faults_change_while_it_runs(bucket: Bucket, proxy: FaultProxy):
    bucket.put(b"before")
    proxy.faults = always(NO_BUCKET)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        bucket.get()
    proxy.faults = always(NO_BUCKET, {Call.LIST})
    assert bucket.get() == b"before"


# The request is spoilt


@pytest.mark.parametrize("fault", [Break.RESET, Break.RESET_IN_REQUEST], ids=str)
def test_a_reset_before_the_end_of_a_request_leaves_nothing(
    straight: Bucket, bucket: Bucket, proxy: FaultProxy, fault: Break
):
    proxy.faults = always(fault, {Call.PUT})
    with pytest.raises(httpx2.TransportError):
        httpx2.put(bucket.url("put_object", Key=KEY), content=CONTENT, trust_env=False)
    assert straight.keys() == []
    assert proxy.seen == {fault: 1}


def test_one_byte_of_a_request_is_flipped(straight: Bucket, bucket: Bucket, proxy: FaultProxy):
    proxy.faults = always(Break.CORRUPT_REQUEST, {Call.PUT})
    assert httpx2.put(
        bucket.url("put_object", Key=KEY), content=CONTENT, trust_env=False
    ).is_success
    assert differing(straight.get(), CONTENT) == [HALF]


def test_the_store_refuses_a_flipped_byte_where_it_knows_the_hash(
    straight: Bucket, bucket: Bucket, proxy: FaultProxy
):
    proxy.faults = always(Break.CORRUPT_REQUEST, {Call.PUT})
    with pytest.raises(ClientError) as caught:
        bucket.put(CONTENT)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert straight.keys() == []


# The answer is spoilt


@pytest.mark.parametrize("fault", [Break.TRUNCATE, Break.RESET_IN_ANSWER], ids=str)
def test_an_answer_ends_half_way(straight: Bucket, bucket: Bucket, proxy: FaultProxy, fault: Break):
    straight.put(CONTENT)
    proxy.faults = always(fault, {Call.GET})
    got, error = received(bucket.url("get_object", Key=KEY))
    wanted = httpx2.RemoteProtocolError if fault is Break.TRUNCATE else httpx2.ReadError
    assert isinstance(error, wanted)
    assert 0 < len(got) <= HALF
    assert CONTENT.startswith(got)
    assert fault is not Break.TRUNCATE or len(got) == HALF
    assert proxy.seen == {fault: 1}


def test_one_byte_of_an_answer_is_flipped(straight: Bucket, bucket: Bucket, proxy: FaultProxy):
    straight.put(CONTENT)
    proxy.faults = always(Break.CORRUPT_ANSWER, {Call.GET})
    got, error = received(bucket.url("get_object", Key=KEY))
    assert error is None
    assert differing(got, CONTENT) == [HALF]


def test_a_list_can_be_cut_short_too(straight: Bucket, bucket: Bucket, proxy: FaultProxy):
    straight.put(b"x")
    proxy.faults = always(Break.TRUNCATE, {Call.LIST})
    whole, _ = received(straight.url("list_objects_v2"))
    got, error = received(bucket.url("list_objects_v2"))
    assert isinstance(error, httpx2.RemoteProtocolError)
    assert 0 < len(got) < len(whole)
    assert whole.startswith(got)


def test_a_lost_answer_comes_after_the_work_was_done(
    straight: Bucket, bucket: Bucket, proxy: FaultProxy
):
    proxy.faults = always(Break.LOST)
    with pytest.raises(httpx2.TransportError):
        httpx2.put(bucket.url("put_object", Key=KEY), content=CONTENT, trust_env=False)
    assert straight.get() == CONTENT
    assert proxy.seen == {Break.LOST: 1}


def test_a_client_that_waits_for_nothing_gives_up(
    straight: Bucket, bucket: Bucket, proxy: FaultProxy
):
    straight.put(CONTENT)
    proxy.faults = always(Break.STALL, {Call.GET})
    url = bucket.url("get_object", Key=KEY)
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.get(url, trust_env=False, timeout=httpx2.Timeout(30, read=0.3))
    eventually(lambda: proxy.seen == {Break.STALL: 1}, "the stall is counted")
    assert bucket.keys() == [KEY]


def test_a_dripping_answer_starts_and_goes_on(straight: Bucket, bucket: Bucket, proxy: FaultProxy):
    straight.put(CONTENT)
    proxy.faults = always(Break.LORIS, {Call.GET})
    got = bytearray()
    with httpx2.stream(
        "GET", bucket.url("get_object", Key=KEY), trust_env=False, timeout=30
    ) as answer:
        pieces = answer.iter_raw()
        while len(got) < HALF + 2:
            got += next(pieces)
    assert got == CONTENT[: HALF + 2]


@pytest.mark.parametrize("fault", [Break.TRUNCATE, Break.CORRUPT_REQUEST], ids=str)
def test_where_no_body_is_the_exchange_passes(
    straight: Bucket, bucket: Bucket, proxy: FaultProxy, fault: Break
):
    straight.put(b"x")
    proxy.faults = always(fault)
    assert httpx2.head(bucket.url("head_object", Key=KEY), trust_env=False).is_success
    assert proxy.seen == {Call.HEAD: 1}


def test_a_client_that_leaves_harms_no_other(straight: Bucket, bucket: Bucket, proxy: FaultProxy):
    straight.put(CONTENT)
    url = httpx2.URL(bucket.url("get_object", Key=KEY))
    with socket.create_connection(("127.0.0.1", bucket.store.port)) as plug:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        plug.sendall(f"GET {url.raw_path.decode()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert bucket.get() == CONTENT


def test_a_share_of_faults_is_the_same_however_many_ask_at_once(store: S3):
    targets = [f"/bucket/{name}" for name in range(60)] * 2

    def statuses(threads: int) -> dict[str, list[int]]:
        answers: dict[str, list[int]] = {}
        with (
            fault_proxy(store, share(3, 0.3, [SLOW_DOWN, INTERNAL])) as proxy,
            httpx2.Client(base_url=proxy.store.endpoint, trust_env=False) as client,
            ThreadPoolExecutor(threads) as pool,
        ):
            done = pool.map(lambda target: (target, client.get(target).status_code), targets)
            for target, status in done:
                answers.setdefault(target, []).append(status)
        return {target: sorted(told) for target, told in answers.items()}

    assert statuses(8) == statuses(1)
