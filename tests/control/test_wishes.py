"""What people may ask of a transfer besides its beginning and its end."""

from dataclasses import replace

import pytest

from cloudcopy.control import reports, transfers
from cloudcopy.domain.errors import Conflict, Invalid, NotFound
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.order import Mode, Scope, Work
from cloudcopy.domain.progress import Digests, Result
from cloudcopy.domain.transfer import IllegalMove, State, Transfer
from cloudcopy.wire import ledger
from tests.control.conftest import CALLER, Plane

ROOTS = Digests(source="a" * 64, destination="b" * 64)


async def planned(plane: Plane, mode: Mode = Mode.COPY, **result) -> Transfer:
    plan = await transfers.submit(
        plane.order(work=Work.PLAN, mode=mode), caller=CALLER, desk=plane.transfers
    )
    await plane.report(plan, "succeeded", result=Result(digests=ROOTS, **result))
    return plan


async def test_a_paused_transfer_is_not_told_to_its_agent_and_stays_live(plane: Plane):
    transfer = await plane.submit()
    await plane.report(transfer, "started")
    asked = await transfers.pause(transfer.id, caller=CALLER, desk=plane.transfers)
    assert (asked.state, asked.state.want) == (State.PAUSING, "stop")
    (order,) = await reports.desired(plane.machine, reads=plane.reads)
    assert order.want == "stop"
    await plane.report(transfer, "stopped", result=Result(copied=1))
    assert await reports.desired(plane.machine, reads=plane.reads) == []
    assert [each.transfer.id for each in await plane.reads.live(plane.machine)] == [transfer.id]


async def test_every_change_of_state_is_in_the_history_once(plane: Plane):
    transfer = await plane.submit()
    await plane.report(transfer, "started")
    await transfers.pause(transfer.id, caller=CALLER, desk=plane.transfers)
    await transfers.pause(transfer.id, caller=CALLER, desk=plane.transfers)
    await plane.report(transfer, "stopped")
    resumed = await transfers.resume(transfer.id, caller=CALLER, desk=plane.transfers)
    await plane.report(resumed, "failed", reason="disk full")
    history = await plane.reads.history(transfer.id)
    assert [(each.number, each.state, each.attempt) for each in history] == [
        (1, "queued", 1),
        (2, "running", 1),
        (3, "pausing", 1),
        (4, "paused", 1),
        (5, "queued", 2),
        (6, "failed", 2),
    ]
    assert history[-1].reason == "disk full"
    assert await plane.reads.history(transfer.id, after=4) == history[4:]


async def test_a_limit_is_told_to_the_agent_and_refused_once_it_has_ended(plane: Plane):
    transfer = await plane.submit(bwlimit="10M")
    changed = await transfers.limit(transfer.id, "off", caller=CALLER, desk=plane.transfers)
    assert (transfer.bwlimit, changed.bwlimit) == ("10M", "off")
    (order,) = await reports.desired(plane.machine, reads=plane.reads)
    assert order.bwlimit == "off"
    with pytest.raises(Invalid, match="bwlimit"):
        await transfers.limit(transfer.id, "fast", caller=CALLER, desk=plane.transfers)
    await plane.report(transfer, "succeeded")
    with pytest.raises(Conflict, match="succeeded"):
        await transfers.limit(transfer.id, "1M", caller=CALLER, desk=plane.transfers)


async def test_only_what_failed_is_tried_again_where_there_is_a_list_of_it(plane: Plane):
    transfer = await plane.submit()
    with pytest.raises(IllegalMove, match="retrying it"):
        await transfers.retry(transfer.id, caller=CALLER, desk=plane.transfers, scope=Scope.FAILED)
    async with plane.open_store() as store:
        chunk = ledger.pack([ledger.line(FileRow("a", Outcome.FAILED, 1))])
        await store.ledgers.put(transfer.id, 1, 0, chunk, rows=1)
    await plane.report(transfer, "partial", reason="1 of 2", result=Result(failed=1, copied=1))
    again = await transfers.retry(
        transfer.id, caller=CALLER, desk=plane.transfers, scope=Scope.FAILED
    )
    assert (again.state, again.scope) == (State.QUEUED, Scope.FAILED)
    # Cut short before it knew all it was about: the list of the attempt before is not its own.
    await plane.report(again, "failed", reason="x", result=Result(failed=1))
    with pytest.raises(Conflict, match="no list of failed files") as refused:
        await transfers.retry(transfer.id, caller=CALLER, desk=plane.transfers, scope=Scope.FAILED)
    assert refused.value.code == "nothing_failed"


async def test_a_mirror_is_never_made_without_its_plan(plane: Plane):
    with pytest.raises(Invalid, match="carrying out a plan") as refused:
        await transfers.submit(plane.order(mode=Mode.MIRROR), caller=CALLER, desk=plane.transfers)
    assert refused.value.code == "mirror_needs_plan"


