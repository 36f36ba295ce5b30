"""What the control plane believes of a report that says success."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from msgspec import structs

from cloudcopy.control import connections, rechecks, transfers
from cloudcopy.domain.connection import Backend, NewConnection
from cloudcopy.domain.errors import StoreUnreachable, Unavailable
from cloudcopy.domain.flags import Flags
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.machine import MachineId
from cloudcopy.domain.merkle import EMPTY, Tree
from cloudcopy.domain.order import Direction, Scope, TransferId, Work
from cloudcopy.domain.paths import RemotePath
from cloudcopy.domain.progress import Digests, ErrorGroup, Recheck, Result
from cloudcopy.domain.transfer import Failed, Retried, Transfer
from cloudcopy.ports.engine import Claim, Finding
from cloudcopy.wire.agent import Report
from tests.control.conftest import CALLER, Plane
from tests.control.test_ledgers import move, packed, row, ship

ROWS = (row("a", hash="aa"), row("b", Outcome.UNCHANGED), row("c", Outcome.SKIPPED), row("d"))
DRY = Flags.parse(["--dry-run"])
GONE = StoreUnreachable("nobody answers", code="network")


@dataclass
class Looking:
    """A probe that finds what it is told to, and remembers what it was asked."""

    finding: Finding = field(default=Finding(Recheck(files=3, hashed=1)))
    trouble: list[Exception] = field(default_factory=list)
    reads_rows: bool = True
    claims: list[Claim] = field(default_factory=list)
    rows: list[FileRow] = field(default_factory=list)
    expected: list[Claim] = field(default_factory=list)

    async def check(self, backend: Backend, root: RemotePath) -> None: ...

    async def sweep(self, backend: Backend, below: RemotePath, *, since: datetime) -> int:
        return 0

    def expect(self, claim: Claim) -> None:
        self.expected.append(claim)

    def dismiss(self, attempt: str) -> None:
        raise NotImplementedError

    async def recheck(self, claim: Claim, rows: AsyncIterator[FileRow]) -> Finding:
        self.claims.append(claim)
        if self.trouble:
            raise self.trouble.pop()
        if self.reads_rows:
            self.rows = [each async for each in rows]
        return self.finding


@pytest.fixture
def probe() -> Looking:
    return Looking()


@pytest.fixture
def desk(plane: Plane, probe: Looking) -> rechecks.Desk:
    turn = contextlib.nullcontext()
    return rechecks.Desk(plane.open_store, plane.reads, plane.vault, probe, turn, {})


def said(transfer: Transfer, kind: str = "succeeded", **changes) -> Report:
    report = Report(
        transfer=transfer.id,
        attempt=transfer.attempt,
        fence=transfer.fence,
        kind=kind,
        at=transfer.created_at,
        result=Result(found=4, copied=2, unchanged=1, hash="md5"),
        chunks=1,
    )
    return structs.replace(report, **changes)


async def shipped(plane: Plane, *rows: FileRow, **order) -> Transfer:
    asked = replace(plane.order(**{k: order.pop(k) for k in ("direction",) if k in order}), **order)
    transfer = await transfers.submit(asked, caller=CALLER, desk=plane.transfers)
    await ship(plane, transfer, packed(*(rows or ROWS)))
    return transfer


async def before(plane: Plane, desk: rechecks.Desk, report: Report) -> Report:
    return await rechecks.before(report, machine=plane.machine, desk=desk)


def root(*rows: FileRow) -> str:
    tree = Tree()
    for each in rows:
        tree.add(each.path, each.size, each.hash)
    return tree.root()


@pytest.mark.parametrize("kind", ["succeeded", "partial"])
async def test_a_success_that_holds_keeps_what_was_seen_and_the_root(
    plane: Plane, desk: rechecks.Desk, probe: Looking, kind: str
):
    transfer = await shipped(plane)
    report = said(transfer, kind, reason="1 failed" if kind == "partial" else "")

    told = await before(plane, desk, report)

    assert (told.kind, told.reason) == (kind, report.reason)
    assert told.result.recheck == Recheck(files=3, hashed=1)
    assert told.result.digests == Digests(files=root(ROWS[0], ROWS[1], ROWS[3]), leaves=3)
    (claim,) = probe.claims
    assert (claim.place.value, claim.hash, claim.since, claim.whole) == (
        "bucket/run",
        "md5",
        transfer.created_at,
        True,
    )
    assert probe.rows == list(ROWS)


async def test_the_root_is_over_every_row_also_when_the_probe_did_not_read_them(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    probe.reads_rows = False
    told = await before(plane, desk, said(await shipped(plane)))
    assert told.result.digests.leaves == 3


async def test_files_that_the_store_does_not_show_turn_success_into_what_it_is(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    probe.finding = Finding(
        Recheck(files=1), count=2, wrong=(("a", "is not there"), ("d", "has 7 bytes"))
    )
    other = ErrorGroup(code="timeout", text="t", cure="c", count=1)
    report = said(await shipped(plane))
    report = structs.replace(report, result=replace(report.result, failed=1, errors=(other,)))

    told = await before(plane, desk, report)

    assert told.kind == "partial"
    assert told.reason == (
        "The control plane's own listing of the store does not show 2 of 3 files as the host "
        "reported them: a (is not there), d (has 7 bytes)."
    )
    assert told.result.failed == 3
    first, second = told.result.errors
    assert (first.code, first.count, first.samples, second) == (
        "not_in_store",
        2,
        ("a", "d"),
        other,
    )


async def test_where_nothing_is_there_it_failed_and_many_are_named_by_a_few(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    wrong = tuple((f"{n}", "is not there") for n in range(20))
    probe.finding = Finding(Recheck(), count=3000, wrong=wrong)
    told = await before(plane, desk, said(await shipped(plane)))
    assert told.kind == "failed"
    assert told.reason.endswith("4 (is not there), and 2995 more.")


async def test_a_download_that_left_files_out_is_told_in_other_words(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    probe.finding = Finding(Recheck(files=3), count=1, wrong=(("e", "was left out"),))
    transfer = await shipped(plane, direction=Direction.TO_INSTANCE)
    told = await before(plane, desk, said(transfer))
    assert told.kind == "partial"
    assert "shows 1 files that the host did not report so: e (was left out)." in told.reason


async def test_a_download_is_looked_at_also_when_the_host_says_that_there_was_nothing(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    probe.finding = Finding(Recheck(), count=1, wrong=(("a", "was left out"),))
    order = plane.order(direction=Direction.TO_INSTANCE)
    transfer = await transfers.submit(order, caller=CALLER, desk=plane.transfers)
    told = await before(plane, desk, said(transfer, result=None, chunks=0))
    assert told.kind == "failed"


async def test_an_upload_of_nothing_needs_no_look(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    told = await before(plane, desk, said(await plane.submit(), result=Result(), chunks=0))
    assert (told.kind, told.result.digests.files, probe.claims) == ("succeeded", EMPTY, [])


@pytest.mark.parametrize(("chunks", "found"), [(0, 4), (2, 4), (2, 0)])
@pytest.mark.parametrize("work", [Work.TRANSFER, Work.PLAN, Work.CHECK])
async def test_an_end_without_its_whole_ledger_is_none(
    plane: Plane, desk: rechecks.Desk, chunks: int, found: int, work: Work
):
    transfer = await shipped(plane, work=work)
    told = await before(plane, desk, said(transfer, chunks=chunks, result=Result(found=found)))
    assert (told.kind, told.reason) == (
        "failed",
        "the host sent no ledger of what it copied, after it said so",
    )
    assert isinstance(desk.probe, Looking)
    assert desk.probe.claims == []


async def test_numbers_that_say_more_than_the_list_are_not_believed(
    plane: Plane, desk: rechecks.Desk
):
    report = said(await shipped(plane), result=Result(found=90, copied=90))
    told = await before(plane, desk, report)
    assert told.kind == "partial"
    assert told.reason == "The host counted 90 files as copied or unchanged and listed 3."


async def test_a_success_with_failed_files_in_its_list_is_none(plane: Plane, desk: rechecks.Desk):
    transfer = await shipped(plane, row("a"), row("b", Outcome.FAILED))
    told = await before(plane, desk, said(transfer, result=Result(found=2, copied=1)))
    assert told.kind == "partial"
    assert told.reason == "The host reported success and listed 1 files as failed."


async def test_a_retry_of_failed_files_that_had_none_is_no_success(
    plane: Plane, desk: rechecks.Desk
):
    first = await move(plane, await plane.submit(), Failed(plane.time, "x"))
    again = await move(plane, first, Retried(plane.time, "second", Scope.FAILED))
    told = await before(plane, desk, said(again, result=Result(), chunks=0))
    assert (told.kind, told.reason) == (
        "failed",
        "No file is known that failed before: try all of it again.",
    )


async def test_a_retry_of_failed_files_claims_to_be_about_those_only(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    first = await move(plane, await plane.submit(), Failed(plane.time, "x"))
    again = await move(plane, first, Retried(plane.time, "second", Scope.FAILED))
    await ship(plane, again, packed(row("a")))
    told = await before(plane, desk, said(again, result=Result(found=1, copied=1)))
    assert (told.kind, [claim.whole for claim in probe.claims]) == ("succeeded", [False])


async def test_what_only_the_control_plane_can_say_is_never_taken_from_a_host(
    plane: Plane, desk: rechecks.Desk
):
    digests = Digests(files="f" * 64, leaves=9, source="s", destination="d")
    boast = Result(recheck=Recheck(files=9, hashed=9), digests=digests, dry_run=True)
    for kind in ("failed", "stopped", "succeeded"):
        told = await before(plane, desk, said(await plane.submit(), kind, result=boast, chunks=0))
        assert told.result.recheck == Recheck()
        assert told.result.digests.files == (EMPTY if kind == "succeeded" else "")
        assert (told.result.digests.source, told.result.digests.destination) == ("s", "d")
    assert not told.result.dry_run


async def test_plans_checks_and_dry_runs_are_not_looked_at(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    for changes in ({"work": Work.PLAN}, {"work": Work.CHECK}, {"flags": DRY}):
        report = said(await shipped(plane, **changes))
        assert await before(plane, desk, report) == report
    assert probe.claims == []


async def test_a_report_that_is_stale_or_repeated_after_its_end_lists_nothing(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    transfer = await shipped(plane)
    report = said(transfer)
    for lie in ({"fence": "stale"}, {"attempt": 2}, {"transfer": "t_unknown"}):
        told = structs.replace(report, **lie)
        assert await before(plane, desk, told) == told
    assert await rechecks.before(report, machine=99, desk=desk) == report
    await move(plane, transfer, Failed(plane.time, "x"))
    assert await before(plane, desk, report) == report
    assert probe.claims == []


async def test_a_store_that_does_not_answer_is_tried_again_and_then_the_host_is_believed(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    probe.trouble = [GONE] * rechecks.TRIES
    report = said(await shipped(plane))
    for _ in range(rechecks.TRIES - 1):
        with pytest.raises(Unavailable, match="could not be looked at: nobody answers"):
            await before(plane, desk, report)
    told = await before(plane, desk, report)
    assert told.kind == "succeeded"
    assert told.result.recheck.why_not == "the store could not be looked at: nobody answers"
    assert told.result.digests.leaves == 3
    assert desk.misses == {}


async def test_a_store_that_answers_again_is_looked_at(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    probe.trouble = [GONE]
    report = said(await shipped(plane))
    with pytest.raises(Unavailable):
        await before(plane, desk, report)
    told = await before(plane, desk, report)
    assert (told.result.recheck, desk.misses) == (Recheck(files=3, hashed=1), {})


async def test_a_store_on_the_host_is_the_hosts_word_and_says_so(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    local = await connections.create(
        NewConnection.parse("disk", "local", {"path": "/srv"}),
        caller=CALLER,
        desk=plane.connections,
    )
    told = await before(plane, desk, said(await shipped(plane, connection=local.id)))
    assert (told.kind, told.result.recheck.why_not) == ("succeeded", rechecks.ON_HOST)
    assert (told.result.digests.leaves, probe.claims) == (3, [])


async def test_a_look_that_is_expected_is_the_one_that_comes(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    transfer = await shipped(plane)
    await rechecks.expect(transfer.id, fence=transfer.fence, machine=plane.machine, desk=desk)
    await before(plane, desk, said(transfer))
    (expected,), (looked,) = probe.expected, probe.claims
    assert replace(expected, hash="md5") == looked
    assert looked.attempt


async def test_no_look_is_expected_where_none_will_come(
    plane: Plane, desk: rechecks.Desk, probe: Looking
):
    changes = ({"work": Work.PLAN}, {"work": Work.CHECK}, {"flags": DRY}, {})
    none = [await shipped(plane, **each) for each in changes]
    await move(plane, none[-1], Failed(plane.time, "x"))
    live = await shipped(plane)
    asked = [(each.id, each.fence, plane.machine) for each in none]
    asked += [(live.id, "stale", plane.machine), (live.id, live.fence, MachineId(99))]
    asked += [(TransferId("t_unknown"), live.fence, plane.machine)]
    for id, fence, machine in asked:
        await rechecks.expect(id, fence=fence, machine=machine, desk=desk)
    assert probe.expected == []
