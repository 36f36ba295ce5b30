"""Every file of both sides in one scratch file, sorted, joined and marked."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudcopy.adapters.rclone.facts import pair
from cloudcopy.adapters.rclone.listing import Listed
from cloudcopy.adapters.rclone.spool import PAGE, Spool, open_spool
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.merkle import Tree
from cloudcopy.domain.tuning import LARGE, Sizes


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    async with open_spool(tmp_path / "spool.db") as opened:
        opened.kind = "md5"
        yield opened


def file(path: str, size: int = 1, time: str = "", **hashes: str) -> Listed:
    return Listed(path, size, time, hashes)


async def all_of(found: AsyncIterator) -> list:
    return [each async for page in found for each in page]


async def test_both_sides_come_side_by_side_sorted_by_code_point(spool: Spool):
    await spool.source(
        [file("b", 2, "t1", md5="aa", sha1="no"), file("\U0001f600"), file("\uffee")]
    )
    await spool.destination([file("b", 3, "t2"), file("a")], known_only=False)
    pairs = [pair(each, spool.kind) for each in await all_of(spool.facts())]
    assert [each.path for each in pairs] == ["a", "b", "\uffee", "\U0001f600"]
    assert (pairs[0].source, pairs[0].destination) == (None, file("a"))
    assert (pairs[1].source, pairs[1].destination) == (
        file("b", 2, "t1", md5="aa"),
        file("b", 3, "t2"),
    )
    assert (spool.found, spool.bytes_found, spool.there) == (3, 4, 2)


async def test_of_a_destination_only_what_the_source_has_is_kept(spool: Spool):
    await spool.source([file("a")])
    await spool.destination([file("a", 7), file("other")], known_only=True)
    facts = await all_of(spool.facts())
    assert [(each.path, each.there_size) for each in facts] == [("a", 7)]


async def test_the_source_afterwards_is_kept_beside_the_source_before(spool: Spool):
    await spool.source([file("grown", 1, "t1"), file("gone", 1, "t1")])
    await spool.again([file("grown", 2, "t2"), file("new", 5, "t3")])
    facts = {each.path: each for each in await all_of(spool.facts())}
    assert (facts["grown"].size, facts["grown"].later_size) == (1, 2)
    assert facts["gone"].later_size is None
    assert (facts["new"].size, facts["new"].later_size) == (None, 5)
    assert await spool.appeared() == 1
    assert await spool.count(Outcome.NEW) == 1


async def test_the_last_mark_stands_and_rounds_are_counted_once(spool: Spool):
    await spool.source([file("a")])
    failed = FileRow("a", Outcome.FAILED, -1, "connection_lost", "the connection was lost")
    await spool.mark([failed, failed], round=1)
    assert await spool.failures() == {"connection_lost": 1}
    assert await spool.retried() == 0
    assert await spool.remark(Outcome.FAILED, Outcome.NEW, codes=["other"]) == 0
    assert await spool.remark(Outcome.FAILED, Outcome.NEW, codes=["connection_lost"]) == 1
    await spool.mark([FileRow("a", Outcome.COPIED, 1)], round=2)
    assert await spool.failures() == {}
    assert await spool.retried() == 1
    (facts,) = await all_of(spool.facts([Outcome.COPIED]))
    assert (facts.tries, facts.marked()) == (2, FileRow("a", Outcome.COPIED, 1))


async def test_marking_while_going_through_it_loses_and_repeats_nothing(spool: Spool):
    names = [f"{number:06}" for number in range(PAGE * 2 + 10)]
    await spool.source([file(name) for name in names])
    seen = []
    async for page in spool.facts():
        seen += [each.path for each in page]
        await spool.mark(FileRow(each.path, Outcome.NEW, 1) for each in page)
    assert seen == names
    await spool.mark(FileRow(each, Outcome.UPDATE, 1) for each in names[::2])
    both = await all_of(spool.facts([Outcome.NEW, Outcome.UPDATE]))
    assert [each.path for each in both] == names


async def test_a_directory_is_known_by_what_lies_below_it(spool: Spool):
    await spool.source([file("a/b/c"), file("ab")])
    assert await spool.has_directory("a")
    assert await spool.has_directory("a/b")
    assert not await spool.has_directory("b")
    assert not await spool.has_directory("a/b/c")


async def test_digests_are_over_each_side_alone(spool: Spool):
    await spool.source([file("b", 2, "t"), file("a", 1, "t")])
    await spool.destination([file("c", 3, "t")], known_only=False)
    source, destination = Tree(), Tree()
    source.add("a", 1, "t", "")
    source.add("b", 2, "t", "")
    destination.add("c", 3, "t", "")
    assert await spool.digests() == (source.root(), destination.root())
    await spool.forget_destination()
    assert (await spool.digests())[1] == Tree().root()


async def test_what_becomes_of_a_file_and_what_was_left_out_are_in_the_digests(spool: Spool):
    await spool.source([file("a", 1, "t")])
    await spool.destination([file("c", 3, "t")], known_only=False)
    seen = [await spool.digests()]
    for row in (
        FileRow("link", Outcome.SKIPPED, -1, "symbolic_link", "symbolic link"),
        FileRow("a", Outcome.UPDATE, 1),
        FileRow("c", Outcome.DELETE, 3),
    ):
        await spool.mark([row])
        seen.append(await spool.digests())
    sources, destinations = zip(*seen, strict=True)
    assert len({*sources[:3]}) == 3
    assert sources[3] == sources[2]
    assert len({*destinations[:3]}) == 1
    assert destinations[3] != destinations[2]


async def test_what_is_to_be_deleted_stays_as_the_plan_saw_it(spool: Spool):
    await spool.destination([file("c", 3, "t"), file("d", 4, "t")], known_only=False)
    await spool.mark([FileRow("c", Outcome.DELETE, 3)])
    await spool.forget_destination()
    await spool.destination([file("c", 5, "u"), file("d", 6, "u")], known_only=True)
    facts = await all_of(spool.facts())
    there = {each.path: (each.there_size, each.there_time) for each in facts}
    assert there == {"c": (3, "t"), "d": (6, "u")}


async def test_sizes_are_of_all_files_or_of_those_marked_so(spool: Spool):
    await spool.source(
        [Listed("a", 3, "", {}), Listed("b", LARGE, "", {}), Listed("unknown", -1, "", {})]
    )
    await spool.mark([FileRow("a", Outcome.NEW, 3)])
    assert await spool.sizes() == Sizes(files=3, bytes=LARGE + 3, large=1, largest=LARGE)
    assert await spool.sizes([Outcome.NEW]) == Sizes(files=1, bytes=3, largest=3)
    assert await spool.sizes([Outcome.DELETE]) == Sizes()


async def test_no_cursor_leaves_its_thread_open(spool: Spool):
    cursor = await spool.do(lambda database: database.execute("SELECT 1"))
    assert await spool.do(lambda _: closed(cursor))  # in its own thread: else that is refused


def closed(cursor: sqlite3.Cursor) -> bool:
    try:
        cursor.fetchone()
    except sqlite3.ProgrammingError as error:
        return "closed" in str(error)
    return False
