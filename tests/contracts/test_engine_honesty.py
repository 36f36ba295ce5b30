"""No success that is none, and no deletion that no plan has shown: what engines got wrong once."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.order import Mode, Work
from cloudcopy.domain.progress import Progress, Verified
from cloudcopy.ports.engine import Broken, Done, Halted, Partial
from tests.contracts.engines import DOWN, ONE, UP, Bench, bench, engine, s3
from tests.faults import faults
from tests.faults.faults import Call, Fault, Request
from tests.faults.proxy import fault_proxy

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE
MIRROR = {"mode": Mode.MIRROR}
_OWNER = 4321


async def agreed(bench: Bench, *flags: str, **options: str) -> dict[str, object]:
    asked = {"work": Work.PLAN, **MIRROR}
    plan = await bench.copy(UP, "data", "run", *flags, asked=asked, **options)
    assert isinstance(plan, Done), plan
    digests = plan.result.digests
    return {**MIRROR, "agreed": (digests.source, digests.destination)}


def owned(bench: Bench) -> None:
    """Modes bind the copy: it is done as the user that the files belong to."""
    if os.geteuid() == 0:
        for each in (bench.root, *(bench.root / "data").rglob("*"), bench.root / "data"):
            os.chown(each, _OWNER, _OWNER, follow_symlinks=False)


def close(bench: Bench, directory: str) -> None:
    """Nobody but root may list it any more."""
    (bench.root / directory).chmod(0o000)
    owned(bench)


# Plans and mirrors


async def test_links_that_vanish_after_the_plan_let_nothing_be_deleted(bench: Bench):
    for number in range(9):
        bench.write(f"data/f{number}", "x")
    bench.write("data/a.txt", "a")
    await bench.copy(UP, "data", "run")
    for number in range(9):
        path = bench.root / f"data/f{number}"
        path.unlink()
        path.symlink_to("a.txt")
    asked = await agreed(bench)
    assert {row.outcome for path, row in bench.rows().items() if path != "a.txt"} == {
        Outcome.SKIPPED
    }
    for number in range(9):
        (bench.root / f"data/f{number}").unlink()
    before = bench.keys()
    end = await bench.copy(UP, "data", "run", asked=asked)
    assert isinstance(end, Broken), end
    assert "changed since the plan was made; nothing was done" in end.reason
    assert bench.keys() == before


async def test_content_that_changes_after_a_plan_by_checksum_is_not_copied_unlisted(bench: Bench):
    path = bench.write("data/a.txt", "one")
    bench.write("data/b.txt", "b")
    await bench.copy(UP, "data", "run")
    at = path.stat().st_mtime_ns
    asked = await agreed(bench, "--checksum")
    path.write_text("two")
    os.utime(path, ns=(at, at))
    end = await bench.copy(UP, "data", "run", "--checksum", asked=asked)
    assert isinstance(end, Broken), end
    assert "changed since the plan was made" in end.reason


async def test_a_plan_over_a_directory_that_cannot_be_listed_is_none(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/closed/b.txt")
    await bench.copy(UP, "data", "run")
    close(bench, "data/closed")
    bench.ledger.unlink()
    for mode in Mode:
        end = await bench.copy(UP, "data", "run", asked={"work": Work.PLAN, "mode": mode})
        assert isinstance(end, Broken), end
        assert "the directory closed of the source could not be listed" in end.reason
        assert not bench.ledger.exists()


async def test_a_check_does_not_call_extra_what_it_could_not_see_at_the_source(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/closed/b.txt")
    await bench.copy(UP, "data", "run")
    close(bench, "data/closed")
    end = await bench.copy(UP, "data", "run", asked={"work": Work.CHECK})
    assert isinstance(end, Partial), end
    rows = bench.rows()
    assert (rows["closed/b.txt"].outcome, rows["a.txt"].outcome) == (Outcome.UNREAD, Outcome.SAME)
    assert "1 directories could not be listed" in end.reason


async def test_what_lies_behind_a_link_at_the_source_is_never_deleted(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/sub/b.txt")
    bench.write("data/extra.txt")
    await bench.copy(UP, "data", "run")
    (bench.root / "data/extra.txt").unlink()
    (bench.root / "data/sub").rename(bench.root / "elsewhere")
    (bench.root / "data/sub").symlink_to("../elsewhere")
    asked = await agreed(bench)
    assert bench.rows()["sub/b.txt"].outcome is Outcome.KEPT
    end = await bench.copy(UP, "data", "run", asked=asked)
    assert isinstance(end, Done), end
    assert bench.keys() == {"run/a.txt", "run/sub/b.txt"}


@pytest.mark.parametrize("store", ["s3", "local"])
async def test_an_extra_that_was_overwritten_while_it_copied_is_not_deleted(
    bench: Bench, store: str, tmp_path: Path
):
    options = {"path": "shelf"} if store == "local" else {}
    bench.write("data/extra.txt", "old")
    bench.write("data/other.txt", "old")
    bench.write("more/extra.txt", "new")
    await bench.copy(UP, "data", "run", **options)
    for name in ("extra.txt", "other.txt"):
        (bench.root / "data" / name).unlink()
    bench.write("data/big.bin", os.urandom(4 << 20))
    asked = await agreed(bench, **options)
    end = None
    arrived = time.time()
    async for event in bench.events(UP, "data", "run", "--bwlimit=2M", asked=asked, **options):
        end = event
        if isinstance(event, Progress) and event.bytes_copied and arrived:
            overwrite(bench, options, tmp_path, not_in=int(arrived))
            arrived = 0
    assert isinstance(end, Partial), end
    rows = bench.rows()
    assert (rows["extra.txt"].outcome, rows["extra.txt"].code) == (
        Outcome.FAILED,
        "changed_since_plan",
    )
    assert rows["other.txt"].outcome is Outcome.DELETED
    assert "Make a new plan" in end.reason


def overwrite(bench: Bench, options: dict[str, str], tmp_path: Path, *, not_in: int) -> None:
    """Another program brings another `extra.txt` of the same size, not in that second."""
    while int(time.time()) == not_in:
        pass
    if options:
        (tmp_path / "stores/shelf" / bench.prefix / "run/extra.txt").write_text("new")
        return
    bucket, _, key = bench.place("run/extra.txt").partition("/")
    with bench.s3.client() as client:
        client.put_object(Bucket=bucket, Key=key, Body=b"new")


# Attempts that were cut short


async def test_an_attempt_that_was_cut_while_it_listed_leaves_no_ledger(bench: Bench):
    for number in range(30):
        bench.write(f"data/d{number}/a.txt", "x")
    await bench.copy(UP, "data", "run")
    bench.ledger.unlink()
    stop = asyncio.Event()
    listed = 0

    def slow(request: Request) -> Fault | None:
        nonlocal listed
        if request.call is Call.LIST and "delimiter" not in request.target:
            return faults.INTERNAL  # all of it in one answer would be no cut
        listed += request.call is Call.LIST
        if listed > 12:
            stop.set()
            return faults.Break.STALL
        return None

    with fault_proxy(bench.s3) as proxy:
        proxy.faults = slow
        events = bench.events(DOWN, "back", "run", stop=stop, endpoint=proxy.store.endpoint)
        end = [event async for event in events][-1]
    assert isinstance(end, Halted), end
    assert end.result.found < 30
    assert not bench.ledger.exists()


async def test_a_file_nobody_came_to_is_not_unchanged_because_its_size_is_the_same(bench: Bench):
    names = [f"f{number:02}.txt" for number in range(40)]
    for name in names:
        bench.write(f"data/{name}", "old")
    await bench.copy(UP, "data", "run")
    for name in names:
        bench.write(f"data/{name}", "new")
        os.utime(bench.root / "data" / name, (2_000_000_000, 2_000_000_000))
    with fault_proxy(bench.s3) as proxy:
        proxy.faults = faults.Between(6, faults.EXPIRED, calls=frozenset({Call.PUT}))
        end = await bench.copy(UP, "data", "run", endpoint=proxy.store.endpoint)
    assert isinstance(end, Partial | Broken), end
    stale = {name for name, content in stored(bench, names).items() if content == b"old"}
    assert stale
    rows = bench.rows()
    assert {name for name in names if rows[name].outcome is Outcome.FAILED} >= stale


async def test_one_closed_directory_does_not_make_the_rest_unproven(bench: Bench):
    for name in ("a.txt", "b.txt", "closed/c.txt"):
        bench.write(f"data/{name}", name)
    await bench.copy(UP, "data", "run")
    close(bench, "data/closed")
    end = await bench.copy(UP, "data", "run")
    assert isinstance(end, Partial), end
    assert {path: row.outcome for path, row in bench.rows().items()} == {
        "a.txt": Outcome.UNCHANGED,
        "b.txt": Outcome.UNCHANGED,
        "closed/": Outcome.FAILED,
    }


# Proof


@pytest.mark.parametrize("again", [False, True])
async def test_what_an_earlier_try_may_have_sent_is_proven_by_hash(bench: Bench, again: bool):
    bench.write("data/a.txt", "a")
    bench.write("data/b.txt", "b")
    await bench.copy(UP, "data", "run")
    bench.write("data/c.txt", "c")
    bench.forget()
    end = await bench.copy(UP, "data", "run", asked={"again": again})
    assert isinstance(end, Done), end
    found = {path: row.verified for path, row in bench.rows().items()}
    unsent = Verified.HASH if again else Verified.SIZE
    assert found == {"a.txt": unsent, "b.txt": unsent, "c.txt": Verified.HASH}
    counts = (end.result.by_hash, end.result.by_size_only)
    assert counts == ((3, 0) if again else (1, 2))
    said = "; verified by md5" if again else "; verified 1 by md5, 2 by size only"
    assert end.result.summary.endswith(said)


async def test_other_content_of_the_same_size_and_time_is_found_when_it_goes_on(bench: Bench):
    bench.write("data/a.txt", "a")
    path = bench.write("data/b.txt", "b")
    await bench.copy(UP, "data", "run")
    at = path.stat().st_mtime_ns
    path.write_text("x")
    os.utime(path, ns=(at, at))
    end = await bench.copy(UP, "data", "run", asked={"again": True})
    assert isinstance(end, Partial), end
    assert bench.rows()["b.txt"].code == "not_updated"


# Names


async def test_a_deletion_that_is_refused_is_a_failure(bench: Bench):
    bench.write("data/a.txt")
    bench.write("data/extra.txt")
    await bench.copy(UP, "data", "run")
    (bench.root / "data/extra.txt").unlink()
    with fault_proxy(bench.s3) as proxy:
        endpoint = proxy.store.endpoint
        asked = await agreed(bench, endpoint=endpoint)
        proxy.faults = faults.always(faults.DENIED, {Call.DELETE})
        end = await bench.copy(UP, "data", "run", asked=asked, endpoint=endpoint)
    assert isinstance(end, Partial), end
    assert (end.result.deleted, end.result.failed) == (0, 1)
    assert bench.rows()["extra.txt"].code == "access_denied"


@pytest.mark.parametrize("name", [b"bad-\xff.txt", "quoted-\u201b.txt".encode()])
async def test_a_name_that_cannot_be_asked_for_is_told_as_that(bench: Bench, name: bytes):
    bench.write("data/good.txt", "good")
    (bench.root / "data" / os.fsdecode(name)).write_bytes(b"bad")
    end = await bench.copy(UP, "data", "run")
    assert isinstance(end, Partial), end
    row = next(row for path, row in bench.rows().items() if path != "good.txt")
    assert (row.outcome, row.code) == (Outcome.FAILED, "bad_name"), row
    assert "Rename it" in end.reason
    assert bench.rows()["good.txt"].verified is Verified.HASH


async def test_a_key_with_a_control_character_is_told_as_a_bad_name(bench: Bench):
    bucket, _, key = bench.place("run/").partition("/")
    with bench.s3.client() as client:
        for name in ("good.txt", "tab\there\x01.txt"):
            client.put_object(Bucket=bucket, Key=f"{key}{name}", Body=b"x")
    end = await bench.copy(DOWN, "back", "run")
    assert isinstance(end, Partial), end
    assert [path.name for path in (bench.root / "back").iterdir()] == ["good.txt"]
    assert {row.code for path, row in bench.rows().items() if path != "good.txt"} == {"bad_name"}
    assert (end.result.copied, end.result.failed) == (1, 1)


async def test_a_name_that_really_has_the_sign_for_a_bad_byte_is_a_name(bench: Bench):
    bench.write("data/good-\ufffd.txt", "good")
    end = await bench.copy(UP, "data", "run")
    assert isinstance(end, Done), end
    assert json.dumps([*bench.rows()]) == '["good-\\ufffd.txt"]'


def stored(bench: Bench, names: list[str]) -> dict[str, bytes]:
    bucket, _, prefix = bench.place("run").partition("/")
    with bench.s3.client() as client:
        return {
            name: client.get_object(Bucket=bucket, Key=f"{prefix}/{name}")["Body"].read()
            for name in names
        }
