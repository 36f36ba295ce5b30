"""Parts of a copy: files that are named, what a stop leaves, and limits that change meanwhile."""

import asyncio
import json
import os
from pathlib import Path

from structlog.testing import capture_logs

from cloudcopy.domain.ledger import Outcome
from cloudcopy.domain.progress import Phase, Progress, Verified
from cloudcopy.ports.engine import Broken, Done, Halted, Partial
from tests.contracts.engines import DOWN, ONE, UP, Bench, bench, engine, s3

__all__ = ["bench", "engine", "s3"]  # fixtures

pytestmark = ONE


def names(bench: Bench, *wanted: str) -> dict[str, Path]:
    path = bench.root.parent / "only.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in wanted))
    return {"only": path}


async def test_only_the_files_that_are_named_are_copied_and_accounted_for(bench: Bench):
    odd = "with\nnewline"
    for name in ("a.txt", "deep/b.txt", "deep/c.txt", " blank .txt", "#x;[1]*.txt", odd):
        bench.write(f"data/{name}", name)
    wanted = ("a.txt", "deep/b.txt", " blank .txt", "#x;[1]*.txt", odd)
    end = await bench.copy(UP, "data", "run", asked=names(bench, *wanted))
    assert isinstance(end, Done), end
    assert bench.keys("run/") == {f"run/{each}" for each in wanted}
    assert {each.outcome for each in bench.rows().values()} == {Outcome.COPIED}
    assert (end.result.found, end.result.copied, end.result.verified) == (5, 5, Verified.HASH)
    down = await bench.copy(DOWN, "back", "run", asked=names(bench, *wanted))
    assert isinstance(down, Done), down
    assert (bench.root / "back" / odd).read_text() == odd
    again = await bench.copy(DOWN, "back", "run", asked=names(bench, *wanted))
    assert (again.result.copied, again.result.unchanged) == (0, 5)


async def test_a_named_file_that_is_gone_has_failed_and_a_named_directory_is_all_below_it(
    bench: Bench,
):
    bench.write("data/deep/b.txt")
    bench.write("data/deep/er/c.txt")
    bench.write("data/other.txt")
    end = await bench.copy(UP, "data", "run", asked=names(bench, "gone.txt", "deep/"))
    assert isinstance(end, Partial), end
    rows = bench.rows()
    assert (rows["gone.txt"].outcome, rows["gone.txt"].code) == (Outcome.FAILED, "source_vanished")
    assert {path for path, row in rows.items() if row.outcome is Outcome.COPIED} == {
        "deep/b.txt",
        "deep/er/c.txt",
    }


async def test_filters_do_not_touch_what_is_named(bench: Bench):
    bench.write("data/a.tmp")
    end = await bench.copy(UP, "data", "run", "--exclude=*.tmp", asked=names(bench, "a.tmp"))
    assert isinstance(end, Done), end
    assert bench.keys() == {"run/a.tmp"}


async def test_a_stop_leaves_a_ledger_of_what_was_sent_and_what_was_not(bench: Bench):
    bench.write("data/a.txt", "x")
    bench.write("data/big.bin", os.urandom(16 << 20))
    stop = asyncio.Event()
    last = None
    async for event in bench.events(UP, "data", "run", "--bwlimit=4M", stop=stop):
        last = event
        if isinstance(event, Progress) and event.bytes_copied and event.copied:
            stop.set()
    assert isinstance(last, Halted), last
    rows = bench.rows()
    assert (rows["a.txt"].outcome, rows["a.txt"].verified) == (Outcome.COPIED, Verified.NOTHING)
    assert (rows["big.bin"].outcome, rows["big.bin"].code) == (Outcome.FAILED, "stopped")
    assert (last.result.copied, last.result.failed, last.result.found) == (1, 1, 2)
    rest = await bench.copy(UP, "data", "run", asked=names(bench, "big.bin"))
    assert isinstance(rest, Done), rest


async def test_a_limit_that_changes_while_it_runs_takes_effect(bench: Bench):
    bench.write("data/big.bin", os.urandom(16 << 20))
    limits = [64 << 10]  # at which it would take minutes
    last = None
    async for event in bench.events(UP, "data", "run", asked={"pace": lambda: limits[-1]}):
        last = event
        if isinstance(event, Progress) and event.bytes_copied:
            limits.append(0)
    assert isinstance(last, Done), last
    assert (len(limits) > 1, last.result.bytes_copied) == (True, 16 << 20)


async def test_the_numbers_say_what_was_found_and_what_is_in_flight(bench: Bench):
    bench.write("data/a.txt", "x")
    bench.write("data/big.bin", os.urandom(8 << 20))
    seen = [
        event
        async for event in bench.events(UP, "data", "run", "--bwlimit=3M")
        if isinstance(event, Progress) and event.phase is Phase.TRANSFERRING
    ]
    last = seen[-1]
    assert (last.found, last.bytes_found, last.to_copy) == (2, (8 << 20) + 1, 2)
    assert last.bytes_to_copy == (8 << 20) + 1
    flying = [each for event in seen for each in event.current]
    assert ("big.bin", 8 << 20) in {(each.name, each.size) for each in flying}
    assert any(event.rate > 0 and event.eta_seconds is not None for event in seen)


async def test_an_agent_that_cannot_write_its_own_files_says_so(bench: Bench):
    bench.write("data/a.txt")
    bench.ledger.symlink_to(bench.root / "no/such/directory")
    with capture_logs() as logs:
        end = await bench.copy(UP, "data", "run")
    assert isinstance(end, Broken), end
    assert "the agent could not write its own files" in end.reason
    (told,) = [each for each in logs if each["event"] == "own files failed"]
    assert (told["log_level"], told["kind"]) == ("warning", "FileNotFoundError")
    assert str(bench.ledger) in told["error"]
    assert not bench.ledger.is_symlink()
