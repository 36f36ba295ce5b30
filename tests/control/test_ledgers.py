"""Ledgers: what is kept of what agents send, and how it is read again."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloudcopy.control import ledgers
from cloudcopy.control.ledgers import NoLedger
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.order import Scope, TransferId, Verify
from cloudcopy.domain.progress import Result, Verified
from cloudcopy.domain.transfer import (
    CancelRequested,
    Failed,
    PauseRequested,
    Resumed,
    Retried,
    Stopped,
    Transfer,
    step,
)
from cloudcopy.wire import agent as wire
from cloudcopy.wire import ledger
from tests.control.conftest import Plane


def row(path: str, outcome: Outcome = Outcome.COPIED, **more) -> FileRow:
    proven = Verified.SIZE if outcome is Outcome.COPIED else Verified.NOTHING
    return FileRow(path, outcome, more.pop("size", 1), **{"verified": proven} | more)


def packed(*rows: FileRow) -> bytes:
    return ledger.pack(ledger.line(each) for each in rows)


async def ship(plane: Plane, transfer: Transfer, *chunks: bytes, first: int = 0, **lies) -> None:
    for number, data in enumerate(chunks, first):
        message = wire.LedgerChunk(
            transfer=lies.get("id", transfer.id),
            attempt=lies.get("attempt", transfer.attempt),
            fence=lies.get("fence", transfer.fence),
            number=number,
            data=data,
        )
        await ledgers.take(
            message,
            machine=lies.get("machine", plane.machine),
            reads=plane.reads,
            open_store=plane.open_store,
        )


async def move(plane: Plane, transfer: Transfer, *events) -> Transfer:
    for event in events:
        was = transfer
        transfer = step(was, event)
        async with plane.open_store() as store:
            assert await store.transfers.save(transfer, was=was, at=plane.time)
    return transfer


async def read(plane: Plane, transfer: Transfer, attempt: int = 1, **only) -> list[str]:
    found = ledgers.rows(transfer.id, attempt, reads=plane.reads, **only)
    return [each.path async for rows in found for each in rows]


async def test_chunks_are_kept_in_their_order_and_read_one_by_one(plane: Plane):
    transfer = await plane.submit()
    await ship(plane, transfer, packed(row("a"), row("b")), packed(row("c")), packed(row("d")))

    sizes = [len(rows) async for rows in ledgers.rows(transfer.id, 1, reads=plane.reads)]

    assert sizes == [2, 1, 1]
    assert await read(plane, transfer) == ["a", "b", "c", "d"]


async def test_the_tag_of_an_object_in_parts_is_a_hash(plane: Plane):
    transfer = await plane.submit()
    await ship(plane, transfer, packed(row("a", hash=f"{'0a' * 16}-12")))
    assert await read(plane, transfer) == ["a"]


async def test_a_chunk_that_comes_again_changes_nothing(plane: Plane):
    transfer = await plane.submit()
    await ship(plane, transfer, packed(row("a")), packed(row("b")))
    await ship(plane, transfer, packed(row("other")), packed(row("p")))
    assert await read(plane, transfer) == ["a", "b"]


@pytest.mark.parametrize(
    "lie",
    [
        {"machine": 99},
        {"attempt": 2},
        {"fence": "stale"},
        {"id": "t_unknown"},
    ],
)
async def test_a_chunk_of_another_attempt_or_machine_is_not_kept(plane: Plane, lie: dict):
    transfer = await plane.submit()
    await ship(plane, transfer, packed(row("a")), **lie)
    assert await plane.reads.ledgers(transfer.id) == []


async def test_nothing_is_kept_of_an_attempt_that_has_ended(plane: Plane):
    ended = await move(plane, await plane.submit(), Failed(plane.time, "x"))
    paused = await move(
        plane, await plane.submit(), PauseRequested(plane.time), Stopped(plane.time)
    )
    for transfer in (ended, paused):
        await ship(plane, transfer, packed(row("a")))
        assert await plane.reads.ledgers(transfer.id) == []


BAD = [
    b"",
    b"not gzip",
    packed(row("a"))[:-4],
    packed(),
    packed(row("a")) + packed(row("b")),
    packed(row("b"), row("a")),
    packed(row("a"), row("a")),
    packed(row("")),
    packed(row("a", size=-2)),
    packed(row("a", size=2**53)),
    packed(row("a", hash="XYZ")),
    packed(row("a", hash="ab-")),
    packed(row("a", hash="ab-1-2")),
    packed(row("a", hash="0" * 130)),
    packed(row("a", hash=f"{'0' * 32}-")),
    packed(row("a", hash="00-2")),
    packed(row("a" * 5000)),
    packed(row("a", why="w" * 3000)),
    packed(row("a", code="c" * 100)),
    packed(*(row(f"{number:06}") for number in range(ledger.ROWS + 1))),
    ledger.pack([b"{}\n"]),
    ledger.pack([b'{"path": "a", "outcome": "stolen"}\n']),
    ledger.pack([b" " * (ledger.MAX_RAW_BYTES + 1)]),
    b"x" * (ledger.MAX_RAW_BYTES + 1),
]


@pytest.mark.parametrize("data", BAD)
async def test_a_chunk_that_is_none_is_not_kept_and_nothing_behind_it(plane: Plane, data: bytes):
    transfer = await plane.submit()
    await ship(plane, transfer, data, packed(row("z")))
    assert await plane.reads.ledgers(transfer.id) == []


async def test_the_hash_of_an_object_in_parts_is_kept(plane: Plane):
    transfer = await plane.submit()
    await ship(plane, transfer, packed(row("a", hash=f"{'0a' * 16}-128")))
    assert await plane.reads.ledgers(transfer.id) == [1]


async def test_chunks_that_overlap_leave_a_gap_or_have_no_place_are_not_kept(plane: Plane):
    transfer = await plane.submit()
    await ship(plane, transfer, packed(row("b")), packed(row("b"), row("c")))
    await ship(plane, transfer, packed(row("d")), first=2)
    await ship(plane, transfer, packed(row("d")), first=-1)
    await ship(plane, transfer, packed(row("d")), first=ledgers.MAX_CHUNKS)
    assert await read(plane, transfer) == ["b"]


async def test_rows_are_filtered_by_outcome_and_prefix(plane: Plane):
    transfer = await plane.submit()
    await ship(
        plane,
        transfer,
        packed(row("a"), row("b/1", Outcome.FAILED)),
        packed(row("b/2"), row("b/3", Outcome.SKIPPED), row("c", Outcome.FAILED)),
        packed(row("d")),
    )
    failed = frozenset({Outcome.FAILED})
    assert await read(plane, transfer, outcomes=failed) == ["b/1", "c"]
    assert await read(plane, transfer, prefix="b/") == ["b/1", "b/2", "b/3"]
    assert await read(plane, transfer, outcomes=failed, prefix="b/") == ["b/1"]
    assert await read(plane, transfer, prefix="zz") == []


class Counting:
    """Reads that remember which chunks were asked for."""

    def __init__(self, plane: Plane) -> None:
        self._reads = plane.reads
        self.asked: list[int] = []

    def __getattr__(self, name: str):
        return getattr(self._reads, name)

    async def chunk(self, id: TransferId, attempt: int, number: int) -> bytes | None:
        self.asked.append(number)
        return await self._reads.chunk(id, attempt, number)


async def test_only_the_chunks_that_are_needed_are_read_and_none_ahead(plane: Plane):
    transfer = await plane.submit()
    await ship(plane, transfer, *(packed(row(letter)) for letter in "abcdef"))
    reads = Counting(plane)
    found = ledgers.rows(transfer.id, 1, reads=reads)

    await anext(found)
    assert reads.asked == [0]
    assert [each async for each in ledgers.rows(transfer.id, 1, reads=reads, prefix="b")]
    assert reads.asked == [0, 0, 1, 2]


async def failed_before(plane: Plane, rows: Sequence[FileRow], *, per_chunk: int = 10) -> Transfer:
    """A transfer whose first attempt left these rows, in its second."""
    transfer = await plane.submit()
    chunks = [packed(*rows[at : at + per_chunk]) for at in range(0, len(rows), per_chunk)]
    await ship(plane, transfer, *chunks)
    return await move(plane, transfer, Failed(plane.time, "x"), Retried(plane.time, "second"))


async def ask(plane: Plane, transfer: Transfer, *, reads=None, **lies) -> list[wire.Names]:
    pages, known, after = [], None, 0
    while True:
        wanted = wire.NeedNames(
            transfer=transfer.id,
            attempt=lies.get("attempt", transfer.attempt),
            fence=lies.get("fence", transfer.fence),
            after=after,
        )
        page, place = await ledgers.names(
            wanted,
            machine=lies.get("machine", plane.machine),
            reads=reads or plane.reads,
            known=None if lies.get("forgetful") else known,
        )
        known = place
        pages.append(page)
        after += len(page.names)
        if not page.more:
            return pages


@pytest.mark.parametrize("forgetful", [False, True])
async def test_the_names_that_failed_come_page_by_page(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, forgetful: bool
):
    monkeypatch.setattr(wire, "MAX_NAMES", 4)
    rows = [row(f"{n:03}", Outcome.COPIED if n % 3 else Outcome.FAILED) for n in range(60)]
    transfer = await failed_before(plane, rows)
    pages = await ask(plane, transfer, forgetful=forgetful)
    assert [len(page.names) for page in pages] == [4, 4, 4, 4, 4]
    assert [page.more for page in pages] == [True, True, True, True, False]
    assert [page.after for page in pages] == [0, 4, 8, 12, 16]
    told = [name for page in pages for name in page.names]
    assert told == [f"{n:03}" for n in range(0, 60, 3)]


async def test_each_chunk_is_read_about_once_for_all_pages(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wire, "MAX_NAMES", 10)
    rows = [row(f"{n:03}", Outcome.FAILED) for n in range(100)]
    transfer = await failed_before(plane, rows, per_chunk=5)
    reads = Counting(plane)
    pages = await ask(plane, transfer, reads=reads)
    assert sum(len(page.names) for page in pages) == 100
    assert len(reads.asked) <= 20 + len(pages) + 1


@pytest.mark.parametrize("lie", [{"machine": 99}, {"attempt": 1}, {"fence": "stale"}])
async def test_names_are_told_to_the_attempt_that_needs_them_only(plane: Plane, lie: dict):
    transfer = await failed_before(plane, [row("a", Outcome.FAILED)])
    assert [page.names for page in await ask(plane, transfer, **lie)] == [[]]
    assert [page.names for page in await ask(plane, transfer)] == [["a"]]


async def test_the_latest_attempt_with_a_ledger_is_meant(plane: Plane):
    second = await failed_before(plane, [row("a", Outcome.FAILED), row("b", Outcome.FAILED)])
    third = await move(plane, second, Failed(plane.time, "no route"), Retried(plane.time, "third"))
    assert [page.names for page in await ask(plane, third)] == [["a", "b"]]
    await ship(plane, third, packed(row("a", Outcome.FAILED)))
    stopping = (PauseRequested(plane.time), Stopped(plane.time), Resumed(plane.time, "fourth"))
    fourth = await move(plane, third, *stopping)
    assert [page.names for page in await ask(plane, fourth)] == [["a"]]


@pytest.mark.parametrize("verify", Verify)
async def test_what_was_sent_and_never_proven_is_told_too(plane: Plane, verify: Verify):
    transfer = await plane.submit(verify=verify)
    sent = row("b", Outcome.COPIED, verified=Verified.NOTHING)
    await ship(plane, transfer, packed(row("a", Outcome.FAILED), sent, row("c", Outcome.COPIED)))
    ended = Failed(plane.time, "1 of 3", Result(failed=1, copied=2))
    again = await move(plane, transfer, ended, Retried(plane.time, "second", Scope.FAILED))
    expected = ["a"] if verify is Verify.NONE else ["a", "b"]
    assert [page.names for page in await ask(plane, again)] == [expected]


async def test_a_stopped_attempt_has_named_what_it_had_not_come_to(plane: Plane):
    transfer = await plane.submit()
    await ship(plane, transfer, packed(row("a", Outcome.FAILED)))
    again = await move(
        plane,
        transfer,
        CancelRequested(plane.time),
        Stopped(plane.time),
        Retried(plane.time, "second"),
    )
    assert [page.names for page in await ask(plane, again)] == [["a"]]


async def test_the_latest_list_is_shown_and_one_that_is_on_its_way_is_not(plane: Plane):
    second = await failed_before(plane, [row("a", Outcome.FAILED)])
    await ship(plane, second, packed(row("a")))
    assert await ledgers.attempt_of(second, None, reads=plane.reads) == 1
    with pytest.raises(NoLedger, match="of attempt 2"):
        await ledgers.attempt_of(second, 2, reads=plane.reads)
    done = await move(plane, second, Failed(plane.time, "x"))
    assert await ledgers.attempt_of(done, None, reads=plane.reads) == 2
    assert await ledgers.attempt_of(done, 1, reads=plane.reads) == 1


async def test_where_there_is_no_list_it_says_why(plane: Plane):
    transfer = await plane.submit()
    with pytest.raises(NoLedger) as caught:
        await ledgers.attempt_of(transfer, None, reads=plane.reads)
    assert (caught.value.code, caught.value.next) == (
        "no_ledger",
        ("Ask again when it has ended.",),
    )
    ended = await move(plane, transfer, Failed(plane.time, "x"))
    with pytest.raises(NoLedger) as caught:
        await ledgers.attempt_of(replace(ended), 3, reads=plane.reads)
    assert "before anything was listed" in caught.value.next[0]
