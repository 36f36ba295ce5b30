"""How every engine stands faults between it and the store: nothing lost, nothing claimed."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.patience import pause
from cloudcopy.domain.progress import Verified
from cloudcopy.ports.engine import Broken, Done, End, Halted, Partial
from tests.contracts.engines import DOWN, ONE, UP, Bench, bench, engine, s3
from tests.faults import faults
from tests.faults.faults import Break, Call, Fault, Request
from tests.faults.proxy import FaultProxy, fault_proxy

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE


@pytest.fixture
def proxy(bench: Bench) -> Iterator[FaultProxy]:
    """Between the engine and the store; `bench` itself looks past it."""
    with fault_proxy(bench.s3) as proxy:
        yield proxy


async def copy(bench: Bench, proxy: FaultProxy, direction=UP, local="data", **asked) -> End:
    return await bench.copy(
        direction, local, "run", "--transfers=2", asked=asked, endpoint=proxy.store.endpoint
    )


def files(bench: Bench, count: int = 6) -> list[str]:
    names = [f"f{number}.txt" for number in range(count)]
    for name in names:
        bench.write(f"data/{name}", name * 10)
    return names


def on(call: Call, fault: Fault, *, only: str = "", times: int = 1 << 30):
    """The fault for requests of this kind whose address has `only` in it, so many times each."""

    def plan(request: Request) -> Fault | None:
        hit = request.call is call and only in request.target and request.nth <= times
        return fault if hit else None

    return plan


async def test_files_that_arrive_damaged_are_sent_again_and_only_they(
    bench: Bench, proxy: FaultProxy
):
    files(bench)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    bench.engine = replace(bench.engine, sleep=wait)
    proxy.faults = on(Call.PUT, Break.CORRUPT_REQUEST, only="f3.txt", times=1)
    end = await copy(bench, proxy)
    assert isinstance(end, Done), end
    assert waits == [pause(1, throttled=False, asked=None, jitter=0.0)]
    assert (end.result.copied, end.result.retried, end.result.verified) == (6, 1, Verified.HASH)
    assert proxy.seen[Break.CORRUPT_REQUEST] == 1
    assert proxy.seen[Call.PUT] == 6  # besides


async def test_a_stop_does_not_wait_for_the_next_try(bench: Bench, proxy: FaultProxy):
    files(bench)
    stop = asyncio.Event()

    async def for_ever(seconds: float) -> None:
        stop.set()
        await asyncio.Event().wait()

    bench.engine = replace(bench.engine, sleep=for_ever)
    proxy.faults = on(Call.PUT, Break.CORRUPT_REQUEST, only="f3.txt")
    events = bench.events(UP, "data", "run", stop=stop, endpoint=proxy.store.endpoint)
    end = [each async for each in events][-1]
    assert isinstance(end, Halted), end
    assert (end.result.copied, bench.rows()["f3.txt"].code) == (5, "corrupted")


async def test_credentials_that_expire_end_the_copy_at_once_with_the_cure(
    bench: Bench, proxy: FaultProxy
):
    names = files(bench, 60)
    sent = 0

    def expire(request: Request) -> Fault | None:
        nonlocal sent
        sent += request.call is Call.PUT
        return faults.EXPIRED if sent > 10 else None

    proxy.faults = expire
    end = await copy(bench, proxy)
    assert isinstance(end, Partial | Broken), end
    assert "the connection's credentials have expired. Make a new connection" in end.reason
    rows = bench.rows()
    assert set(rows) == set(names)
    failed = {path for path, row in rows.items() if row.outcome is Outcome.FAILED}
    assert {rows[path].code for path in failed} == {"expired_credentials"}
    assert {f"run/{path}" for path in set(names) - failed} <= bench.keys()
    assert end.result.verified is Verified.NOTHING
    assert 0 < proxy.seen[faults.EXPIRED] < len(names)


async def test_a_bucket_that_goes_missing_ends_the_copy_at_once(bench: Bench, proxy: FaultProxy):
    files(bench, 30)
    proxy.faults = on(Call.PUT, faults.NO_BUCKET)
    end = await copy(bench, proxy)
    assert isinstance(end, Broken), end
    assert "the bucket does not exist" in end.reason
    assert {row.code for row in bench.rows().values()} == {"no_such_bucket"}


async def test_what_may_not_be_written_fails_alone_and_is_not_tried_again(
    bench: Bench, proxy: FaultProxy
):
    files(bench)
    proxy.faults = on(Call.PUT, faults.DENIED, only="f2.txt")
    end = await copy(bench, proxy)
    assert isinstance(end, Partial), end
    assert "1 of 6 files failed: the store refused" in end.reason
    assert (bench.rows()["f2.txt"].code, end.result.retried) == ("access_denied", 0)
    assert end.result.copied == 5
    assert [each.samples for each in end.result.errors] == [("f2.txt",)]


async def test_a_download_that_is_cut_short_is_fetched_again(bench: Bench, proxy: FaultProxy):
    files(bench)
    await bench.copy(UP, "data", "run")
    proxy.faults = on(Call.GET, Break.TRUNCATE, times=1)
    end = await copy(bench, proxy, DOWN, "back")
    assert isinstance(end, Done), end
    assert {path.read_text() for path in (bench.root / "back").iterdir()} == {
        path.read_text() for path in (bench.root / "data").iterdir()
    }


async def test_bytes_that_are_always_flipped_never_arrive_and_are_named(
    bench: Bench, proxy: FaultProxy
):
    bench.write("data/bad.bin", os.urandom(10_000))
    bench.write("data/good.bin", os.urandom(10_000))
    await bench.copy(UP, "data", "run")
    proxy.faults = on(Call.GET, Break.CORRUPT_ANSWER, only="bad.bin")
    end = await copy(bench, proxy, DOWN, "back")
    assert isinstance(end, Partial), end
    row = bench.rows()["bad.bin"]
    assert (row.outcome, row.code) == (Outcome.FAILED, "corrupted")
    assert [path.name for path in (bench.root / "back").iterdir()] == ["good.bin"]
    assert end.result.retried == 1
