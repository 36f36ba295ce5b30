"""Scheduled copies made, shown, changed and deleted by the public client."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.compat.client import Answer, Vastai
from tests.compat.place import Place, Up

INSERTED = "add_scheduled_job insert: "
DAILY = ("--schedule", "DAILY", "--day", "*", "--hour", "3")


@pytest.fixture(autouse=True)
def nothing_scheduled(up: Up) -> Iterator[None]:
    yield
    for each in up.api.ok("GET", "/v1/schedules")["data"]:
        up.api.ok("DELETE", f"/v1/schedules/{each['id']}")


def jobs(up: Up) -> list[dict[str, Any]]:
    return list(up.api.ok("GET", "/api/v0/commands/schedule_job/"))


def said(answer: Answer) -> str:
    """The client's last line about the job."""
    return next(line for line in reversed(answer.out.splitlines()) if line)


def test_a_copy_is_scheduled_shown_run_and_deleted(vastai: Vastai, place: Place, up: Up):
    place.write({"a.txt": b"hello\n"})
    answer = place.cloud_copy(vastai, *DAILY)
    assert (answer.code, answer.err) == (0, "")
    assert said(answer).startswith(f"{INSERTED}success - Scheduling DAILY job to cloud copy from ")
    assert "Started" not in answer.out
    assert place.objects() == {}, "it is not to copy at once"

    [job] = vastai.raw("show", "scheduled-jobs")
    assert (job["frequency"], job["hour_of_the_day"], job["day_of_the_week"]) == ("DAILY", 3, None)
    assert job["request_body"] == place.order(flags=[])
    [row] = [row for row in vastai("show", "scheduled-jobs").rows if row[1:2] == [str(job["id"])]]
    assert row[2:4] == [str(place.instance), "/api/v0/commands/rclone/"]
    assert row[-4:] == ["Everyday", "3_AM", f"{job['min_of_the_hour']:02}", "DAILY"]

    run = up.api.ok("POST", f"/v1/schedules/{job['id']}/run")
    up.api.wait(run["transfer"], "succeeded")
    assert place.objects() == {"a.txt": b"hello\n"}

    gone = vastai("delete", "scheduled-job", str(job["id"]))
    told = f"{{'success': True, 'msg': 'Scheduled job {job['id']} deleted.'}}\n"
    assert (gone.code, gone.out, gone.err) == (0, told, "")
    assert vastai.raw("show", "scheduled-jobs") == []


def test_the_same_copy_again_asks_and_then_changes_the_job(vastai: Vastai, place: Place, up: Up):
    place.cloud_copy(vastai, *DAILY)
    [job] = jobs(up)
    again = ("--schedule", "WEEKLY", "--day", "1", "--hour", "5")
    options = {"src": place.src, "dst": place.remote, "instance": place.instance}
    options |= {"connection": up.connection, "transfer": "Instance To Cloud"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]

    refused = vastai("cloud", "copy", *words, *again, typed="n\n")
    assert "Existing scheduled job found." in refused.out
    assert said(refused).endswith("Job update aborted by the user.")
    assert jobs(up) == [job]

    changed = vastai("cloud", "copy", *words, *again, typed="y\n")
    assert (changed.code, changed.err) == (0, "")
    assert "add_scheduled_job update: success - Scheduling WEEKLY job" in changed.out
    [now] = jobs(up)
    assert now["id"] == job["id"]
    assert (now["frequency"], now["day_of_the_week"], now["hour_of_the_day"]) == ("WEEKLY", 1, 5)
    assert now["min_of_the_hour"] == job["min_of_the_hour"]


def test_a_refusal_is_printed_and_nothing_is_kept(vastai: Vastai, place: Place, up: Up):
    hourly = ("--schedule", "HOURLY", "--day", "*", "--hour", "*")
    answer = place.cloud_copy(vastai, *hourly, connection=9)
    assert said(answer).startswith(f"{INSERTED}failed error: 400. Response body: ")
    assert "Connection 9 is not yours or does not exist." in answer.out
    unknown = vastai("delete", "scheduled-job", "999")
    assert unknown.err.startswith("Failed with error 404: Schedule 999 is not yours")
    keyless = vastai.with_key(None)("show", "scheduled-jobs")
    assert keyless.err.startswith("Failed with error 401: No API key was sent.")
    assert jobs(up) == []


def test_towards_the_instance_the_client_leaves_the_schedule_out(
    vastai: Vastai, place: Place, up: Up
):
    place.put({"b.txt": b"down\n"})
    down = {"src": place.remote, "dst": place.src, "transfer": "Cloud To Instance"}
    answer = place.cloud_copy(vastai, *DAILY, **down)
    assert "Cloud Copy Started" in answer.out
    assert jobs(up) == []
    vastai.settled(place.instance)


def test_the_sdk_schedules_both_directions_and_changes_a_part(vastai: Vastai, place: Place, up: Up):
    down = place.order(src=place.remote, dst=place.src, transfer="Cloud To Instance", flags=[])
    new = {
        "start_time": 0.0,
        "end_time": 4102444800.0,
        "api_endpoint": "/api/v0/commands/rclone/",
        "request_method": "POST",
        "request_body": down,
        "frequency": "WEEKLY",
        "instance_id": place.instance,
        "day_of_the_week": 0,
        "hour_of_the_day": 23,
    }
    [made, again, refused] = vastai.sdk(
        ("create_scheduled_job", new),
        ("create_scheduled_job", new),
        ("create_scheduled_job", {**new, "api_endpoint": "/api/v0/instances/reboot/1/"}),
    )
    id = made["scheduled_job_id"]
    assert (again["status"], again["scheduled_job_id"]) == (422, id)
    assert (refused["status"], refused["error"]) == (400, "not_schedulable")
    change = {"id": id, "request_body": down, "hour_of_the_day": 4}
    [changed, shown, gone, left] = vastai.sdk(
        ("update_scheduled_job", change),
        ("show_scheduled_jobs", {}),
        ("delete_scheduled_job", {"id": id}),
        ("show_scheduled_jobs", {}),
    )
    assert changed["success"] is True
    assert [(each["id"], each["hour_of_the_day"], each["day_of_the_week"]) for each in shown] == [
        (id, 4, 0)
    ]
    assert (gone["success"], left) == (True, [])
