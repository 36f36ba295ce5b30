"""The control plane's side of the command path's rules."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cloudcopy.control import machines, reports, status, transfers
from cloudcopy.domain.errors import Conflict, NotFound
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.progress import Phase, Progress
from cloudcopy.domain.transfer import IllegalMove, State
from cloudcopy.wire import agent as wire
from tests.control.conftest import CALLER, LIMITS, Plane


async def test_a_submitted_transfer_is_what_its_machine_is_told(plane: Plane):
    transfer = await plane.submit()
    (order,) = await reports.desired(plane.machine, reads=plane.reads)
    assert (order.transfer, order.attempt, order.fence) == (transfer.id, 1, transfer.fence)
    assert (order.want, order.instance, order.local) == ("run", "box", "data")


async def test_the_same_idempotency_key_is_the_same_transfer(plane: Plane):
    first = await plane.submit(idempotency_key="once")
    again = await plane.submit(idempotency_key="once")
    assert again.id == first.id
    with pytest.raises(Conflict) as error:
        await plane.submit(local="other", idempotency_key="once")
    assert error.value.code == "idempotency_key_reused"
    await plane.report(first, "succeeded")
    assert (await plane.submit(idempotency_key="once")).id == first.id


async def test_the_same_order_is_the_same_transfer_only_while_it_is_live(plane: Plane):
    first = await plane.submit(once_while_live=True)
    assert (await plane.submit(once_while_live=True)).id == first.id
    await plane.report(first, "failed", reason="x")
    assert (await plane.submit(once_while_live=True)).id != first.id


async def test_the_doorbell_rings_after_the_commit(plane: Plane):
    with plane.bus.listen(plane.machine) as bell:
        await plane.submit()
        assert await bell.wait(5)
        assert len(await reports.desired(plane.machine, reads=plane.reads)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"fence": "old"},
        {"attempt": 0},
        {"attempt": 2},
        {"machine": MachineId(99)},
        {"transfer": "t_x"},
    ],
)
async def test_a_stale_report_changes_nothing(plane: Plane, changes):
    transfer = await plane.submit()
    assert await plane.report(transfer, "succeeded", **changes) is None
    assert await plane.read(transfer) == transfer


async def test_a_repeated_report_keeps_the_first_telling(plane: Plane):
    transfer = await plane.submit()
    await plane.report(transfer, "failed", reason="disk full")
    ended = await plane.read(transfer)
    plane.time += timedelta(hours=1)
    await plane.report(transfer, "failed", reason="something else")
    await plane.report(transfer, "succeeded")
    assert await plane.read(transfer) == ended
    assert ended.reason == "disk full"


async def test_times_are_the_servers_not_the_hosts(plane: Plane):
    transfer = await plane.submit()
    await plane.report(transfer, "started")
    assert (await plane.read(transfer)).started_at == plane.time


async def test_a_report_that_cannot_be_true_is_refused_and_changes_nothing(plane: Plane):
    transfer = await plane.submit()
    assert await plane.report(transfer, "stopped") is None  # nobody asked it to stop
    assert (await plane.read(transfer)).state is State.QUEUED


async def test_silence_never_ends_a_transfer(plane: Plane):
    transfer = await plane.submit()
    await plane.report(transfer, "started")
    plane.time += timedelta(days=30)
    seen = await plane.reads.transfer(transfer.id, account=None)
    assert status.silent(seen.machine_seen_at, now=plane.now)
    assert seen.transfer.state is State.RUNNING
    assert len(await reports.desired(plane.machine, reads=plane.reads)) == 1


async def test_giving_up_on_a_machine_ends_its_attempts_and_a_late_success_is_stale(plane: Plane):
    transfer = await plane.submit()
    await plane.report(transfer, "started")
    assert await machines.give_up(plane.machine, caller=CALLER, desk=plane.machines) == 1
    failed = await plane.read(transfer)
    assert failed.state is State.FAILED
    assert await reports.desired(plane.machine, reads=plane.reads) == []
    await plane.report(transfer, "succeeded")
    assert await plane.read(transfer) == failed


async def test_a_retry_draws_a_new_attempt_and_fence_and_the_old_ones_reports_are_stale(
    plane: Plane,
):
    transfer = await plane.submit()
    with pytest.raises(IllegalMove):
        await transfers.retry(transfer.id, caller=CALLER, desk=plane.transfers)
    await plane.report(transfer, "failed", reason="x")
    second = await transfers.retry(transfer.id, caller=CALLER, desk=plane.transfers)
    assert (second.attempt, second.state) == (2, State.QUEUED)
    assert second.fence != transfer.fence
    assert await plane.report(transfer, "succeeded") is None
    assert await plane.read(transfer) == second
    ended = await plane.report(second, "succeeded")
    assert ended is not None
    assert ended.state is State.SUCCEEDED


async def test_a_cancel_is_stored_and_told_until_the_host_confirms(plane: Plane):
    transfer = await plane.submit()
    await transfers.cancel(transfer.id, caller=CALLER, desk=plane.transfers)
    again = await transfers.cancel(transfer.id, caller=CALLER, desk=plane.transfers)
    assert again.state is State.CANCELLING
    (order,) = await reports.desired(plane.machine, reads=plane.reads)
    assert order.want == "stop"
    await plane.report(transfer, "stopped")
    assert (await plane.read(transfer)).state is State.CANCELLED
    with pytest.raises(IllegalMove):
        await transfers.cancel(transfer.id, caller=CALLER, desk=plane.transfers)


async def test_the_hosts_word_wins_over_a_cancel(plane: Plane):
    transfer = await plane.submit()
    await transfers.cancel(transfer.id, caller=CALLER, desk=plane.transfers)
    await plane.report(transfer, "succeeded")
    assert (await plane.read(transfer)).state is State.SUCCEEDED


async def test_what_belongs_to_another_account_is_not_found(plane: Plane):
    transfer = await plane.submit()
    stranger = replace(CALLER, account=2)
    with pytest.raises(NotFound):
        await transfers.cancel(transfer.id, caller=stranger, desk=plane.transfers)
    with pytest.raises(NotFound):
        await transfers.submit(plane.order(), caller=stranger, desk=plane.transfers)


async def grant(plane: Plane, transfer, machine=None, **changes):
    wanted = {"transfer": transfer.id, "attempt": transfer.attempt, "fence": transfer.fence}
    return await reports.grant(
        wire.NeedBackend(**wanted | changes),
        machine=machine or plane.machine,
        reads=plane.reads,
        vault=plane.vault,
        relays=plane.relays,
    )


async def test_credentials_go_to_the_machine_of_a_live_attempt_only(plane: Plane):
    transfer = await plane.submit()
    granted = await grant(plane, transfer)
    assert isinstance(granted, wire.BackendGranted)
    assert granted.options["secret_access_key"] == "S"
    assert granted.options["no_check_bucket"] == "true"
    assert "secret_access_key" not in repr(granted)
    for refused in (
        await grant(plane, transfer, fence="old"),
        await grant(plane, transfer, attempt=2),
        await grant(plane, transfer, machine=MachineId(99)),
    ):
        assert isinstance(refused, wire.BackendRefused)
    await plane.report(transfer, "succeeded")
    assert isinstance(await grant(plane, transfer), wire.BackendRefused)


async def test_credentials_are_not_for_one_that_waits_for_its_turn_or_is_paused(plane: Plane):
    made = [await plane.submit(local=f"data{number}") for number in range(LIMITS.account + 1)]
    assert isinstance(await grant(plane, made[-1]), wire.BackendRefused)
    await transfers.pause(made[0].id, caller=CALLER, desk=plane.transfers)
    assert isinstance(await grant(plane, made[0]), wire.BackendGranted)  # it may be running
    await plane.report(made[0], "stopped")
    assert isinstance(await grant(plane, made[0]), wire.BackendRefused)
    assert isinstance(await grant(plane, made[-1]), wire.BackendGranted)


async def test_progress_is_shown_at_once_and_kept_only_when_asked(plane: Plane):
    transfer = await plane.submit()
    await plane.report(transfer, "started")

    async def note(done: int, *, keep: bool) -> None:
        told = wire.ProgressNow(
            transfer=transfer.id,
            attempt=1,
            fence=transfer.fence,
            progress=Progress(phase=Phase.TRANSFERRING, bytes_copied=done),
        )
        await reports.note(
            told, open_store=plane.open_store, bus=plane.bus, now=plane.now, keep=keep
        )

    await note(1, keep=True)
    await note(2, keep=False)
    stored = (await plane.reads.transfer(transfer.id, account=None)).progress
    shown = plane.bus.latest(transfer.id)
    assert stored is not None
    assert shown is not None
    assert (stored.bytes_copied, shown.bytes_copied) == (1, 2)
    await plane.report(transfer, "succeeded")
    assert plane.bus.latest(transfer.id) is None
