"""What an engine could not see, or did not come to, is never told as done, nor deleted."""

import json
import os
from pathlib import Path

import pytest

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.order import Mode, Work
from cloudcopy.ports.engine import Broken, Done, Partial
from tests.contracts.engines import ONE, UP, Bench, bench, engine, s3
from tests.contracts.test_engine_honesty import agreed, owned, stored
from tests.faults.faults import Call, Fault, Request
from tests.faults.proxy import fault_proxy

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE
LATER = (2_000_000_000, 2_000_000_000)


def only(bench: Bench) -> dict[str, Path]:
    """The files that the last copy left as failed."""
    path = bench.root.parent / "only.jsonl"
    failed = [each for each, row in bench.rows().items() if row.outcome is Outcome.FAILED]
    path.write_text("".join(f"{json.dumps(each)}\n" for each in failed))
    return {"only": path}


# Directories that may be listed but not entered


@pytest.mark.parametrize("mode", Mode)
async def test_a_directory_that_may_not_be_entered_has_no_plan(bench: Bench, mode: Mode):
    bench.write("data/a.txt")
    bench.write("data/ro/b.txt")
    await bench.copy(UP, "data", "run")
    owned(bench)
    (bench.root / "data/ro").chmod(0o444)
    end = await bench.copy(UP, "data", "run", asked={"work": Work.PLAN, "mode": mode})
    assert isinstance(end, Broken), end
    assert "the directory ro of the source could not be listed" in end.reason


