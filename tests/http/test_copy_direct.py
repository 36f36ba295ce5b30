"""Direct copies of the compatible API: every form of a side, and every refusal in words."""

from typing import Any

import pytest

from cloudcopy.control import cancels
from tests.http.conftest import Plane
from tests.http.test_refusals import refused

COPY = "/api/v0/commands/copy_direct/"
RSYNC = "/api/v0/commands/rsync/"


def up(plane: Plane, **changes: Any) -> dict[str, Any]:
    """A good copy from the instance to the connection, with changes."""
    body = {
        "client_id": "me",
        "src_id": f"C.{plane.instance}",
        "dst_id": f"s3.{plane.connection}",
        "src_path": "/workspace/run/",
        "dst_path": "/bucket/run",
    }
    return body | changes


def down(plane: Plane, **changes: Any) -> dict[str, Any]:
    """The same the other way."""
    body = {
        "client_id": "me",
        "src_id": f"s3.{plane.connection}",
        "dst_id": f"C.{plane.instance}",
        "src_path": "/bucket/run/",
        "dst_path": "/workspace/",
    }
    return body | changes


async def listed(plane: Plane) -> list[dict[str, Any]]:
    return list((await plane.ask("GET", "/v1/transfers")).json()["data"])


async def connect(plane: Plane, name: str, cloud_type: str = "s3") -> int:
    options = {
        "s3": {"access_key_id": "a", "secret_access_key": "b"},
        "b2": {"account": "a", "key": "b"},
    }
    body = {"name": name, "cloud_type": cloud_type, "parameters": options[cloud_type]}
    made = await plane.ask("POST", "/v1/connections?test=false", body)
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


async def test_it_is_an_ordinary_transfer_up(plane: Plane):
    reply = await plane.ask("PUT", COPY, up(plane))
    again = await plane.ask("PUT", COPY.rstrip("/"), up(plane))
    assert (reply.status_code, again.status_code) == (200, 200)
    body = reply.json()
    assert again.json() == body
    assert (body["success"], body["msg"]) == (True, "Cloud copy started.")
    (transfer,) = await listed(plane)
    assert body["result_url"].startswith(f"http://plane/api/v0/results/{transfer['id']}.")
    assert (transfer["direction"], transfer["instance"], transfer["connection"]) == (
        "instance_to_cloud",
        plane.instance,
        plane.connection,
    )
    assert (transfer["src"], transfer["dst"]) == ("/workspace/run", "bucket/run")


async def test_it_is_an_ordinary_transfer_down(plane: Plane):
    assert (await plane.ask("PUT", COPY, down(plane))).status_code == 200
    (transfer,) = await listed(plane)
    assert transfer["direction"] == "cloud_to_instance"
    assert (transfer["src"], transfer["dst"]) == ("bucket/run", "/workspace")


async def test_it_is_the_same_copy_as_that_of_the_other_route(plane: Plane):
    direct = (await plane.ask("PUT", COPY, up(plane))).json()
    cloud = (await plane.ask("POST", "/api/v0/commands/rclone/", plane.order())).json()
    assert direct["result_url"] == cloud["result_url"]
    assert len(await listed(plane)) == 1


async def test_every_form_of_a_side_is_read(plane: Plane):
    instance, connection = plane.instance, plane.connection
    for src in (instance, f"{instance}", f"C.{instance}", f"c.{instance}"):
        for dst in (f"s3.{connection}", f"S3.{connection}", "s3", "S3"):
            sent = up(plane, src_id=src, dst_id=dst)
            assert (await plane.ask("PUT", COPY, sent)).status_code == 200, sent
    (transfer,) = await listed(plane)
    assert (transfer["instance"], transfer["connection"]) == (instance, connection)


async def test_another_name_of_a_type_is_that_type(plane: Plane):
    b2 = await connect(plane, "cold", "b2")
    for id in ("backblaze", "b2", f"backblaze.{b2}"):
        assert (await plane.ask("PUT", COPY, up(plane, dst_id=id))).status_code == 200
    assert {each["connection"] for each in await listed(plane)} == {b2}


