"""Schedules: copies that are made again and again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from cloudcopy.sdk.calls import Calls
from cloudcopy.sdk.pages import Listing, pages
from cloudcopy.wire.v1 import (
    CatchUpName,
    DirectionName,
    LevelName,
    NewSchedule,
    OverlapName,
    RunView,
    SchedulePage,
    ScheduleView,
    VerifyName,
)


class Schedules:
    """`client.schedules`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def create(
        self,
        *,
        instance: int | str,
        connection: int | str | None = None,
        source_instance: int | str | None = None,
        direction: DirectionName | None = None,
        src: str,
        dst: str,
        cron: str,
        zone: str = "UTC",
        start_at: datetime | None = None,
        end_at: datetime | None = None,
        overlap: OverlapName = "skip",
        catch_up: CatchUpName = "none",
        jitter_seconds: int = 0,
        pause_after: int = 5,
        flags: Sequence[str] = (),
        compare: LevelName | None = None,
        verify: VerifyName = "hash",
        bwlimit: str = "",
    ) -> ScheduleView:
        """Copy what is inside `src` into `dst` at the times of a cron line.

        Args:
            connection: The cloud's side; `direction` says which side that is.
            source_instance: Instead of both, another instance: `src` is there.
            cron: Five fields, read on the clocks of `zone`, an IANA name.
            start_at, end_at: Aware; no run before or after.
            overlap: What becomes of a slot that comes while an earlier run is live.
            catch_up: What becomes of slots that no server was there to run.
            jitter_seconds: Run each slot up to so much later.
            pause_after: Pause after so many equal failures in a row; 0 is never.
        """
        body = NewSchedule(
            instance=instance,
            connection=connection,
            source_instance=source_instance,
            direction=direction,
            src=src,
            dst=dst,
            flags=[*flags],
            compare=compare,
            cron=cron,
            zone=zone,
            start_at=start_at,
            end_at=end_at,
            overlap=overlap,
            catch_up=catch_up,
            jitter_seconds=jitter_seconds,
            pause_after=pause_after,
            verify=verify,
            bwlimit=bwlimit,
        )
        return await self._calls.post(
            "/v1/schedules", ScheduleView, body=body.model_dump(mode="json")
        )

    def list(self) -> Listing[ScheduleView]:
        """All of them, newest first, without their runs."""
        return Listing(pages(partial(self._calls.get, "/v1/schedules", SchedulePage), {}))

    async def get(self, id: int) -> ScheduleView:
        """One with its next five slots and its last thirty runs."""
        return await self._calls.get(_path(id), ScheduleView)

    async def change(self, id: int, changes: Mapping[str, Any]) -> ScheduleView:
        """Change some of ``cron``, ``zone``, ``start_at``, ``end_at``, ``overlap``, ``catch_up``,
        ``jitter_seconds``, ``pause_after``, ``verify`` and ``bwlimit``; None takes a start or an
        end away. What is left out stays."""
        body = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in changes.items()
        }
        return await self._calls.patch(_path(id), ScheduleView, body=body)

    async def pause(self, id: int) -> ScheduleView:
        """Run no slot until `resume`. A transfer that runs goes on."""
        return await self._calls.post(f"{_path(id)}/pause", ScheduleView, repeatable=True)

    async def resume(self, id: int) -> ScheduleView:
        """Go on with the next slot; its failures are forgotten."""
        return await self._calls.post(f"{_path(id)}/resume", ScheduleView, repeatable=True)

    async def run(self, id: int) -> RunView:
        """Run it once, now, also while it is paused. Wait for it with
        ``client.transfers.wait(run.transfer)``.

        Raises:
            Conflict: ``schedule_running``: an earlier run is live, and overlaps are skipped.
        """
        return await self._calls.post(f"{_path(id)}/run", RunView)

    async def delete(self, id: int) -> None:
        """Forget it and its history. Transfers that it made stay, and go on."""
        await self._calls.delete(_path(id))


def _path(id: int) -> str:
    return f"/v1/schedules/{id:d}"
