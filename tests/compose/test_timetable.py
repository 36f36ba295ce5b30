"""The loop that runs schedules, over a real control plane."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudcopy.compose import timetable
from cloudcopy.domain.errors import Unavailable
from cloudcopy.domain.schedule import NextAfter
from cloudcopy.ports.clock import Clock
from tests.http.conftest import Plane, plane

__all__ = ["plane"]  # the fixture of the HTTP tests, as it is

SLOT = datetime(2031, 1, 1, tzinfo=UTC)
PATIENCE = 30.0  # seconds that a condition may take on a busy machine


@pytest.fixture
async def kept(plane: Plane) -> AsyncIterator[None]:
    """The loop at work; it has nothing to do at first, and sleeps."""
    task = asyncio.create_task(timetable.keep(plane.services))
    yield
    assert not task.done()
    task.cancel()


async def first_run(plane: Plane, id: int) -> dict[str, Any]:
    """The schedule's first run, once there is one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = (await plane.ask("GET", f"/v1/schedules/{id}")).json()["runs"]
            if found:
                return dict(found[-1])
            await asyncio.sleep(0.01)


def clock(plane: Plane, now: Clock) -> None:
    object.__setattr__(plane.services.transfers, "now", now)


async def test_it_wakes_for_a_new_schedule_and_sleeps_until_its_slot(plane: Plane, kept: None):
    real = plane.services.now
    ahead = SLOT - timedelta(milliseconds=300) - real()
    clock(plane, lambda: real() + ahead)
    asked = plane.native(cron="0 0 1 1 *")
    id = (await plane.ask("POST", "/v1/schedules", asked)).json()["id"]
    run = await first_run(plane, id)
    assert (datetime.fromisoformat(run["slot"]), run["outcome"]) == (SLOT, "accepted")
    late = datetime.fromisoformat(run["at"]) - SLOT
    assert timedelta() <= late < timetable.LONGEST_SLEEP / 2


async def test_a_defect_in_one_schedule_does_not_end_it(plane: Plane, kept: None):
    read = plane.services.schedules.read_cron
    defects = []

    def broken(cron: str, zone: str) -> NextAfter:
        if zone == "Asia/Tokyo" and defects:
            defects.append(zone)
            raise RuntimeError("a defect")
        return read(cron, zone)

    object.__setattr__(plane.services.schedules, "read_cron", broken)
    clock(plane, lambda: SLOT - timedelta(seconds=1))
    bad = plane.native(cron="* * * * *", zone="Asia/Tokyo")
    assert (await plane.ask("POST", "/v1/schedules", bad)).status_code == 201
    good = plane.native(cron="* * * * *")
    id = (await plane.ask("POST", "/v1/schedules", good)).json()["id"]
    defects.append("from now on")
    clock(plane, lambda: SLOT)
    plane.services.schedules.wake()
    assert (await first_run(plane, id))["outcome"] == "accepted"
    assert len(defects) > 1


class Broken(dict[str, type[Exception]]):
    """What reading a cron line in a zone raises, by zone."""

    def into(self, plane: Plane) -> None:
        read = plane.services.schedules.read_cron

        def reading(cron: str, zone: str) -> NextAfter:
            if zone in self:
                raise self[zone]("cannot be read now")
            return read(cron, zone)

        object.__setattr__(plane.services.schedules, "read_cron", reading)


@pytest.mark.parametrize(
    ("defect", "sleep"),
    [(RuntimeError, timedelta(seconds=7)), (Unavailable, timetable.BUSY_SLEEP)],
)
async def test_one_that_cannot_be_run_delays_no_other(
    plane: Plane, defect: type[Exception], sleep: timedelta
):
    broken = Broken()
    broken.into(plane)
    clock(plane, lambda: SLOT - timedelta(minutes=2))
    bad = plane.native(cron="* * * * *", zone="Asia/Tokyo")
    assert (await plane.ask("POST", "/v1/schedules", bad)).status_code == 201
    good = plane.native(cron="0 0 1 1 *")
    assert (await plane.ask("POST", "/v1/schedules", good)).status_code == 201
    broken["Asia/Tokyo"] = defect
    clock(plane, lambda: SLOT - timedelta(seconds=7))
    assert await timetable._once(plane.services.schedules) == sleep


async def test_a_database_that_is_busy_is_tried_again_soon(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
):
    async def busy(self: object, now: datetime) -> list[int]:
        raise Unavailable("the database is locked")

    monkeypatch.setattr(type(plane.services.schedules.reads), "due", busy)
    assert await timetable._once(plane.services.schedules) == timetable.BUSY_SLEEP


async def test_an_alarm_that_was_rung_before_it_is_waited_for_is_kept_once():
    alarm = timetable.Alarm()
    alarm()
    alarm()
    async with asyncio.timeout(PATIENCE):
        await alarm.wait(timedelta(hours=1))
        await alarm.wait(timedelta(milliseconds=1))