async def test_a_type_of_several_connections_is_refused_with_their_ids(plane: Plane):
    second = await connect(plane, "second")
    body = refused(await plane.ask("PUT", COPY, up(plane, dst_id="s3")), 400)
    assert body["error"] == "ambiguous_connection"
    assert f"s3.{second} (second), s3.{plane.connection} (store)" in body["msg"]


async def test_from_instance_to_instance_it_is_a_transfer_of_the_destination(plane: Plane):
    other = plane.instance + 1
    for src, dst in ((f"C.{plane.instance}", f"C.{other}"), (plane.instance, str(other))):
        body = up(plane, src_id=src, dst_id=dst, dst_path="/in")
        assert (await plane.ask("PUT", COPY, body)).status_code == 200
    (transfer,) = await listed(plane)
    assert (transfer["instance"], transfer["source_instance"]) == (other, plane.instance)
    assert (transfer["src"], transfer["dst"]) == ("/workspace/run", "/in")
    assert (transfer["cloud_type"], transfer["direction"]) == ("instance", "cloud_to_instance")
    shown = await plane.ask("GET", "/api/v0/users/cloud_integrations/")
    assert [each["cloud_type"] for each in shown.json()] == ["s3"]
    stopped = await plane.ask("DELETE", COPY, {"dst_id": f"C.{other}"})
    assert stopped.json()["msg"] == "1 copy is being stopped."


async def test_a_type_without_a_connection_is_refused_with_those_that_there_are(plane: Plane):
    body = refused(await plane.ask("PUT", COPY, up(plane, dst_id="drive")), 400)
    assert body["error"] == "no_such_connection"
    assert f"s3.{plane.connection} (store)" in body["msg"]


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"src_id": None}, "missing_src_id", "src_id: is missing"),
    ({"dst_id": ""}, "missing_dst_id", "dst_id: is missing"),
    ({"src_path": None}, "missing_src_path", "src_path"),
    ({"dst_path": 5}, "bad_dst_path", "string"),
    ({"src_path": "/a/../b"}, "bad_path", "src_path: '/a/../b' climbs"),
    ({"dst_path": ":local:/etc"}, "bad_path", "dst_path"),
    ({"dst_path": "/"}, "no_bucket", "BUCKET/path"),
    ({"src_id": "C.999"}, "no_such_instance", "src_id: Instance 999"),
    ({"src_id": 999}, "no_such_instance", "src_id: Instance 999"),
    ({"dst_id": "s3.9"}, "no_such_connection", "dst_id: Connection 9"),
    ({"dst_id": "drive.{connection}"}, "wrong_cloud_type", "s3.{connection}"),
    ({"src_id": "local"}, "local_not_served", "cloudcopy agent"),
    ({"dst_id": "local"}, "local_not_served", "cloudcopy agent"),
    ({"src_id": "V.5"}, "volume_not_served", "volumes are not served"),
    ({"dst_id": "v.5"}, "volume_not_served", "volumes are not served"),
    ({"src_id": "C.9", "dst_id": "C.{other}"}, "no_such_instance", "src_id: Instance 9"),
    ({"dst_id": "C.9"}, "no_such_instance", "dst_id: Instance 9"),
    ({"dst_id": "{instance}", "dst_path": "/workspace"}, "same_place", "one holds the other"),
    ({"src_id": "s3"}, "two_connections", "through an instance"),
    ({"src_id": "ftp.5"}, "bad_side", "s3"),
    ({"src_id": "C.x"}, "bad_side", "C.ID"),
    ({"src_id": "101.5"}, "bad_side", "C.ID"),
    ({"src_id": -1}, "bad_side", "C.ID"),
    ({"src_id": 2**80}, "bad_side", "C.ID"),
    ({"src_id": [1]}, "bad_side", "C.ID"),
    ({"src_id": True}, "bad_side", "C.ID"),
    ({"dst_id": "٣"}, "bad_side", "C.ID"),
]


