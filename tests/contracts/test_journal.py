"""What every journal of an agent promises; see `ports.journal`."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from cloudcopy.adapters.journal import open_journal
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.progress import Digests, ErrorGroup, Recheck, Result, Verified
from cloudcopy.ports.journal import Entry, Journal, Standing
from cloudcopy.wire.agent import Order, Report

RESULT = Result(
    found=5,
    copied=1,
    unchanged=1,
    failed=1,
    retried=1,
    skipped=(("socket", 1),),
    bytes_copied=2**40,
    verified=Verified.HASH,
    hash="md5",
    by_size_only=1,
    errors=(ErrorGroup(code="denied", text="ä", cure="ö", count=1, samples=("ü",)),),
    digests=Digests(files="ab" * 32, leaves=2, source="cd" * 32),
    recheck=Recheck(files=2, hashed=1, why_not="so"),
    notes=("ä",),
    log=("one", "two"),
    interrupted=True,
)
OLD_WORDS = [
    *("transfer", "attempt", "fence", "want"),
    *("instance", "direction", "local", "remote", "flags"),
]
NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def order(transfer: str = "t_1", attempt: int = 1, *, fence: str = "fence") -> Order:
    return Order(
        transfer=transfer,
        attempt=attempt,
        fence=fence,
        want="run",
        instance="box",
        direction="instance_to_cloud",
        local="work/ünï",
        remote="bucket/data",
        flags=["--dry-run"],
        mode="mirror",
        verify="size",
        scope="failed",
        bwlimit="08:00,1M 18:00,off [Europe/Berlin]",
        agreed=("ab" * 32, "cd" * 32),
    )


def report(
    transfer: str = "t_1",
    attempt: int = 1,
    *,
    kind: Literal["succeeded", "failed"] = "succeeded",
    at: datetime = NOW,
) -> Report:
    return Report(
        transfer=transfer,
        attempt=attempt,
        fence="fence",
        kind=kind,
        at=at,
        reason="why",
        result=RESULT,
        chunks=3,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def not_a_journal(path: Path) -> Path:
    path.write_bytes(b"this is not a database" * 100)
    return path


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    async with open_journal(path) as opened:
        yield opened


async def settled(journal: Journal, transfer: str, *, at: datetime = NOW) -> None:
    await journal.accept(order(transfer))
    await journal.ended(report(transfer, at=at))
    await journal.settle(transfer, 1)


async def test_an_attempt_is_accepted_once(journal: Journal) -> None:
    assert await journal.accept(order())
    assert not await journal.accept(order(fence="another"))
    assert await journal.get("t_1", 1) == Entry(order(), Standing.ACCEPTED)


async def test_the_next_attempt_is_another(journal: Journal) -> None:
    await settled(journal, "t_1")
    assert await journal.accept(order(attempt=2))
    assert await journal.unfinished() == [Entry(order(attempt=2), Standing.ACCEPTED)]


async def test_an_attempt_is_not_accepted_again_whatever_became_of_it(journal: Journal) -> None:
    await journal.accept(order())
    await journal.started("t_1", 1)
    assert not await journal.accept(order())
    await journal.ended(report())
    assert not await journal.accept(order())
    await journal.settle("t_1", 1)
    assert not await journal.accept(order())
    assert await journal.get("t_1", 1) == Entry(order(), Standing.SETTLED, report())


async def test_what_was_started_is_unfinished_until_it_ended(journal: Journal) -> None:
    await journal.accept(order("t_2"))
    await journal.accept(order("t_1"))
    await journal.started("t_2", 1)
    assert await journal.unfinished() == [
        Entry(order("t_2"), Standing.STARTED),
        Entry(order("t_1"), Standing.ACCEPTED),
    ]
    await journal.ended(report("t_2"))
    assert await journal.unfinished() == [Entry(order("t_1"), Standing.ACCEPTED)]


async def test_an_end_is_unsettled_until_it_was_acknowledged(journal: Journal) -> None:
    for transfer in ("t_2", "t_1"):
        await journal.accept(order(transfer))
        await journal.ended(report(transfer))
    assert await journal.unsettled() == [
        Entry(order("t_2"), Standing.ENDED, report("t_2")),
        Entry(order("t_1"), Standing.ENDED, report("t_1")),
    ]
    await journal.settle("t_2", 1)
    assert await journal.unsettled() == [Entry(order("t_1"), Standing.ENDED, report("t_1"))]


async def test_the_first_end_stays(journal: Journal) -> None:
    await journal.accept(order())
    await journal.ended(report())
    await journal.ended(report(kind="failed"))
    await journal.started("t_1", 1)
    assert await journal.get("t_1", 1) == Entry(order(), Standing.ENDED, report())


async def test_an_end_that_was_settled_is_not_reported_again(journal: Journal) -> None:
    await settled(journal, "t_1")
    await journal.ended(report(kind="failed"))
    assert await journal.get("t_1", 1) == Entry(order(), Standing.SETTLED, report())
    assert await journal.unsettled() == []


async def test_an_acknowledgement_before_the_end_settles_nothing(journal: Journal) -> None:
    await journal.accept(order())
    await journal.settle("t_1", 1)
    assert await journal.get("t_1", 1) == Entry(order(), Standing.ACCEPTED)


async def test_an_attempt_nobody_accepted_is_not_there(journal: Journal) -> None:
    await journal.started("t_1", 1)
    await journal.ended(report())
    await journal.settle("t_1", 1)
    assert await journal.get("t_1", 1) is None


async def test_only_what_was_settled_and_ended_before_is_forgotten(journal: Journal) -> None:
    await settled(journal, "t_old", at=NOW - timedelta(seconds=1))
    await settled(journal, "t_now")
    await journal.accept(order("t_open"))
    await journal.accept(order("t_told"))
    await journal.ended(report("t_told", at=NOW - timedelta(days=9)))
    assert await journal.prune(before=NOW) == 1
    assert await journal.get("t_old", 1) is None
    assert await journal.get("t_now", 1) == Entry(order("t_now"), Standing.SETTLED, report("t_now"))
    assert [each.order.transfer for each in await journal.unfinished()] == ["t_open"]
    assert [each.order.transfer for each in await journal.unsettled()] == ["t_told"]


async def test_everything_is_there_when_it_is_opened_again(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.accept(order("t_1"))
        await journal.accept(order("t_2"))
        await journal.ended(report("t_2"))
    async with open_journal(path) as journal:
        assert await journal.unfinished() == [Entry(order("t_1"), Standing.ACCEPTED)]
        assert await journal.unsettled() == [Entry(order("t_2"), Standing.ENDED, report("t_2"))]


async def test_a_write_is_seen_by_others_as_soon_as_the_call_returns(path: Path) -> None:
    async with open_journal(path) as mine, open_journal(path) as others:
        await mine.accept(order())
        assert await others.get("t_1", 1) == Entry(order(), Standing.ACCEPTED)


async def test_the_files_are_for_their_owner_only(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.accept(order())
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


async def test_an_order_from_before_there_were_modes_is_a_copy_of_everything(path: Path) -> None:
    old = {"type": "order", **{word: getattr(order(), word) for word in OLD_WORDS}}
    async with open_journal(path) as journal:
        await journal.accept(order())
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE entries SET wanted = ?", (msgspec.msgpack.encode(old),))
        (entry,) = await journal.unfinished()
    found = entry.order
    assert (found.work, found.mode, found.verify, found.scope) == (
        "transfer",
        "copy",
        "hash",
        "all",
    )
    assert (found.bwlimit, found.agreed, found.local) == ("", None, order().local)


async def test_a_file_that_is_no_journal_is_refused_in_words(not_a_journal: Path) -> None:
    with pytest.raises(Unavailable, match="file is not a database"):
        async with open_journal(not_a_journal):
            pass


async def test_a_journal_in_no_directory_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file or directory"):
        async with open_journal(tmp_path / "none" / "journal.db"):
            pass
