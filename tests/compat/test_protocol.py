"""The compatible API seen by a program that sends bytes: what clients of any age rely on."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.compat.bare import Bare
from tests.compat.place import Place, Up

COPY = "/api/v0/commands/rclone/"
READS = [
    "/api/v0/users/current/",
    "/api/v0/users/cloud_integrations/",
    "/api/v0/instances/",
    "/api/v0/instances/filters/",
    "/api/v0/ssh/",
    "/api/v0/auth/apikeys/",
    "/api/v0/commands/schedule_job/",
    "/api/v0/instances/{id}/",
    "/api/v1/instances/",
    "/api/v0/gpu_names/unique/",
    "/api/v0/gpu_types/",
]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def bare(up: Up) -> Iterator[Bare]:
    made = Bare(up.api.url)
    yield made
    made.close()


def filled(path: str, up: Up) -> str:
    ids = {"id": up.ids["third"], "instance_id": up.ids["third"], "ask_id": 9, "key_id": 9}
    ids["job_id"] = 9
    return path.format(**ids, token="t_none.0")


@pytest.mark.parametrize("path", READS)
def test_what_can_be_read_is_the_same_with_and_without_the_slash(bare: Bare, up: Up, path: str):
    slashed = bare("GET", filled(path, up), key=up.api.key)
    bald = bare("GET", filled(path, up).rstrip("/"), key=up.api.key)
    assert (slashed.status, slashed.kind) == (200, "application/json")
    assert (bald.status, bald.json) == (200, slashed.json)


def test_no_route_and_no_method_ever_redirects_or_breaks(bare: Bare, up: Up):
    document = bare("GET", "/openapi.json").json["paths"]
    paths = [filled(path, up) for path in document if path.startswith("/api/")]
    assert COPY in paths
    for path in [*paths, "/api/v0/nothing/at/all/"]:
        for form in (path, path.rstrip("/")):
            for method in METHODS:
                reply = bare(method, form, key=up.api.key)
                what = (method, form, reply)
                assert reply.status in {200, 400, 404, 405}, what
                assert "location" not in reply.headers, what
                if reply.status != 200 and method != "HEAD":
                    assert reply.json["success"] is False, what
                    assert reply.json["msg"], what


def test_head_has_no_body_and_keeps_the_connection_in_step(bare: Bare, up: Up):
    for path in (*READS, COPY, "/api/v0/nothing/"):
        head = bare("HEAD", filled(path, up), key=up.api.key)
        assert head.body == b""
        get = bare("GET", filled(path, up), key=up.api.key)
        assert head.status in {get.status, 405}


def test_what_a_path_allows_is_told_whole(bare: Bare, up: Up):
    document = bare("GET", "/openapi.json").json["paths"]
    for path, operations in document.items():
        if not path.startswith("/api/"):
            continue
        reply = bare("OPTIONS", filled(path, up), key=up.api.key)
        allowed = {each.strip() for each in reply.headers["allow"].split(",")}
        assert allowed >= {each.upper() for each in operations}, path


def test_older_clients_send_the_key_in_the_query_alone(bare: Bare, place: Place, up: Up):
    key = f"?api_key={up.api.key}"
    user = bare("GET", f"/api/v0/users/current{key}").json
    assert user["api_key"] is None  # they take it out before they print, so it must be there
    every = bare("GET", f"/api/v0/instances{key}&owner=me").json["instances"]
    assert {each["id"] for each in every} == set(up.ids.values())
    one = bare("GET", f"/api/v0/instances/{place.instance}/{key}&owner=me").json["instances"]
    assert (one["id"], one["extra_env"]) == (place.instance, [])
    place.write({"a": b"a"})
    order = place.order()
    assert "flags" not in order  # the oldest do not send them
    started = bare("POST", f"{COPY}{key}", order)
    assert (started.status, set(started.json)) == (200, {"success", "msg", "result_url"})
    assert up.api.wait(up.transfers()[0]["id"])["state"] == "succeeded"
    assert place.objects() == {"a": b"a"}
    stopped = bare("DELETE", f"{COPY}{key}", {"client_id": "me", "dst_id": str(place.instance)})
    assert (stopped.status, stopped.json["success"]) == (200, True)


def test_the_key_may_stand_in_the_body_and_is_not_kept(bare: Bare, place: Place, up: Up):
    place.write({"a": b"a"})
    started = bare("POST", COPY, place.order(api_key=up.api.key))
    assert started.status == 200
    ended = up.api.wait(up.transfers()[0]["id"])
    assert up.api.key not in str(ended)
    stop = {"dst_id": place.instance, "api_key": up.api.key}
    assert bare("DELETE", COPY, stop).status == 200


def test_the_first_place_that_holds_a_key_decides(bare: Bare, up: Up):
    good, path = up.api.key, "/api/v0/users/current/"
    assert bare("GET", f"{path}?api_key=wrong", key=good).status == 200
    assert bare("GET", f"{path}?api_key={good}", key="wrong").status == 401
    body = {"api_key": good, "dst_id": up.ids["third"]}
    assert bare("DELETE", f"{COPY}?api_key=wrong", body).status == 401


@pytest.mark.parametrize("slash", ["/", ""])
@pytest.mark.parametrize("form", [int, str, "C.{}".format, "{}:/workspace".format])
def test_a_cancel_is_a_delete_with_a_json_body(bare: Bare, up: Up, form: Any, slash: str):
    body = {"client_id": "me", "dst_id": form(up.ids["third"])}
    reply = bare("DELETE", COPY.rstrip("/") + slash, body, key=up.api.key)
    assert (reply.status, reply.json) == (200, {"success": True, "msg": "Nothing was running."})


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (None, 400, "missing_dst_id"),
        (b"{", 400, "bad_json"),
        ({"dst_id": None}, 400, "missing_dst_id"),
        ({"dst_id": "box"}, 400, "no_such_instance"),
        ({"dst_id": 999}, 404, "no_such_instance"),
    ],
)
def test_a_cancel_that_names_nothing_is_refused(
    bare: Bare, up: Up, body: Any, status: int, code: str
):
    reply = bare("DELETE", COPY, body, key=up.api.key)
    assert (reply.status, reply.json["error"]) == (status, code)


def test_the_same_order_sent_again_while_it_is_live_is_the_same_copy(
    bare: Bare, place: Place, up: Up
):
    place.write({"big.bin": b"x" * (8 << 20)})
    order = place.order(flags=["--bwlimit=1M"])
    first = bare("POST", COPY, order, key=up.api.key).json
    # As numbers, without the slash: a client that repeats itself may be another version.
    numbers = {"instance_id": place.instance, "selected": up.connection}
    second = bare("POST", COPY.rstrip("/"), order | numbers, key=up.api.key).json
    assert second == first
    stopped = bare("DELETE", COPY, {"dst_id": place.instance}, key=up.api.key).json
    assert stopped["msg"] == "1 copy is being stopped."
    assert up.api.wait(up.transfers()[0]["id"])["state"] == "cancelled"


@pytest.mark.parametrize(
    "changes", [{"selected": None}, {"instance_id": None}, {"transfer": "x"}, {"dst": "/"}]
)
def test_a_reason_is_whole_sentences(bare: Bare, place: Place, changes: dict[str, Any]):
    told = bare("POST", COPY, place.order(**changes), key=place.up.api.key).json["msg"]
    assert re.search(r"[^.:;] (Your|Write|Read|Create) ", told) is None, told


def test_a_reply_on_a_kept_connection_comes_at_once(bare: Bare, up: Up):
    """A reply in two small writes stands still for 40 ms (Nagle's rule against the peer's
    delayed acknowledgement) unless the socket is told otherwise. The fastest of many tells:
    with the wait none is faster, however quick the machine, and without it one always is.
    """
    spent = []
    for _ in range(40):
        begun = time.monotonic()
        assert bare("GET", "/api/v0/users/current/", key=up.api.key).status == 200
        spent.append(time.monotonic() - begun)
    assert min(spent[20:]) < 0.035  # the kernel acknowledges the first few at once
