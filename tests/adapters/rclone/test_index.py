"""What an index keeps, whom it tells, and that nothing it has is believed for itself."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone import index as module
from cloudcopy.adapters.rclone.glance import Glance
from cloudcopy.adapters.rclone.index import RACY, Index
from cloudcopy.adapters.rclone.listing import Listed
from cloudcopy.adapters.rclone.spool import DOUBTFUL, KNOWN, Spool, open_spool
from cloudcopy.domain.ledger import Outcome

LOOKED = 10**18
OLD = LOOKED - RACY - 1
ARRIVED = "2031-05-06T07:08:09.250000000Z"
MD5 = "9a0364b9e99bb480dd25e1f0284c8555"


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    async with open_spool(tmp_path / "spool.db") as spool:
        spool.kind = "md5"
        yield spool


def glance(path: str, *, ctime: int = OLD, inode: int = 7) -> Glance:
    return Glance(path, 3, OLD, inode, ctime)


async def seen(spool: Spool, *glances: Glance, hash: str = MD5, arrived: str = ARRIVED) -> None:
    """Both sides have these, and nobody has said anything about them."""
    for table in ("files", "first", "last"):
        await spool.do(lambda database, table=table: database.execute(f"DELETE FROM {table}"))  # type: ignore[misc]  # noqa: S608
    await spool.source([Listed(each.path, 3, "t", {}) for each in glances])
    there = [Listed(each.path, 3, arrived, {"md5": hash}) for each in glances]
    await spool.destination(there, known_only=False)
    await spool.do(
        lambda database: database.executemany("INSERT INTO first VALUES (?, ?, ?, ?, ?)", glances)
    )
    await spool.do(lambda database: database.execute("INSERT INTO last SELECT * FROM first"))


async def learnt(index: Index, *glances: Glance, whole: bool = True) -> None:
    await seen(index.spool, *glances)
    rows = [(each.path, LOOKED, True) for each in glances]
    await index.spool.do(lambda database: database.execute("DELETE FROM proven"))
    await index.spool.do(
        lambda database: database.executemany("INSERT INTO proven VALUES (?, ?, ?)", rows)
    )
    await index.learn(whole=whole)


async def told(index: Index) -> dict[str, tuple[str | None, str | None, str | None]]:
    await index.tell(doubts=True)
    found = [each async for page in index.spool.facts() for each in page]
    return {each.path: (each.outcome, each.code, each.hash) for each in found}


KEPT = (Outcome.UNCHANGED, KNOWN, MD5)
READ = (Outcome.UPDATE, DOUBTFUL, MD5)
NOTHING = (None, None, None)


async def test_a_row_is_believed_where_both_sides_show_what_it_says(spool: Spool, tmp_path: Path):
    index = Index(path=tmp_path / "index/one.db", spool=spool, upload=True)
    await learnt(index, glance("a"), glance("b", ctime=OLD + 1))
    await seen(spool, glance("a"), glance("b", ctime=OLD + 1), glance("c"))
    # The change of `b` is as near to the look as it may be, and one nearer than it may be.
    assert await told(index) == {"a": KEPT, "b": READ, "c": NOTHING}
    await seen(spool, glance("a", ctime=OLD - 1), glance("b", inode=8))
    assert await told(index) == {"a": READ, "b": READ}
    await seen(spool, glance("a"), hash="0" * 32)
    assert await told(index) == {"a": NOTHING}
    await seen(spool, glance("a"), arrived="2031-05-06T07:08:10.250000000Z")
    assert await told(index) == {"a": NOTHING}
    await seen(spool, glance("a"), arrived="2031-05-06T07:08:09Z")  # asked for alone
    assert await told(index) == {"a": KEPT}


async def test_what_the_source_no_longer_has_is_dropped_where_all_of_it_was_seen(
    spool: Spool, tmp_path: Path
):
    index = Index(path=tmp_path / "index/one.db", spool=spool, upload=True)
    await learnt(index, *(glance(each) for each in "abc"))
    await learnt(index, glance("b"), whole=False)
    await seen(spool, *(glance(each) for each in "abc"))
    assert set((await told(index)).values()) == {KEPT}
    await learnt(index, glance("b"))
    await seen(spool, *(glance(each) for each in "abc"))
    assert await told(index) == {"a": NOTHING, "b": KEPT, "c": NOTHING}


async def test_an_index_of_another_form_or_none_is_begun_anew(spool: Spool, tmp_path: Path):
    index = Index(path=tmp_path / "index/one.db", spool=spool, upload=True)
    index.path.parent.mkdir()
    with sqlite3.connect(index.path) as database:
        database.execute("CREATE TABLE files (path TEXT)")
    await seen(spool, glance("a"))
    assert await told(index) == {"a": NOTHING}
    await learnt(index, glance("a"))
    await seen(spool, glance("a"))
    assert await told(index) == {"a": KEPT}
    index.path.write_bytes(b"no database" * 1000)
    await seen(spool, glance("a"))
    assert await told(index) == {"a": NOTHING}
    assert not index.path.exists()


async def test_all_of_them_together_have_a_bound(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    one, other = (
        Index(path=tmp_path / f"index/{name}.db", spool=spool, upload=True) for name in "ab"
    )
    await learnt(one, glance("a"))
    monkeypatch.setattr(module, "MAX_BYTES", one.path.stat().st_size + 1)
    await learnt(other, glance("a"))
    assert [*other.path.parent.iterdir()] == [other.path]
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    await learnt(other, *(glance(each) for each in "bcd"), whole=False)
    await seen(spool, *(glance(each) for each in "abcd"))
    assert [*(await told(other)).values()].count(KEPT) == 2
