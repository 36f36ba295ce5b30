"""Schedules in the native API, and what a monitoring system sees of them."""

from datetime import UTC, datetime

from sqlalchemy import insert

from cloudcopy.adapters.sql.tables import accounts
from cloudcopy.control import keys, slots
from cloudcopy.domain.machine import AccountId
from cloudcopy.domain.order import TransferId
from tests.http.conftest import Plane

NIGHTLY = {"cron": "0 3 * * *", "zone": "Europe/Berlin"}


async def made(plane: Plane, **changes) -> dict:
    reply = await plane.ask("POST", "/v1/schedules", plane.native(**NIGHTLY | changes))
    assert reply.status_code == 201, reply.text
    assert reply.headers["Location"] == f"/v1/schedules/{reply.json()['id']}"
    return reply.json()


async def test_a_schedule_is_made_shown_and_deleted(plane: Plane):
    one = await made(plane, flags=["--update"], bwlimit="10M", jitter_seconds=60)
    expected = {
        "state": "active",
        "cron": "0 3 * * *",
        "zone": "Europe/Berlin",
        "src": "/workspace/run",
        "dst": "bucket/run",
        "flags": ["--update"],
        "bwlimit": "10M",
    }
    assert {name: one[name] for name in expected} == expected
    assert (one["overlap"], one["catch_up"], one["pause_after"]) == ("skip", "none", 5)
    assert (one["overdue"], one["last_success"], one["runs"]) == (False, None, [])
    assert len(one["next_runs"]) == 5
    assert one["next_runs"][0] == one["next_at"]
    assert datetime.fromisoformat(one["next_at"]) > plane.services.now()
    path = f"/v1/schedules/{one['id']}"
    assert (await plane.ask("GET", path)).json() == one
    listed = (await plane.ask("GET", "/v1/schedules")).json()
    assert listed["data"] == [one | {"next_runs": []}]
    assert (await plane.ask("DELETE", path)).status_code == 204
    gone = await plane.ask("GET", path)
    assert (gone.status_code, gone.json()["code"]) == (404, "no_such_schedule")


async def test_what_is_wrong_is_422_and_names_the_field(plane: Plane):
    for changes, code, field in (
        ({"cron": "never"}, "bad_cron", "cron"),
        ({"zone": "Mars/Olympus"}, "bad_zone", "zone"),
        ({"overlap": "maybe"}, "invalid", "overlap"),
        ({"jitter_seconds": 4000}, "invalid", "jitter_seconds"),
        ({"pause_after": -1}, "invalid", "pause_after"),
        ({"start_at": "2030-01-01T00:00:00"}, "invalid", "start_at"),
        ({"end_at": "2020-01-01T00:00:00Z"}, "never_due", "end_at"),
        ({"end_at": "9999-01-01T00:00:00Z"}, "invalid", "end_at"),
        ({"src": "/a/../.."}, "bad_path", "src"),
        ({"bwlimit": "fast"}, "bad_bwlimit", "bwlimit"),
        ({"mode": "mirror"}, "invalid", "mode"),
    ):
        refused = await plane.ask("POST", "/v1/schedules", plane.native(**NIGHTLY | changes))
        assert (refused.status_code, refused.json()["code"]) == (422, code), changes
        assert field in refused.json()["detail"]
    missing = await plane.ask("POST", "/v1/schedules", plane.native(cron="0 3 * * *", instance=999))
    assert missing.status_code == 404
    assert (await plane.ask("GET", "/v1/schedules")).json()["data"] == []


async def test_a_change_keeps_what_is_absent_and_null_takes_a_bound_away(plane: Plane):
    one = await made(plane, end_at="2090-01-01T00:00:00Z", overlap="queue")
    path = f"/v1/schedules/{one['id']}"
    changed = await plane.ask(
        "PATCH", path, {"cron": "30 4 * * *", "end_at": None, "verify": "size"}
    )
    assert changed.status_code == 200
    now = changed.json()
    assert (now["cron"], now["end_at"], now["verify"]) == ("30 4 * * *", None, "size")
    assert (now["zone"], now["overlap"], now["src"]) == (one["zone"], "queue", one["src"])
    assert now["next_at"] != one["next_at"]
    for body in ({"cron": "x"}, {"src": "/other"}, {"pause_after": 1000}):
        assert (await plane.ask("PATCH", path, body)).status_code == 422
    assert (await plane.ask("GET", path)).json() == now