@pytest.mark.parametrize("flag", ["--max-size=1M", "--min-size=1", "--max-age=1d", "--min-age=1d"])
async def test_a_mirror_does_not_choose_files_by_what_may_differ_between_the_sides(
    plane: Plane, flag: str
):
    order = plane.order(work=Work.PLAN, mode=Mode.MIRROR, flags=Flags.parse([flag]))
    with pytest.raises(Invalid, match="cannot be used in a mirror") as refused:
        await transfers.submit(order, caller=CALLER, desk=plane.transfers)
    assert refused.value.code == "bad_flag"
    copied = replace(order, mode=Mode.COPY)
    assert (await transfers.submit(copied, caller=CALLER, desk=plane.transfers)).order == copied


async def test_a_plan_is_carried_out_as_it_was_made(plane: Plane):
    plan = await planned(plane, Mode.MIRROR, deleted=1, at_destination=100)
    made = await transfers.apply(plan.id, caller=CALLER, desk=plane.transfers)
    assert (made.order.work, made.order.mode) == (Work.TRANSFER, Mode.MIRROR)
    assert made.order.agreed is not None
    assert (made.order.agreed.plan, made.order.agreed.deletions) == (plan.id, 1)
    (order,) = await reports.desired(plane.machine, reads=plane.reads)
    assert order.agreed == (ROOTS.source, ROOTS.destination)


async def test_a_plan_that_deletes_much_wants_the_number(plane: Plane):
    plan = await planned(plane, Mode.MIRROR, deleted=11, at_destination=100)
    for wrong in (None, 10, 12):
        with pytest.raises(Conflict, match="11") as refused:
            await transfers.apply(
                plan.id, caller=CALLER, desk=plane.transfers, confirm_deletions=wrong
            )
        assert refused.value.code == "deletions_not_confirmed"
    made = await transfers.apply(plan.id, caller=CALLER, desk=plane.transfers, confirm_deletions=11)
    assert made.state is State.QUEUED


async def test_what_is_no_plan_or_is_not_finished_cannot_be_carried_out(plane: Plane):
    transfer = await plane.submit()
    with pytest.raises(Conflict, match="not a plan"):
        await transfers.apply(transfer.id, caller=CALLER, desk=plane.transfers)
    plan = await transfers.submit(plane.order(work=Work.PLAN), caller=CALLER, desk=plane.transfers)
    with pytest.raises(Conflict, match="is queued") as refused:
        await transfers.apply(plan.id, caller=CALLER, desk=plane.transfers)
    assert refused.value.code == "plan_not_ready"
    with pytest.raises(NotFound):
        await transfers.apply("t_none", caller=CALLER, desk=plane.transfers)


async def test_a_plan_or_a_check_is_no_dry_run(plane: Plane):
    for work in (Work.PLAN, Work.CHECK):
        with pytest.raises(Invalid, match="--dry-run"):
            await transfers.submit(
                plane.order(work=work, flags=Flags.parse(["--dry-run"])),
                caller=CALLER,
                desk=plane.transfers,
            )


async def test_whatever_a_host_says_is_kept_within_bounds(plane: Plane):
    transfer = await plane.submit()
    await plane.report(
        transfer,
        "partial",
        reason="r" * 10_000,
        result=Result(
            copied=-5,
            failed=2**60,
            notes=("n" * 10_000,) * 500,
            log=("l" * 10_000,) * 500,
            digests=Digests(files="<script>", source="A" * 64),
        ),
    )
    kept = await plane.read(transfer)
    assert kept.result is not None
    assert (kept.result.copied, kept.result.failed) == (0, 2**53 - 1)
    assert (len(kept.reason), len(kept.result.notes), len(kept.result.log)) == (2000, 20, 40)
    assert max(map(len, (*kept.result.notes, *kept.result.log))) == 2000
    assert kept.result.digests == Digests()


async def test_clocks_that_jump_change_no_order_of_events(plane: Plane):
    """Nothing is ordered, ended or given a turn by the clock."""
    transfer = await plane.submit()
    plane.time = plane.time.replace(year=1999)
    await plane.report(transfer, "started")
    plane.time = plane.time.replace(year=2100)
    await transfers.pause(transfer.id, caller=CALLER, desk=plane.transfers)
    plane.time = plane.time.replace(year=2001)
    await plane.report(transfer, "stopped")
    resumed = await transfers.resume(transfer.id, caller=CALLER, desk=plane.transfers)
    await plane.report(resumed, "succeeded", result=Result(copied=1))
    assert (await plane.read(transfer)).state is State.SUCCEEDED
    history = await plane.reads.history(transfer.id)
    assert [each.number for each in history] == [1, 2, 3, 4, 5, 6]
