"""`client.schedules`."""

from datetime import UTC, datetime

import pytest

from cloudcopy import sdk
from cloudcopy.sdk import Client
from cloudcopy.wire import v1
from tests.sdk import views
from tests.sdk.scripted import Answer, Scripted, ok, problem

ONE = "/v1/schedules/5"


async def test_a_schedule_is_made_with_all_that_was_asked_for(server: Scripted, client: Client):
    server.on("POST", "/v1/schedules", ok(views.schedule(), 201))
    made = await client.schedules.create(
        instance="here",
        connection="my-s3",
        direction="cloud_to_instance",
        src="bucket/data",
        dst="/data",
        cron="0 3 * * *",
        zone="Europe/Berlin",
        end_at=datetime(2027, 1, 1, tzinfo=UTC),
        overlap="queue",
    )
    assert made == views.schedule()
    assert server.seen[0].body == {
        "instance": "here",
        "connection": "my-s3",
        "source_instance": None,
        "direction": "cloud_to_instance",
        "src": "bucket/data",
        "dst": "/data",
        "flags": [],
        "compare": None,
        "cron": "0 3 * * *",
        "zone": "Europe/Berlin",
        "start_at": None,
        "end_at": "2027-01-01T00:00:00Z",
        "overlap": "queue",
        "catch_up": "none",
        "jitter_seconds": 0,
        "pause_after": 5,
        "verify": "hash",
        "bwlimit": "",
    }


async def test_making_one_is_not_tried_twice_when_it_may_have_been_made(
    server: Scripted, client: Client
):
    server.on("POST", "/v1/schedules", problem(502, "bad_gateway", "No."))
    order = {"instance": 7, "connection": 101, "src": "/a", "dst": "b/c", "cron": "0 3 * * *"}
    with pytest.raises(sdk.Unavailable):
        await client.schedules.create(direction="instance_to_cloud", **order)
    assert len(server.seen) == 1


async def test_schedules_are_listed_shown_and_changed(server: Scripted, client: Client):
    server.on("GET", "/v1/schedules", ok(v1.SchedulePage(data=[views.schedule()])))
    server.on("GET", ONE, ok(views.schedule(runs=[views.run()])))
    server.on("PATCH", ONE, ok(views.schedule(cron="5 4 * * *")))
    assert await client.schedules.list() == [views.schedule()]
    assert (await client.schedules.get(5)).runs == [views.run()]
    bound = datetime(2027, 1, 1, tzinfo=UTC)
    wish = {"cron": "5 4 * * *", "end_at": None, "start_at": bound}
    assert (await client.schedules.change(5, wish)).cron == "5 4 * * *"
    assert server.bodies("PATCH", ONE) == [{**wish, "start_at": "2027-01-01T00:00:00+00:00"}]


async def test_they_are_paused_resumed_run_and_deleted(server: Scripted, client: Client):
    server.on("POST", f"{ONE}/pause", ok(views.schedule(state="paused")))
    server.on("POST", f"{ONE}/resume", ok(views.schedule()))
    busy = problem(409, "schedule_running", "It runs.")
    server.on("POST", f"{ONE}/run", ok(views.run(manual=True), 202), busy)
    server.on("DELETE", ONE, Answer(204))
    assert (await client.schedules.pause(5)).state == "paused"
    assert (await client.schedules.resume(5)).state == "active"
    assert (await client.schedules.run(5)).transfer == "t_1"
    with pytest.raises(sdk.Conflict, match="It runs"):
        await client.schedules.run(5)
    await client.schedules.delete(5)