async def test_what_cannot_be_done_is_400_in_words(plane: Plane):
    known = {
        "instance": plane.instance,
        "connection": plane.connection,
        "other": plane.instance + 1,
    }
    for changes, error, words in REFUSALS:
        sent = {k: v.format(**known) if isinstance(v, str) else v for k, v in changes.items()}
        body = refused(await plane.ask("PUT", COPY, up(plane, **sent)), 400)
        assert body["error"] == error, changes
        assert words.format(**known) in body["msg"]
    assert await listed(plane) == []


async def test_rsync_with_the_callers_own_machine_is_refused_with_what_to_do_instead(plane: Plane):
    for changes, field in (
        ({"src_id": None}, "src_id"),
        ({"dst_id": None}, "dst_id"),
        ({}, "dst_id"),
    ):
        body = refused(await plane.ask("PUT", RSYNC, up(plane, **changes)), 400)
        assert body["error"] == "local_not_served"
        assert body["msg"].startswith(f"{field}: names files on your own machine")
        assert "cloudcopy agent --server URL" in body["msg"]


async def test_a_key_is_needed(plane: Plane):
    for method, path, status in (("PUT", COPY, 200), ("DELETE", COPY, 200), ("PUT", RSYNC, 400)):
        refused(await plane.client.request(method, path, json=up(plane)), 401)
        keyed = {**up(plane, dst_id="s3"), "api_key": plane.key}
        assert (await plane.client.request(method, path, json=keyed)).status_code == status


async def test_a_cancel_stops_what_goes_into_its_place_and_nothing_else(plane: Plane):
    await plane.ask("PUT", COPY, up(plane))
    await plane.ask("PUT", COPY, down(plane))
    await plane.ask("PUT", COPY, down(plane, dst_id=f"C.{plane.instance + 1}"))
    await plane.ask("POST", "/v1/plans", plane.native(direction="cloud_to_instance"))

    async def stop(id: object) -> str:
        reply = await plane.ask("DELETE", COPY, {"client_id": "me", "dst_id": id})
        assert (reply.status_code, reply.json()["success"]) == (200, True)
        return str(reply.json()["msg"])

    async def live() -> set[tuple[str, str, int]]:
        found = [each for each in await listed(plane) if each["state"] == "queued"]
        return {(each["work"], each["direction"], each["instance"]) for each in found}

    assert await stop(f"C.{plane.instance}") == "1 copy is being stopped."
    plan = ("plan", "cloud_to_instance", plane.instance)
    below = ("transfer", "cloud_to_instance", plane.instance + 1)
    assert await live() == {plan, below, ("transfer", "instance_to_cloud", plane.instance)}
    assert await stop(f"{plane.instance}:/workspace") == "Nothing was running."
    assert await stop("s3") == "1 copy is being stopped."
    assert await live() == {plan, below}
    assert await stop(plane.instance + 1) == "1 copy is being stopped."
    assert await live() == {plan}


async def test_a_cancel_that_names_no_place_of_the_callers_is_refused(plane: Plane):
    for id, status, error in (
        (None, 400, "missing_dst_id"),
        ("C.999", 404, "no_such_instance"),
        ("s3.9", 400, "no_such_connection"),
        ("local", 400, "local_not_served"),
        ("V.1", 400, "volume_not_served"),
    ):
        reply = await plane.ask("DELETE", COPY, {"client_id": "me", "dst_id": id})
        assert refused(reply, status)["error"] == error


async def test_more_copies_than_a_page_are_all_stopped(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cancels, "_PAGE", 2)
    for number in range(5):
        body = down(plane, src_path=f"/bucket/{number}")
        assert (await plane.ask("PUT", COPY, body)).status_code == 200
    reply = await plane.ask("DELETE", COPY, {"dst_id": plane.instance})
    assert reply.json()["msg"] == "5 copies are being stopped."
