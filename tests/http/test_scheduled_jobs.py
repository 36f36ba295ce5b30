"""The compatible API's scheduled jobs, as its clients use them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cloudcopy.control import slots
from cloudcopy.domain.schedule import Pause
from tests.http.conftest import Plane

JOBS = "/api/v0/commands/schedule_job/"
END = 4102444800.0


def job(plane: Plane, **changes: Any) -> dict[str, Any]:
    """What `vastai cloud copy --schedule DAILY --day "*" --hour 3` sends."""
    body = {
        "start_time": datetime(2026, 1, 1, tzinfo=UTC).timestamp(),
        "end_time": END,
        "api_endpoint": "/api/v0/commands/rclone/",
        "request_method": "POST",
        "request_body": plane.order(),
        "day_of_the_week": None,
        "hour_of_the_day": 3,
        "frequency": "DAILY",
        "instance_id": str(plane.instance),
    } | changes
    return {name: value for name, value in body.items() if value != "absent"}


async def jobs(plane: Plane) -> list[dict[str, Any]]:
    return list((await plane.ask("GET", JOBS)).json())


@pytest.mark.parametrize("path", [JOBS, JOBS.rstrip("/")])
async def test_a_job_is_made_and_listed_with_all_that_clients_read(plane: Plane, path: str):
    made = await plane.ask("POST", path, job(plane))
    assert made.status_code == 200
    id = made.json()["scheduled_job_id"]
    assert (made.json()["success"], type(id)) == (True, int)
    (shown,) = await jobs(plane)
    minute = shown.pop("min_of_the_hour")
    assert 0 <= minute <= 59
    assert shown == {
        "id": id,
        "instance_id": plane.instance,
        "api_endpoint": "/api/v0/commands/rclone/",
        "request_method": "POST",
        "request_body": plane.order(transfer="Instance To Cloud"),
        "start_time": datetime(2026, 1, 1, tzinfo=UTC).timestamp(),
        "end_time": END,
        "frequency": "DAILY",
        "day_of_the_week": None,
        "hour_of_the_day": 3,
        "paused": False,
    }
    assert (await plane.ask("GET", "/v1/transfers")).json()["data"] == []


async def test_a_start_in_the_past_runs_nothing_of_the_past(plane: Plane):
    long_ago = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    body = job(
        plane, start_time=long_ago, frequency="HOURLY", day_of_the_week=None, hour_of_the_day=None
    )
    assert (await plane.ask("POST", JOBS, body)).status_code == 200
    (native,) = (await plane.ask("GET", "/v1/schedules")).json()["data"]
    assert datetime.fromisoformat(native["next_at"]) > plane.services.now()


@pytest.mark.parametrize(
    ("frequency", "day", "hour", "cron"),
    [
        ("HOURLY", None, None, "* * * *"),
        ("daily", None, "7", "7 * * *"),
        ("WEEKLY", 0, 23, "23 * * 0"),
        ("WEEKLY", 6, 0, "0 * * 6"),
    ],
)
async def test_each_frequency_becomes_a_cron_line_in_utc(
    plane: Plane, frequency: str, day: object, hour: object, cron: str
):
    body = job(plane, frequency=frequency, day_of_the_week=day, hour_of_the_day=hour)
    assert (await plane.ask("POST", JOBS, body)).status_code == 200
    (native,) = (await plane.ask("GET", "/v1/schedules")).json()["data"]
    minute, _, rest = native["cron"].partition(" ")
    (shown,) = await jobs(plane)
    assert (int(minute), rest, native["zone"]) == (shown["min_of_the_hour"], cron, "UTC")
    assert shown["frequency"] == frequency.upper()


async def test_a_download_can_be_scheduled(plane: Plane):
    order = plane.order(transfer="Cloud To Instance", src="bucket/run", dst="/workspace")
    assert (await plane.ask("POST", JOBS, job(plane, request_body=order))).status_code == 200
    assert (await jobs(plane))[0]["request_body"] == order


async def test_a_key_in_the_copys_body_is_never_kept(plane: Plane):
    order = plane.order(api_key=plane.key)
    await plane.ask("POST", JOBS, job(plane, request_body=order))
    for path in (JOBS, "/v1/schedules"):
        assert plane.key not in (await plane.ask("GET", path)).text


async def test_the_same_copy_twice_is_422_with_the_number_of_the_first(plane: Plane):
    first = (await plane.ask("POST", JOBS, job(plane))).json()["scheduled_job_id"]
    again = await plane.ask("POST", JOBS, job(plane, hour_of_the_day=5))
    assert again.status_code == 422
    said = again.json()
    assert (said["success"], said["error"]) == (False, "schedule_exists")
    assert (type(said["scheduled_job_id"]), said["scheduled_job_id"]) == (int, first)
    assert f"Schedule {first} makes the same copy already." in said["msg"]
    elsewhere = job(plane, request_body=plane.order(dst="bucket/other"))
    assert (await plane.ask("POST", JOBS, elsewhere)).status_code == 200


BAD: list[tuple[dict[str, Any], str]] = [
    ({"frequency": None}, "missing_frequency"),
    ({"frequency": "MONTHLY"}, "bad_frequency"),
    ({"frequency": ["DAILY"]}, "bad_frequency"),
    ({"hour_of_the_day": 24}, "bad_hour_of_the_day"),
    ({"hour_of_the_day": -1}, "bad_hour_of_the_day"),
    ({"hour_of_the_day": True}, "bad_hour_of_the_day"),
    ({"hour_of_the_day": None}, "missing_hour_of_the_day"),
    ({"day_of_the_week": 1}, "bad_day_of_the_week"),
    ({"frequency": "WEEKLY", "day_of_the_week": 7}, "bad_day_of_the_week"),
    ({"frequency": "WEEKLY"}, "missing_day_of_the_week"),
    ({"frequency": "HOURLY"}, "bad_hour_of_the_day"),
    ({"start_time": "soon"}, "bad_start_time"),
    ({"start_time": -1}, "bad_start_time"),
    ({"start_time": float(10**300)}, "bad_start_time"),
    ({"end_time": {}}, "bad_end_time"),
    ({"start_time": END, "end_time": 0}, "invalid"),
    ({"start_time": 0, "end_time": 1}, "never_due"),
    ({"api_endpoint": "/api/v0/instances/reboot/101/"}, "not_schedulable"),
    ({"api_endpoint": None}, "missing_api_endpoint"),
    ({"request_method": "PUT"}, "not_schedulable"),
    ({"request_method": 7}, "bad_request_method"),
    ({"request_body": None}, "missing_request_body"),
    ({"request_body": "x"}, "bad_request_body"),
    ({"instance_id": "999"}, "instances_differ"),
    ({"instance_id": "x"}, "no_such_instance"),
]


async def test_everything_that_is_wrong_is_400_in_words(plane: Plane):
    for changes, code in BAD:
        refused = await plane.ask("POST", JOBS, job(plane, **changes))
        assert (refused.status_code, refused.json()["error"]) == (400, code), changes
        assert refused.json()["success"] is False
        assert refused.json()["msg"]
    assert await jobs(plane) == []


async def test_the_copy_is_checked_now_and_not_at_three_in_the_morning(plane: Plane):
    for changes, code in (
        ({"selected": "9"}, "no_such_connection"),
        ({"selected": "absent"}, "missing_selected"),
        ({"src": "/a/../.."}, "bad_path"),
        ({"dst": "/"}, "no_bucket"),
        ({"flags": ["--config=/etc/x"]}, "bad_flag"),
        ({"transfer": "sideways"}, "bad_transfer"),
    ):
        refused = await plane.ask("POST", JOBS, job(plane, request_body=plane.order(**changes)))
        assert (refused.status_code, refused.json()["error"]) == (400, code)


async def test_an_instance_that_is_not_there_is_400(plane: Plane):
    order = plane.order(instance_id="999")
    refused = await plane.ask("POST", JOBS, job(plane, request_body=order, instance_id="999"))
    assert (refused.status_code, refused.json()["error"]) == (400, "no_such_instance")


async def test_a_change_keeps_what_is_absent(plane: Plane):
    id = (await plane.ask("POST", JOBS, job(plane))).json()["scheduled_job_id"]
    (before,) = await jobs(plane)
    changed = await plane.ask("PUT", f"{JOBS}{id}", {"hour_of_the_day": 5})
    assert (changed.status_code, changed.json()["scheduled_job_id"]) == (200, id)
    (after,) = await jobs(plane)
    assert after == before | {"hour_of_the_day": 5}
    weekly = {"frequency": "WEEKLY", "day_of_the_week": 2, "end_time": END - 1}
    assert (await plane.ask("PUT", f"{JOBS}{id}/", weekly)).status_code == 200
    assert (await jobs(plane))[0] == after | weekly
    hourly = {"frequency": "HOURLY"}
    assert (await plane.ask("PUT", f"{JOBS}{id}/", hourly)).status_code == 200
    shown = (await jobs(plane))[0]
    assert (shown["day_of_the_week"], shown["hour_of_the_day"]) == (None, None)


async def test_a_change_with_the_whole_body_is_what_the_client_sends_after_a_422(plane: Plane):
    id = (await plane.ask("POST", JOBS, job(plane))).json()["scheduled_job_id"]
    whole = job(plane, hour_of_the_day=9, request_body=plane.order(flags=["--update"]))
    assert (await plane.ask("PUT", f"{JOBS}{id}/", whole)).status_code == 200
    (shown,) = await jobs(plane)
    assert (shown["hour_of_the_day"], shown["request_body"]["flags"]) == (9, ["--update"])


async def test_a_job_that_has_paused_itself_goes_on_when_it_is_changed(plane: Plane):
    id = (await plane.ask("POST", JOBS, job(plane))).json()["scheduled_job_id"]
    async with plane.services.open_store() as store:
        was = await store.schedules.get(id)
        why, now = "5 runs in a row failed", plane.services.now()
        await slots.pause(was, was, Pause.FAILURES, why, now=now, store=store)
    assert (await jobs(plane))[0]["paused"] is True
    assert (await plane.ask("PUT", f"{JOBS}{id}/", {"hour_of_the_day": 3})).status_code == 200
    assert (await jobs(plane))[0]["paused"] is False
    native = (await plane.ask("GET", f"/v1/schedules/{id}")).json()
    assert (native["state"], native["paused_why"]) == ("active", "")
    assert native["next_at"] is not None


async def test_a_change_into_another_job_is_422_and_changes_nothing(plane: Plane):
    first = (await plane.ask("POST", JOBS, job(plane))).json()["scheduled_job_id"]
    other = job(plane, request_body=plane.order(dst="bucket/other"))
    second = (await plane.ask("POST", JOBS, other)).json()["scheduled_job_id"]
    before = await jobs(plane)
    refused = await plane.ask("PUT", f"{JOBS}{second}/", {"request_body": plane.order()})
    assert (refused.status_code, refused.json()["scheduled_job_id"]) == (422, first)
    assert await jobs(plane) == before


BAD_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"hour_of_the_day": 99}, "bad_hour_of_the_day"),
    ({"day_of_the_week": 1}, "bad_day_of_the_week"),
    ({"frequency": "WEEKLY"}, "missing_day_of_the_week"),
    ({"instance_id": 999}, "instances_differ"),
    ({"api_endpoint": "/api/v0/asks/1/"}, "not_schedulable"),
    ({"end_time": 1}, "invalid"),
    ({"request_body": {}}, "missing_instance_id"),
]


async def test_a_bad_change_is_400_and_changes_nothing(plane: Plane):
    id = (await plane.ask("POST", JOBS, job(plane))).json()["scheduled_job_id"]
    before = await jobs(plane)
    for changes, code in BAD_CHANGES:
        refused = await plane.ask("PUT", f"{JOBS}{id}/", changes)
        assert (refused.status_code, refused.json()["error"]) == (400, code), changes
    assert await jobs(plane) == before


async def test_a_job_is_deleted_once_and_unknown_ones_are_404(plane: Plane):
    id = (await plane.ask("POST", JOBS, job(plane))).json()["scheduled_job_id"]
    gone = await plane.ask("DELETE", f"{JOBS}{id}/", {})
    assert gone.json() == {"success": True, "msg": f"Scheduled job {id} deleted."}
    assert await jobs(plane) == []
    for method, path in (("DELETE", f"{id}/"), ("PUT", f"{id}"), ("PUT", "x/"), ("DELETE", "-1")):
        refused = await plane.ask(method, JOBS + path, {})
        assert (refused.status_code, refused.json()["error"]) == (404, "no_such_schedule")


async def test_a_native_schedule_of_another_shape_is_listed_as_one_and_can_become_a_job(
    plane: Plane,
):
    body = plane.native(cron="*/5 * * * *", zone="Europe/Berlin")
    id = (await plane.ask("POST", "/v1/schedules", body)).json()["id"]
    (shown,) = await jobs(plane)
    assert (shown["frequency"], shown["min_of_the_hour"]) == ("CRON", None)
    daily = {"frequency": "DAILY", "hour_of_the_day": 1}
    assert (await plane.ask("PUT", f"{JOBS}{id}/", daily)).status_code == 200
    assert (await jobs(plane))[0]["frequency"] == "DAILY"
    assert (await plane.ask("GET", f"/v1/schedules/{id}")).json()["zone"] == "UTC"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_key_it_is_401_with_words(plane: Plane, method: str):
    refused = await plane.client.request(method, JOBS)
    assert refused.status_code == 401
    assert refused.json()["msg"].startswith("No API key was sent.")
