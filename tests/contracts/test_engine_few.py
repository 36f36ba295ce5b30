"""What a copy of a few files costs in requests, and that their way is as safe as that of many."""

from collections import Counter
from collections.abc import Iterator

import pytest

from cloudcopy.domain.movers import Mover
from cloudcopy.domain.progress import Verified
from cloudcopy.ports.engine import Done
from tests.contracts.engines import DOWN, UP, Bench, bench, engine, s3
from tests.faults import faults
from tests.faults.faults import Break, Call, Fault, Request
from tests.faults.proxy import FaultProxy, fault_proxy

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = pytest.mark.parametrize("engine", [f"any-{Mover.OBJECTS}"], indirect=True)
NAME = "of/three/directories.txt"


@pytest.fixture
def proxy(bench: Bench) -> Iterator[FaultProxy]:
    with fault_proxy(bench.s3) as proxy:
        yield proxy


async def copied(bench: Bench, proxy: FaultProxy, direction=UP, local="data") -> Done:
    end = await bench.copy(direction, local, "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Done), end
    assert end.result.verified is Verified.HASH
    return end


async def test_one_file_costs_no_request_for_each_directory(bench: Bench, proxy: FaultProxy):
    bench.write(f"data/{NAME}", "content")
    seen: Counter[Call] = Counter()

    def count(request: Request) -> Fault | None:
        seen[request.call] += 1
        return None

    proxy.faults = count
    await copied(bench, proxy)
    # The whole of it, and its top in case that there is more; before and after.
    assert seen[Call.LIST] <= 4
    assert (seen.total() - seen[Call.LIST], seen[Call.PUT]) == (1, 1)
    seen.clear()
    await copied(bench, proxy, DOWN, "back")
    assert seen[Call.LIST] <= 4
    assert (seen.total() - seen[Call.LIST], seen[Call.GET], seen[Call.HEAD]) == (2, 1, 1)
    assert (bench.root / "back" / NAME).read_text() == "content"
    before = (bench.root / "data" / NAME).stat().st_mtime_ns
    assert (bench.root / "back" / NAME).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "fault", [Break.CORRUPT_REQUEST, Break.RESET, Break.LOST, faults.SLOW_DOWN]
)
async def test_what_fails_on_its_way_up_is_sent_again(
    bench: Bench, proxy: FaultProxy, fault: Fault
):
    bench.write(f"data/{NAME}", "content " * 1000)
    proxy.faults = faults.first(1, fault, [Call.PUT])
    await copied(bench, proxy)
    assert proxy.seen[fault] == 1
    proxy.faults = faults.nothing
    await copied(bench, proxy, DOWN, "back")
    assert (bench.root / "back" / NAME).read_text() == "content " * 1000


@pytest.mark.parametrize(
    "fault", [Break.TRUNCATE, Break.CORRUPT_ANSWER, Break.RESET_IN_ANSWER, faults.SLOW_DOWN]
)
async def test_what_fails_on_its_way_down_is_fetched_again(
    bench: Bench, proxy: FaultProxy, fault: Fault
):
    bench.write(f"data/{NAME}", "content " * 1000)
    await copied(bench, proxy)
    proxy.faults = faults.first(1, fault, [Call.GET])
    await copied(bench, proxy, DOWN, "back")
    assert proxy.seen[fault] == 1
    assert (bench.root / "back" / NAME).read_text() == "content " * 1000


async def test_an_object_of_another_tool_has_the_time_of_its_arrival(
    bench: Bench, proxy: FaultProxy
):
    bucket, _, key = bench.place(f"run/{NAME}").partition("/")
    with bench.s3.client() as client:
        client.put_object(Bucket=bucket, Key=key, Body=b"content")
        arrived = client.head_object(Bucket=bucket, Key=key)["LastModified"].timestamp()
    await copied(bench, proxy, DOWN, "back")
    assert (bench.root / "back" / NAME).stat().st_mtime == arrived
