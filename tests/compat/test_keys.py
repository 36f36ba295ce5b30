"""`vastai create|show|delete api-key`, and what the client says when a key may not do something."""

import ast
import json
from pathlib import Path
from typing import Any

from tests.compat.client import Answer, Vastai
from tests.compat.place import Place

LOGS = "api.instance.request_logs"


def told(answer: Answer) -> Any:
    """The value that the client printed, in Python's spelling and perhaps behind its own words."""
    assert (answer.code, answer.err) == (0, ""), answer
    return ast.literal_eval(answer.out.removeprefix("api-key created "))


def written(tmp_path: Path, permissions: Any) -> str:
    path = tmp_path / "may.json"
    path.write_text(json.dumps(permissions))
    return str(path)


def made(vastai: Vastai, tmp_path: Path, permissions: Any, name: str = "ci") -> Any:
    file = written(tmp_path, permissions)
    return told(vastai("create", "api-key", "--name", name, "--permission_file", file))


def test_a_key_is_made_shown_listed_and_deleted(vastai: Vastai, tmp_path: Path):
    api = {"instance_read": {LOGS: {"constraints": {"id": {"eq": 1227}}}}, "user_read": {}}
    key = made(vastai, tmp_path, {"api": api}, "for logs")
    assert set(key) == {"id", "key", "permissions"}
    assert key["permissions"] == {"api": api}
    id = str(key["id"])

    one = told(vastai("show", "api-key", id))
    assert (one["id"], one["name"], one["permissions"]) == (key["id"], "for logs", {"api": api})
    listed = vastai.raw("show", "api-keys")["apikeys"]
    assert one in listed
    assert key["key"] not in json.dumps([one, listed])

    assert told(vastai("delete", "api-key", id)) == {
        "success": True,
        "msg": f"API key {id} (for logs) is deleted.",
    }
    again = vastai("delete", "api-key", id)
    gone = f"Failed with error 404: Key {id} is not yours or does not exist.\n"
    assert (again.out, again.err) == ("", gone)
    assert vastai("show", "api-key", id).err == gone
    assert all(each["id"] != key["id"] for each in vastai.raw("show", "api-keys")["apikeys"])
    refused = vastai.with_key(key["key"])("show", "connections").err
    assert refused.startswith("Failed with error 401: This API key is unknown, revoked or mistyped")


def test_a_limited_key_does_what_it_may_and_is_told_what_it_lacks(
    vastai: Vastai, place: Place, tmp_path: Path
):
    reader = vastai.with_key(
        made(vastai, tmp_path, {"api": {"instance_read": {}, "user_read": {}}})["key"]
    )
    assert reader.row(place.instance)["id"] == place.instance
    assert str(place.up.connection) in reader("show", "connections").out
    before = place.up.transfers()
    answer = place.cloud_copy(reader)
    assert "Started" not in answer.out
    assert answer.err.startswith(
        "Failed with error 403: This API key may not do this: it has not the permission "
        "instance_write (api.instance.copy). Use a key that has it:"
    )
    assert answer.code == 0
    cancelled = reader("cancel", "sync", str(place.instance))
    assert "it has not the permission instance_write" in cancelled.err
    assert place.up.transfers() == before

    writer = vastai.with_key(made(vastai, tmp_path, {"api": {"instance_write": {}}})["key"])
    place.write({"a": b"x"})
    assert "Cloud Copy Started" in place.cloud_copy(writer).out
    assert "has not the permission user_read" in writer("show", "connections").err
    assert vastai.settled(place.instance) == "Cloud Copy Operation Finished"
    assert place.objects() == {"a": b"x"}


def test_a_key_for_one_instance_copies_there_only(vastai: Vastai, place: Place, tmp_path: Path):
    spare = place.up.ids["spare"]
    only = {"constraints": {"id": {"eq": place.instance}}}
    key = made(vastai, tmp_path, {"api": {"instance_read": only, "instance_write": only}})
    mine = vastai.with_key(key["key"])
    answer = place.cloud_copy(mine, instance=spare)
    assert "Started" not in answer.out
    assert answer.err.startswith(
        f"Failed with error 403: This API key may not do this to instance {spare}: its permission "
        f"is limited to the ids {place.instance}."
    )
    shown = mine.raw("show", "instances", "-v")
    assert [each["id"] for each in shown] == [place.instance]


def test_permissions_that_are_not_understood_are_refused(vastai: Vastai, tmp_path: Path):
    file = written(tmp_path, {"api": {"everything": {}}})
    answer = vastai("create", "api-key", "--name", "x", "--permission_file", file)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.startswith(
        "Failed with error 400: permissions: there is no category 'everything'. Known are: "
    )


def test_no_key_makes_a_stronger_one(vastai: Vastai, tmp_path: Path):
    weak = vastai.with_key(made(vastai, tmp_path, {"api": {"user_write": {}}})["key"])
    file = written(tmp_path, None)
    answer = weak("create", "api-key", "--name", "more", "--permission_file", file)
    assert answer.out == ""
    assert answer.err.startswith(
        "Failed with error 403: The new key would have permissions that this key has not."
    )


def test_the_sdk_makes_keys_and_is_refused_with_the_same_reasons(vastai: Vastai):
    misc = {"api": {"misc": {}}}
    bad: list[tuple[dict[str, Any], str, str]] = [
        ({"permissions": {"instance_read": {}}}, "bad_permissions", 'must be {"api"'),
        ({"permissions": {"api": {}}}, "bad_permissions", "names no category"),
        ({"permissions": misc, "key_params": "{}"}, "bad_key_params", "is not served"),
        ({"permissions": misc, "name": None}, "missing_name", "name: is missing"),
    ]
    key, rows, *refused = vastai.sdk(
        ("create_api_key", {"name": "sdk", "permissions": misc}),
        ("show_api_keys", {}),
        *(("create_api_key", {"name": "x", **each}) for each, _, _ in bad),
    )
    assert key["permissions"] == misc
    assert key["id"] in {each["id"] for each in rows}
    assert "x" not in {each["name"] for each in rows}
    for answer, (_, code, words) in zip(refused, bad, strict=True):
        assert (answer["status"], answer["success"], answer["error"]) == (400, False, code)
        assert words in answer["msg"]