async def test_a_directory_that_may_not_be_entered_is_no_success(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/ro/b.txt")
    owned(bench)
    (bench.root / "data/ro").chmod(0o444)
    copied = await bench.copy(UP, "data", "run")
    assert isinstance(copied, Partial), copied
    again = await bench.copy(UP, "data", "run", asked=only(bench))
    assert isinstance(again, Broken), again
    compared = await bench.copy(UP, "data", "run", asked={"work": Work.CHECK})
    assert isinstance(compared, Partial), compared
    (bench.root / "data/ro").chmod(0o755)
    mended = await bench.copy(UP, "data", "run")
    assert isinstance(mended, Done), mended
    assert bench.keys() == {"run/a.txt", "run/ro/b.txt"}


async def test_a_directory_that_closes_while_it_copies_is_brought_by_a_retry(bench: Bench):
    for name in ("a.txt", "z/x.txt"):
        bench.write(f"data/{name}", "old")
    await bench.copy(UP, "data", "run")
    for name in ("a.txt", "z/x.txt"):
        os.utime(bench.write(f"data/{name}", "new"), LATER)
    owned(bench)
    listed = 0

    def close(request: Request) -> Fault | None:
        """The second listing of the store is of the destination, while the source is listed."""
        nonlocal listed
        listed += request.call is Call.LIST
        if listed == 2:
            (bench.root / "data/z").chmod(0)
        return None

    with fault_proxy(bench.s3) as proxy:
        proxy.faults = close
        end = await bench.copy(UP, "data", "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Partial), end
    left = [row.outcome for path, row in bench.rows().items() if path.startswith("z/")]
    assert left == [Outcome.FAILED]  # the file, or what could not be listed
    (bench.root / "data/z").chmod(0o755)
    again = await bench.copy(UP, "data", "run", asked=only(bench))
    assert isinstance(again, Done), again
    assert stored(bench, ["a.txt", "z/x.txt"]) == {"a.txt": b"new", "z/x.txt": b"new"}


# Links


@pytest.mark.parametrize("flag", ["--include=*.txt", "--exclude=sub"])
async def test_a_link_that_a_filter_leaves_out_hides_what_is_behind_it_all_the_same(
    bench: Bench, flag: str
):
    bench.write("data/a.txt")
    bench.write("data/sub/b.txt")
    await bench.copy(UP, "data", "run")
    (bench.root / "data/sub").rename(bench.root / "elsewhere")
    (bench.root / "data/sub").symlink_to("../elsewhere")
    asked = await agreed(bench, flag)
    assert bench.rows()["sub/b.txt"].outcome is Outcome.KEPT
    end = await bench.copy(UP, "data", "run", flag, asked=asked)
    assert isinstance(end, Done), end
    assert bench.keys() == {"run/a.txt", "run/sub/b.txt"}


# Rules


async def test_a_plan_does_not_get_round_immutable(bench: Bench):
    bench.write("data/a.txt", "old")
    bench.write("data/extra.txt")
    await bench.copy(UP, "data", "run")
    bench.write("data/a.txt", "newer")
    (bench.root / "data/extra.txt").unlink()
    asked = await agreed(bench, "--immutable")
    end = await bench.copy(UP, "data", "run", "--immutable", asked=asked)
    assert isinstance(end, Partial | Broken), end
    rows = bench.rows()
    assert (rows["a.txt"].code, rows["extra.txt"].code) == ("immutable", "not_deleted")
    assert bench.keys() == {"run/a.txt", "run/extra.txt"}


@pytest.mark.parametrize("flag", ["--ignore-existing", "--update", "--size-only"])
async def test_a_file_that_is_tried_again_is_left_where_a_flag_says_so(bench: Bench, flag: str):
    bench.write("data/a.txt", "old")
    await bench.copy(UP, "data", "run")
    os.utime(bench.write("data/a.txt", "new"), (1, 1))
    path = bench.root.parent / "only.jsonl"
    path.write_text('"a.txt"\n')
    end = await bench.copy(UP, "data", "run", flag, asked={"only": path})
    assert isinstance(end, Done), end
    assert stored(bench, ["a.txt"]) == {"a.txt": b"old"}


async def test_what_a_limit_did_not_let_it_come_to_is_compared_and_not_read(bench: Bench):
    for number in range(10):
        bench.write(f"data/f{number}", os.urandom(100_000))
    await bench.copy(UP, "data", "run")
    for number in range(3):
        bench.write(f"data/f{number}", os.urandom(100_000 + number + 1))
    bench.forget()
    end = await bench.copy(UP, "data", "run", "--max-transfer=150k", "--transfers=1")
    assert isinstance(end, Partial), end
    result = end.result
    assert (result.unchanged, result.copied + result.failed) == (7, 3)
    assert (result.by_hash, result.by_size_only) == (result.copied, 7)
    assert {row.code for row in bench.rows().values() if row.outcome is Outcome.FAILED} <= {
        "max_transfer",
        "broken_off",
    }


# Names


async def test_a_name_that_reads_like_an_error_is_none(bench: Bench):
    bad = bench.write("data/a: ExpiredToken: x", "x")
    for number in range(5):
        bench.write(f"data/f{number}", "x")
    owned(bench)
    bad.chmod(0)
    end = await bench.copy(UP, "data", "run")
    assert isinstance(end, Partial), end
    assert (end.result.copied, end.result.failed) == (5, 1)
    assert bench.rows()["a: ExpiredToken: x"].code == "permission_denied"
    assert "1 of 6 files failed: a file or directory of the instance may not be read" in end.reason


async def test_two_files_that_look_the_same_are_not_taken_for_one(bench: Bench):
    bench.write("data/x\ufffd", "genuine")
    (bench.root / "data" / os.fsdecode(b"x\xff")).write_bytes(b"twin")
    for asked in ({}, None):
        end = await bench.copy(UP, "data", "run", asked=only(bench) if asked is None else asked)
        assert isinstance(end, Partial | Broken), end
        assert bench.rows()["x\ufffd"].code == "bad_name"


async def test_a_part_of_a_plan_is_not_carried_out_again(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/b.txt")
    asked = await agreed(bench)
    bench.write("part/a.txt")
    await bench.copy(UP, "part", "run")
    end = await bench.copy(UP, "data", "run", asked={**asked, "again": True})
    assert isinstance(end, Broken), end
    assert "a plan is carried out in one go" in end.reason
