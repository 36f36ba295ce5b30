"""What a ledger adds up to, and how it is written."""

from pathlib import Path

from cloudcopy.adapters.rclone.account import Account, account
from cloudcopy.adapters.rclone.facts import Facts
from cloudcopy.adapters.rclone.listing import Listed
from cloudcopy.adapters.rclone.spool import open_spool
from cloudcopy.domain.ledger import FileRow, Outcome
from cloudcopy.domain.merkle import Tree
from cloudcopy.domain.progress import MAX_GROUPS, MAX_SAMPLES, Verified
from cloudcopy.wire import ledger as wire


def facts(path: str, size: int = 1) -> Facts:
    return Facts(path, size, *[None] * 13, 0)  # type: ignore[arg-type]


def failed(path: str, code: str) -> FileRow:
    return FileRow(path, Outcome.FAILED, 1, code, f"why {code}")


def test_errors_are_grouped_by_kind_commonest_first_with_the_first_names():
    sums = Account()
    for number in range(8):
        sums.add(facts(f"a{number}"), failed(f"a{number}", "access_denied"))
    sums.add(facts("b"), failed("b", "disk_full"))
    denied, full = sums.errors
    assert (denied.code, denied.count, full.code, full.count) == (
        "access_denied",
        8,
        "disk_full",
        1,
    )
    assert denied.samples == ("a0", "a1", "a2", "a3", "a4")
    assert len(denied.samples) == MAX_SAMPLES
    assert denied.cure.startswith("Give them read")
    assert sums.wrong == 9


def test_groups_are_bounded_however_many_kinds_there_are():
    sums = Account()
    for number in range(50):
        sums.add(facts(f"{number:02}"), failed(f"{number:02}", f"code_{number}"))
    assert len(sums.errors) == MAX_GROUPS
    assert sums.wrong == 50


def test_the_digest_is_over_what_arrived_and_nothing_else():
    sums, tree = Account(), Tree()
    sums.add(facts("a", 5), FileRow("a", Outcome.COPIED, 5, hash="ff", verified=Verified.HASH))
    sums.add(facts("b"), failed("b", "error"))
    sums.add(facts("c", 7), FileRow("c", Outcome.UNCHANGED, 7, verified=Verified.SIZE))
    tree.add("a", 5, "ff")
    tree.add("c", 7, "")
    assert (sums.arrived.root(), len(sums.arrived)) == (tree.root(), 2)
    assert (sums.hashed, sums.sized, sums.sent_by_size, sums.bytes_verified) == (1, 1, 0, 12)


async def test_the_ledger_is_written_in_chunks_of_sorted_rows_with_their_lengths(tmp_path: Path):
    count = wire.ROWS + 5
    async with open_spool(tmp_path / "spool.db") as spool:
        names = [f"{number:05}" for number in range(count)]
        await spool.source([Listed(name, 1, "", {}) for name in reversed(names)])

        def judge(each: Facts) -> FileRow:
            return FileRow(each.path, Outcome.COPIED, 1, why="x" * 9000)

        sums = await account(spool, judge, tmp_path / "ledger")
    assert sums.files[Outcome.COPIED] == count
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600
    data, chunks = (tmp_path / "ledger").read_bytes(), []
    while data:
        size = int.from_bytes(data[:4], "big")
        chunks.append(wire.rows(data[4 : 4 + size]))
        data = data[4 + size :]
    rows = [row for chunk in chunks for row in chunk]
    assert [row.path for row in rows] == names
    assert len(chunks) > 1
    assert max(len(row.why) for row in rows) == 500


async def test_an_empty_ledger_is_a_file_without_chunks(tmp_path: Path):
    async with open_spool(tmp_path / "spool.db") as spool:
        await account(spool, lambda each: each.marked(), tmp_path / "ledger")
    assert (tmp_path / "ledger").read_bytes() == b""
