"""Schedules: what is asked for and what is shown."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from cloudcopy.wire.v1.shape import Body, View
from cloudcopy.wire.v1.transfers import (
    DirectionName,
    LevelName,
    Sides,
    StateName,
    VerifyName,
)

OverlapName = Literal["skip", "queue", "cancel_old"]
CatchUpName = Literal["none", "once", "all"]
ScheduleStateName = Literal["active", "paused", "ended"]
RunOutcomeName = Literal["accepted", "waiting", "skipped", "missed", "refused"]

_CRON = "Five fields: minute, hour, day of the month, month, day of the week (0 is Sunday)."
_ZONE = "The IANA name of the time zone whose clocks the cron line reads."
_OVERLAP = (
    "When a slot comes while an earlier run is live: skip it, queue it until that has ended, or "
    "cancel that one and run this one once it has stopped."
)
_CATCH_UP = (
    "Slots that nobody was there to run within 10 minutes: none is run, one stands for all, or "
    "each is run, 24 at most, one after the other."
)
_JITTER = "Run each slot up to so many seconds later, at most 3600; the same for the same slot."
_PAUSE_AFTER = "Pause after so many equal failures in a row, at most 100; 0 is never."


class NewSchedule(Sides):
    """Copy what is inside `src` into `dst`, again and again."""

    cron: str = Field(description=_CRON)
    zone: str = Field(default="UTC", description=_ZONE)
    start_at: AwareDatetime | None = Field(default=None, description="No run before.")
    end_at: AwareDatetime | None = Field(default=None, description="No run after.")
    overlap: OverlapName = Field(default="skip", description=_OVERLAP)
    catch_up: CatchUpName = Field(default="none", description=_CATCH_UP)
    jitter_seconds: int = Field(default=0, description=_JITTER)
    pause_after: int = Field(default=5, description=_PAUSE_AFTER)
    verify: VerifyName = "hash"
    bwlimit: str = ""


class ChangeSchedule(Body):
    """What is absent stays. Null takes a start or an end away."""

    cron: str | None = Field(default=None, description=_CRON)
    zone: str | None = Field(default=None, description=_ZONE)
    start_at: AwareDatetime | None = None
    end_at: AwareDatetime | None = None
    overlap: OverlapName | None = Field(default=None, description=_OVERLAP)
    catch_up: CatchUpName | None = Field(default=None, description=_CATCH_UP)
    jitter_seconds: int | None = Field(default=None, description=_JITTER)
    pause_after: int | None = Field(default=None, description=_PAUSE_AFTER)
    verify: VerifyName | None = None
    bwlimit: str | None = None


class RunView(View):
    """What became of one slot. `at` is when that was decided."""

    slot: datetime
    manual: bool
    outcome: RunOutcomeName
    reason: str = Field(description="Why there is no transfer.")
    missed: int = Field(description="How many slots, from this one on, were missed and not run.")
    at: datetime
    transfer: str | None
    state: StateName | None = Field(description="The transfer's.")
    ended_at: datetime | None
    failure: str = Field(description="What it failed of; equal for equal failures.")


class ScheduleView(View):
    """`next_runs` and `runs` are there for one schedule, and empty in a list."""

    id: int
    state: ScheduleStateName
    instance: int
    instance_label: str
    connection: int
    connection_name: str
    cloud_type: str
    direction: DirectionName
    src: str
    dst: str
    flags: list[str]
    compare: LevelName
    verify: VerifyName
    bwlimit: str
    cron: str
    zone: str
    start_at: datetime | None
    end_at: datetime | None
    overlap: OverlapName
    catch_up: CatchUpName
    jitter_seconds: int
    pause_after: int
    created_at: datetime
    paused_why: str
    next_at: datetime | None = Field(description="The next slot, without its jitter.")
    last_success: datetime | None = Field(description="When its last good run ended.")
    overdue: bool = Field(description="Two slots have come since the last success, or the start.")
    next_runs: list[datetime] = Field(default=[], description="The next five slots.")
    runs: list[RunView] = Field(default=[], description="The last 30, the latest first.")


class SchedulePage(View):
    data: list[ScheduleView]
    next_cursor: str | None = None
