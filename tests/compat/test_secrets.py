"""Where a secret must never be: in a command line, in a log, in a file, in a text for people.

Whatever the client prints in any of these tests is searched too, see `client.Vastai`.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.compat.bare import Bare, result
from tests.compat.client import Vastai
from tests.compat.place import Place, Up
from tests.journeys.stack import eventually, rclones


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Every command line on this machine, as it is filled in the background."""
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue  # it has just ended

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def holding(up: Up, secrets: list[str]) -> list[Path]:
    """Files of the server and its agent that hold one of these."""
    wanted = [each.encode() for each in secrets]
    files = (path for path in up.data_dir.rglob("*") if path.is_file())
    return [path for path in files if any(each in path.read_bytes() for each in wanted)]


def test_no_secret_is_in_a_command_line_a_file_or_the_log(vastai: Vastai, place: Place, up: Up):
    place.write({"big.bin": os.urandom(12 << 20)})
    with command_lines() as seen:
        tested = up.api.connect("tested", up.s3.parameters)
        up.api.ok("DELETE", f"/v1/connections/{tested}")
        answer = place.cloud_copy(vastai, connection=up.in_parts)
        assert answer.err == ""
        assert vastai.settled(place.instance) == "Cloud Copy Operation Finished"
        slow = {"flags": ["--bwlimit=1M"], "dst": f"{place.remote}/slow"}
        up.api.ok("POST", "/api/v0/commands/rclone/", place.order(**slow))
        eventually(lambda: rclones(up.work), "a copy runs")
        assert holding(up, [*up.secrets, up.api.key]) == []
        vastai("cancel", "sync", str(place.instance))
        assert vastai.settled(place.instance) == "Cloud Copy Operation Canceled"
    assert any("rclone" in line for line in seen)
    assert any("vastai cancel sync" in line for line in seen)
    found = [line for line in seen if any(each in line for each in [*up.secrets, up.api.key])]
    assert found == []
    assert [each for each in [*up.secrets, up.api.key] if each in up.log] == []


def test_a_store_that_refuses_the_secret_does_not_have_it_told(place: Place, up: Up):
    secret = "wrong-but-secret-all-the-same"
    wrong = {**up.s3.parameters, "secret_access_key": secret}
    body = {"name": "wrong", "cloud_type": "s3", "parameters": wrong}
    refused = up.api.request("POST", "/v1/connections", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_credentials")
    untested = up.api.ok("POST", "/v1/connections?test=false", body)["id"]
    try:
        place.write({"a": b"a"})
        order = place.order(selected=untested)
        url = up.api.ok("POST", "/api/v0/commands/rclone/", order)["result_url"]
        text = eventually(lambda: result(url), "the result is there")
    finally:
        up.api.ok("DELETE", f"/v1/connections/{untested}")
    row = up.api.ok("GET", f"/api/v0/instances/{place.instance}/")["instances"]
    assert row["status_msg"].startswith("Cloud Copy Operation Failed: ")
    for told in (refused.text, text, str(row), up.log):
        assert secret not in told
        assert up.s3.access_key not in told


def test_a_key_in_the_query_is_never_logged(up: Up):
    host, port = urlsplit(up.api.url).netloc.split(":")
    bare, key = Bare(up.api.url), up.api.key
    for method, path, status in (
        ("GET", "/api/v0/users/current/", 200),
        ("GET", "/api/v0/nothing/", 404),
        ("PUT", "/api/v0/users/current/", 405),
        ("POST", "/api/v0/commands/rclone/", 400),
        ("GET", "/v1/transfers", 401),  # the native API takes it in the header alone
    ):
        assert bare(method, f"{path}?api_key={key}").status == status
    bare.close()
    for line in (f"GET /api/v0/x?api_key={key} HTTP/9.9", f"GET /\x01?api_key={key} HTTP/1.1"):
        with socket.create_connection((host, int(port)), timeout=30) as raw:
            raw.sendall(f"{line}\r\nHost: x\r\n\r\n".encode())
            assert raw.recv(100).startswith(b"HTTP/1.1 4")
    assert key not in up.log