async def test_it_is_paused_resumed_and_run_by_hand(plane: Plane):
    path = f"/v1/schedules/{(await made(plane))['id']}"
    paused = (await plane.ask("POST", f"{path}/pause")).json()
    assert (paused["state"], paused["next_at"], paused["next_runs"]) == ("paused", None, [])
    assert paused["paused_why"] == "Paused by its owner."
    ran = await plane.ask("POST", f"{path}/run")
    assert (ran.status_code, ran.json()["manual"]) == (202, True)
    again = await plane.ask("POST", f"{path}/run")
    assert (again.status_code, again.json()["code"]) == (409, "schedule_running")
    await plane.report("succeeded")
    resumed = (await plane.ask("POST", f"{path}/resume")).json()
    assert resumed["state"] == "active"
    assert resumed["last_success"] is not None
    [run] = resumed["runs"]
    assert (run["transfer"], run["state"], run["failure"]) == (
        ran.json()["transfer"], "succeeded", "",
    )  # fmt: skip


async def test_each_account_sees_its_own_schedules_and_series(plane: Plane):
    one = await made(plane)
    await plane.ask("POST", f"/v1/schedules/{one['id']}/run")
    await plane.report("succeeded")
    database = plane.services.schedules.reads._database
    async with database.write() as connection:
        await connection.execute(insert(accounts).values(id=2, name="other"))
    _, other = await keys.create("x", account=AccountId(2), desk=plane.services.keys)
    theirs = {"Authorization": f"Bearer {other}"}
    assert (await plane.ask("GET", "/v1/schedules", headers=theirs)).json()["data"] == []

    told = await plane.ask("GET", "/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = dict(line.rsplit(" ", 1) for line in told.text.splitlines() if line[0] != "#")
    label = f'{{schedule="{one["id"]}"}}'
    seen = await plane.services.schedules.reads.one(one["id"], account=AccountId(1))
    assert seen.last_success is not None
    success = float(lines[f"cloudcopy_schedule_last_success_timestamp_seconds{label}"])
    assert success == seen.last_success.timestamp()
    assert float(lines[f"cloudcopy_schedule_overdue{label}"]) == 0
    assert float(lines[f"cloudcopy_schedule_paused{label}"]) == 0
    next_slot = float(lines[f"cloudcopy_schedule_next_slot_timestamp_seconds{label}"])
    assert next_slot == datetime.fromisoformat(one["next_at"]).timestamp()
    assert "schedule=" not in (await plane.ask("GET", "/metrics", headers=theirs)).text
    assert (await plane.client.get("/metrics")).status_code == 401


async def test_an_overdue_schedule_is_shown_and_measured(plane: Plane):
    one = await made(plane, cron="* * * * *")
    later = plane.services.now().timestamp() + 3600
    object.__setattr__(plane.services.transfers, "now", lambda: datetime.fromtimestamp(later, UTC))
    assert (await plane.ask("GET", f"/v1/schedules/{one['id']}")).json()["overdue"] is True
    assert f'overdue{{schedule="{one["id"]}"}} 1.0' in (await plane.ask("GET", "/metrics")).text


async def test_the_loop_runs_what_is_due(plane: Plane):
    """One pass of what the server's loop does, with the clock where the slot is."""
    one = await made(plane, cron="* * * * *")
    slot = datetime.fromisoformat(one["next_at"])
    object.__setattr__(plane.services.transfers, "now", lambda: slot)
    assert await slots.run_due(desk=plane.services.schedules) == []
    [run] = (await plane.ask("GET", f"/v1/schedules/{one['id']}")).json()["runs"]
    assert (datetime.fromisoformat(run["slot"]), run["outcome"]) == (slot, "accepted")
    found = await plane.services.reads.transfer(TransferId(run["transfer"]), account=None)
    assert found.transfer.created_at == slot
