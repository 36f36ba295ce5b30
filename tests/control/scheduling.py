"""A control plane of the use-case tests that also runs schedules."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cloudcopy.adapters.cron import read_cron
from cloudcopy.adapters.sql.schedule_reads import SqlScheduleReads
from cloudcopy.control import keys, schedules, slots
from cloudcopy.domain.keys import Caller, Key
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.schedule import Schedule, ScheduleId, Terms, Timing
from cloudcopy.domain.transfer import Transfer
from cloudcopy.ports.schedules import RunSeen
from tests.control.conftest import Plane

HOUR = timedelta(hours=1)


@dataclass
class Timetable:
    """Schedules of one plane, whose clock the tests move; its account has one real key."""

    plane: Plane
    desk: slots.Desk
    key: Key
    keys: keys.Desk
    rung: list[str] = field(default_factory=list)

    @property
    def caller(self) -> Caller:
        return Caller(AccountId(1), self.key.id)

    async def make(self, cron: str = "0 * * * *", **changes) -> ScheduleId:
        known = {
            name: changes.pop(name)
            for name in ("zone", "start_at", "end_at", "jitter_seconds")
            if name in changes
        }
        order = changes.pop("order", None) or self.plane.order()
        wish = schedules.Wish(
            order=order,
            timing=Timing(cron=cron, **known),
            identity=changes.pop("identity", None),
            terms=Terms(**changes),
        )  # fmt: skip
        return (await schedules.create(wish, caller=self.caller, desk=self.desk)).id

    async def at(self, moment: datetime) -> None:
        """Put the clock there and run what is due."""
        self.plane.time = moment
        assert await slots.run_due(desk=self.desk) == []

    async def runs(self, id: ScheduleId) -> list[RunSeen]:
        """The oldest first."""
        return [*reversed(await schedules.history(id, caller=self.caller, desk=self.desk))]

    async def outcomes(self, id: ScheduleId) -> list[tuple[int, str]]:
        """Each run's hour of the day and what became of it, the oldest first."""
        return [(each.run.slot.hour, each.run.outcome.value) for each in await self.runs(id)]

    async def transfers(self, id: ScheduleId) -> list[Transfer]:
        found = [each.run.transfer for each in await self.runs(id) if each.run.transfer]
        reads = self.plane.reads
        return [(await reads.transfer(each, account=None)).transfer for each in found]

    async def end(self, id: ScheduleId, kind: str = "succeeded", reason: str = "") -> None:
        """Let its latest transfer end."""
        transfer = (await self.transfers(id))[-1]
        assert await self.plane.report(transfer, kind, reason=reason) is not None

    async def get(self, id: ScheduleId) -> Schedule:
        return (await self.standing(id)).seen.schedule

    async def standing(self, id: ScheduleId) -> schedules.Standing:
        return await schedules.one(id, caller=self.caller, desk=self.desk)


async def timetable(plane: Plane) -> Timetable:
    key_desk = keys.Desk(plane.open_store, plane.reads, plane.vault, plane.now)
    key, _ = await keys.create("scheduler", account=AccountId(1), desk=key_desk)
    rung: list[str] = []
    database = plane.reads._database
    desk = slots.Desk(
        plane.transfers, SqlScheduleReads(database), read_cron, lambda: rung.append("rung")
    )
    return Timetable(plane, desk, key, key_desk, rung)


def second_server(table: Timetable, **changes) -> slots.Desk:
    """Another server's desk over the same store."""
    return replace(table.desk, **changes)
