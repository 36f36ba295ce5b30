"""Servers as real processes over one database, killed at any moment: each slot is run once."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloudcopy.adapters.sql.schedule_reads import SqlScheduleReads
from cloudcopy.adapters.sql.schedules import MAX_RUNS
from cloudcopy.domain.order import TransferId
from cloudcopy.domain.schedule import CatchUp, Overlap, ScheduleId
from cloudcopy.ports.reads import TransferFilter
from tests.control.conftest import Plane
from tests.control.scheduling import timetable
from tests.journeys.stack import PATIENCE

SLOTS = 40  # that must have come
SPEED = 300  # times real time: five slots of a minute each second, and a grace of two seconds

# Runs what is due, again and again, by a clock that is SPEED times as fast as the machine's.
# Nothing has room to run here (limits of 0), so that a run which is cancelled has stopped at once.
SERVER = """
import asyncio, pathlib, sys, time
from datetime import UTC, datetime, timedelta
from functools import partial
from cloudcopy.adapters import system
from cloudcopy.adapters.bus.local import LocalBus
from cloudcopy.adapters.cron import read_cron
from cloudcopy.adapters.sql.database import open_database
from cloudcopy.adapters.sql.reads import SqlReads
from cloudcopy.adapters.sql.schedule_reads import SqlScheduleReads
from cloudcopy.adapters.sql.store import open_store
from cloudcopy.control import slots, transfers
from cloudcopy.domain.turns import Limits

begun, speed = float(sys.argv[2]), float(sys.argv[3])

def now():
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=(time.time() - begun) * speed)

async def main():
    async with open_database(pathlib.Path(sys.argv[1])) as database:
        desk = transfers.Desk(
            partial(open_store, database), SqlReads(database), LocalBus(), now,
            system.new_ulid, system.new_fence, Limits(account=0, connection=0, instance=0),
        )
        table = slots.Desk(desk, SqlScheduleReads(database), read_cron, lambda: None)
        while True:
            for id, error in await slots.run_due(desk=table):
                print(id, repr(error), flush=True)

asyncio.run(main())
"""


def started(path: Path, begun: float, out: Path) -> subprocess.Popen[bytes]:
    with out.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", SERVER, str(path), str(begun), str(SPEED)],
            stdout=file, stderr=file,
        )  # fmt: skip


async def more(reads: SqlScheduleReads, id: ScheduleId, *, than: int) -> int:
    """How many runs there are, once there are more."""
    async with asyncio.timeout(PATIENCE):
        while (found := len(await reads.runs(id, limit=MAX_RUNS))) <= than:  # noqa: ASYNC110 - others change it
            await asyncio.sleep(0.01)
    return found


async def test_servers_that_are_killed_run_each_slot_once_between_them(
    plane: Plane, tmp_path: Path
):
    table = await timetable(plane)
    id = await table.make("* * * * *", overlap=Overlap.CANCEL_OLD, catch_up=CatchUp.ALL)
    reads = table.desk.reads
    assert isinstance(reads, SqlScheduleReads)
    begun = datetime.now(UTC).timestamp()
    out = tmp_path / "out"
    servers = [started(tmp_path / "db", begun, out) for _ in range(2)]
    dice, kills = random.Random(7), 0
    try:
        seen = 0
        while seen < SLOTS:
            seen = await more(reads, id, than=seen + dice.randrange(4))
            victim = dice.randrange(2)
            assert servers[victim].poll() is None, out.read_text()
            os.kill(servers[victim].pid, signal.SIGKILL)
            servers[victim].wait()
            servers[victim] = started(tmp_path / "db", begun, out)
            kills += 1
    finally:
        for each in servers:
            each.kill()
            each.wait()
    assert kills >= 3
    assert "Unavailable" not in out.read_text()
    runs = [each.run for each in reversed(await reads.runs(id, limit=MAX_RUNS))]
    first = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    slots = [run.slot + timedelta(minutes=n) for run in runs for n in range(run.missed or 1)]
    assert slots == [first + timedelta(minutes=n) for n in range(len(slots))], "none is left out"
    ordered = [run.transfer for run in runs if run.transfer]
    made = await plane.reads.transfers(table.caller.account, TransferFilter(limit=10 * MAX_RUNS))
    assert sorted(each.transfer.id for each in made) == sorted(map(TransferId, ordered))
    assert len(ordered) == len(set(ordered)), "no two slots share a transfer"
    assert len(ordered) >= 5, "on a busy machine many are missed, but not all"
    assert (await table.get(id)).paused is None
