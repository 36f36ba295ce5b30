"""`cloudcopy key`."""

import json
from pathlib import Path
from typing import Any

import pytest

from cloudcopy.cli import exits
from cloudcopy.wire import v1
from tests.cli.conftest import CommandLine
from tests.sdk import views
from tests.sdk.scripted import Answer, Scripted, ok, problem

ONE = {"constraints": {"id": {"eq": 7}}}


@pytest.fixture(autouse=True)
def made(server: Scripted) -> None:
    server.on("POST", "/v1/keys", ok(views.created_key(), 201))
    server.on("GET", "/v1/instances", ok(v1.InstancePage(data=[views.instance()])))


def asked(server: Scripted) -> Any:
    return server.bodies("POST", "/v1/keys")[-1]


def test_a_new_key_is_all_there_is_on_stdout(server: Scripted, cli: CommandLine) -> None:
    server.on("DELETE", "/v1/keys/abc", Answer(204))

    ran = cli("key", "create", "ci")

    assert ran.out == "cck_new\n"
    assert "cck_new" not in ran.err
    assert asked(server) == {"name": "ci"}
    assert cli("key", "revoke", "abc").code == exits.DONE


def test_a_key_is_limited_by_options(server: Scripted, cli: CommandLine) -> None:
    ran = cli(
        *("key", "create", "ci", "--permission", "instance_read", "--permission", "user_read"),
        *("--instance", "here", "--expires", "30d", "--rate", "2.5", "--burst", "9"),
    )

    assert ran.code == exits.DONE
    assert asked(server) == {
        "name": "ci",
        "permissions": {"api": {"instance_read": ONE, "user_read": {}}},
        "expires_in_seconds": 2_592_000,
        "requests_per_second": 2.5,
        "burst": 9,
    }


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("45m", "expires_in_seconds", 2700),
        ("12h", "expires_in_seconds", 43200),
        ("8w", "expires_in_seconds", 4_838_400),
        ("2030-01-31T00:00Z", "expires_at", "2030-01-31T00:00:00+00:00"),
    ],
)
def test_an_expiry_is_a_length_of_time_or_a_moment(
    server: Scripted, cli: CommandLine, text: str, field: str, value: Any
) -> None:
    cli("key", "create", "ci", "--expires", text)

    assert asked(server) == {"name": "ci", field: value}


def test_permissions_come_from_a_file(server: Scripted, cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "may.json"
    file.write_text(json.dumps({"api": {"misc": {}}}))

    cli("key", "create", "ci", "--permissions", str(file))

    assert asked(server)["permissions"] == {"api": {"misc": {}}}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--expires", "soon"), "neither a length of time"),
        (("--expires", "2030-01-31"), "neither a length of time"),
        (("--expires", "0d"), "neither a length of time"),
        (("--instance", "here"), "none to limit"),
        (("--instance", "here", "--permission", "user_read"), "none to limit"),
        (("--permissions", "FILE", "--permission", "misc"), "says everything"),
        (("--permissions", "FILE"), "it is not JSON"),
        (("--permissions", "MISSING"), "No such file"),
        (("--permissions", "LIST"), "no JSON object"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    server: Scripted, cli: CommandLine, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    (tmp_path / "FILE").write_text("{")
    (tmp_path / "LIST").write_text("[]")
    placed = [str(tmp_path / each) if each.isupper() else each for each in words]

    ran = cli("key", "create", "ci", *placed)

    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert says in ran.err
    assert server.bodies("POST", "/v1/keys") == []


def test_a_refusal_of_a_limited_key_says_what_it_lacks(server: Scripted, cli: CommandLine) -> None:
    server.on(
        "POST", "/v1/keys", problem(403, "missing_permission", "It has not user_write.", "Ask.")
    )

    ran = cli("key", "create", "ci")

    assert ran.code == exits.AUTH
    assert "It has not user_write." in ran.err


def test_a_list_says_what_each_may_do_and_when_it_was_used(
    server: Scripted, cli: CommandLine
) -> None:
    permissions = {"api": {"instance_read": ONE, "user_read": {}}}
    keys = [views.key(permissions=permissions, expires_at=views.AT), views.key(id="def")]
    server.on("GET", "/v1/keys", ok(v1.KeyPage(data=keys)))

    rows = [line.split("\t") for line in cli("key", "list").out.splitlines()]

    at = "2026-01-02 03:04:05Z"
    assert rows == [
        ["abc", "ci", "instance_read*, user_read", at, at, "", ""],
        ["def", "ci", "everything", at, "", "", ""],
    ]
