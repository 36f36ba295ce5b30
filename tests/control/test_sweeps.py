"""Which unfinished uploads are swept, and when they are left alone."""

from cloudcopy.control import sweeps
from cloudcopy.domain.order import Direction
from cloudcopy.domain.progress import Result
from cloudcopy.domain.transfer import Transfer
from cloudcopy.wire import agent as wire
from tests.control.conftest import CALLER, Plane


async def sweep(plane: Plane, transfer: Transfer, *, kind="failed", interrupted=True) -> int:
    report = wire.Report(
        transfer=transfer.id,
        attempt=transfer.attempt,
        fence=transfer.fence,
        kind=kind,
        at=plane.time,
        result=Result(interrupted=interrupted),
    )
    return await sweeps.before(
        report,
        reads=plane.reads,
        vault=plane.vault,
        probe=plane.probe,
    )


async def test_an_interrupted_upload_is_swept_below_its_destination_since_it_was_accepted(
    plane: Plane,
):
    transfer = await plane.submit()
    assert await sweep(plane, transfer) == 1
    assert plane.probe.swept == [("bucket/run", transfer.created_at - sweeps.CLOCK_SKEW)]


async def test_a_clean_end_sweeps_nothing(plane: Plane):
    transfer = await plane.submit()
    assert await sweep(plane, transfer, interrupted=False) == 0
    assert await sweep(plane, transfer, kind="started") == 0
    assert plane.probe.swept == []


async def test_nothing_is_swept_while_another_live_copy_writes_there(plane: Plane):
    transfer = await plane.submit()
    await plane.submit(local="other", remote="bucket/run/deeper")
    assert await sweep(plane, transfer) == 0
    elsewhere = await plane.submit(remote="bucket/runner")
    assert await sweep(plane, elsewhere) == 1


async def test_another_connection_to_a_place_of_that_name_counts_too(plane: Plane):
    from cloudcopy.control import connections, transfers
    from cloudcopy.domain.connection import NewConnection

    secrets = {"access_key_id": "A", "secret_access_key": "S", "bucket": "bucket"}
    scoped = await connections.create(
        NewConnection.parse("scoped", "s3", secrets), caller=CALLER, desk=plane.connections
    )
    transfer = await plane.submit()
    other = plane.order(remote="run/deeper", connection=scoped.id)
    await transfers.submit(other, caller=CALLER, desk=plane.transfers)
    assert await sweep(plane, transfer) == 0


async def test_a_download_sweeps_nothing(plane: Plane):
    from cloudcopy.control import transfers

    order = plane.order(direction=Direction.TO_INSTANCE)
    transfer = await transfers.submit(order, caller=CALLER, desk=plane.transfers)
    assert await sweep(plane, transfer) == 0


async def test_what_writes_nothing_sweeps_nothing_and_holds_up_no_sweep(plane: Plane):
    from dataclasses import replace

    from cloudcopy.control import transfers
    from cloudcopy.domain.order import Work

    transfer = await plane.submit()
    for work in (Work.PLAN, Work.CHECK):
        order = replace(plane.order(local="other"), work=work)
        other = await transfers.submit(order, caller=CALLER, desk=plane.transfers)
        assert await sweep(plane, other) == 0
    assert await sweep(plane, transfer) == 1
