"""`vastai copy` and `vastai cancel copy`, with an instance at one end or at both."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.compat.bare import result
from tests.compat.client import Vastai
from tests.compat.place import Place, Up, tree
from tests.journeys.stack import Program, eventually, rclones

FINISHED = "Cloud Copy Operation Finished"
INITIATED = (
    "Remote to Remote copy initiated - check instance status bar for progress updates "
    "(~30 seconds delayed).\n"
)
FILES = {"a.txt": b"hello\n", "empty": b"", "deep/er/ü {x}.dat": os.urandom(10_000)}


def test_files_go_from_the_cloud_and_back_byte_for_byte(vastai: Vastai, place: Place, up: Up):
    place.put(FILES)
    connection, instance = f"s3.{up.connection}", f"C.{place.instance}"
    answer = vastai("copy", f"{connection}:/{place.remote}/", f"{instance}:{place.src}/")
    told = f"copying {connection}:/{place.remote}/ {instance}:{place.src}/\n"
    assert (answer.code, answer.err, answer.out) == (0, "", f"{told}{INITIATED}")
    assert vastai.settled(place.instance) == FINISHED
    assert tree(place.local) == FILES

    back = vastai("copy", f"{place.instance}:{place.src}/", f"{connection}:{place.remote}/back")
    assert back.out.endswith(INITIATED)
    assert vastai.settled(place.instance) == FINISHED
    found = place.objects()
    assert {name.removeprefix("back/"): found[name] for name in found if "back/" in name} == FILES


def test_the_sdk_gets_a_result_url_that_needs_no_key(vastai: Vastai, place: Place, up: Up):
    place.write(FILES)
    order = {"src": f"C.{place.instance}:{place.src}", "dst": f"s3.{up.connection}:{place.remote}"}
    [started] = vastai.sdk(("copy", order))
    assert set(started) == {"success", "msg", "result_url"}
    text = eventually(lambda: result(started["result_url"]), "the result is there")
    assert text.splitlines()[0] == FINISHED
    assert place.objects() == FILES


def test_files_go_from_an_instance_to_another_and_the_result_says_which_way(
    vastai: Vastai, place: Place, up: Up, tmp_path: Path
):
    place.write(FILES)
    far = tmp_path / "far"
    far.mkdir()
    words = [
        f"--server={up.api.url}",
        f"--join={up.api.ok('POST', '/v1/machines/tokens')['token']}",
        f"--data-dir={tmp_path / 'agent'}",
        f"--instance=far-{place.name}={far}",
    ]
    agent = Program(["agent", *words], tmp_path / "stdout", tmp_path / "stderr")
    try:
        eventually(lambda: agent.events("connected"), "the other machine's agent is there")
        instances = up.api.ok("GET", "/v1/instances")["data"]
        [other] = [each["id"] for each in instances if each["label"] == f"far-{place.name}"]
        for id, root, way in (
            (other, far, "through the control plane's relay"),
            (up.ids["spare"], up.roots["spare"], "directly on one machine"),
        ):
            answer = vastai("copy", f"C.{place.instance}:{place.src}/", f"C.{id}:{place.src}/")
            assert (answer.code, answer.err) == (0, "")
            assert answer.out.endswith(INITIATED)
            assert vastai.settled(id) == FINISHED
            assert tree(root / place.name) == FILES
            order = {"src": f"{place.instance}:{place.src}", "dst": f"{id}:{place.src}"}
            [started] = vastai.sdk(("copy", order))
            text = eventually(lambda url=started["result_url"]: result(url), "the result is there")
            assert way in text
    finally:
        agent.kill()


def test_every_refusal_is_printed_with_what_to_do_instead(vastai: Vastai, place: Place, up: Up):
    instance, connection = f"C.{place.instance}", f"s3.{up.connection}"
    cases = [
        ("local:data", f"{instance}:/w", "src_id: names files on your own machine"),
        (f"{instance}:/w", "data/here", "dst_id: names files on your own machine"),
        (f"{instance}:/w", f"{instance}:/w/x", "one holds the other"),
        ("C.999:/w", f"{instance}:/w", "src_id: Instance 999 is not yours"),
        (f"{connection}:b/x", f"{connection}:b/y", "both sides are connections"),
        ("V.7:/file", f"{instance}:/w", "volumes are not served"),
        ("s3:b/x", f"{instance}:/w", f"Write one of: s3.{up.in_parts} (in-parts), {connection}"),
        (f"{connection}:b/x", "C.999:/w", "dst_id: Instance 999 is not yours"),
    ]
    before = up.transfers()
    with ThreadPoolExecutor(2) as pool:  # a start of the client takes a second
        running = [pool.submit(vastai, "copy", src, dst) for src, dst, _ in cases]
    for answer, (src, dst, reason) in zip(running, cases, strict=True):
        told = answer.result()
        assert told.out == f"copying {src} {dst}\n"
        assert told.err.startswith("Failed with error 400: ")
        assert reason in told.err
        assert "initiated" not in told.out
    assert up.transfers() == before


def test_cancel_copy_stops_what_goes_into_the_instance(vastai: Vastai, place: Place, up: Up):
    content = os.urandom(24 << 20)
    place.put({"big.bin": content})
    slow = up.api.copy(
        instance=place.instance,
        connection=up.connection,
        direction="cloud_to_instance",
        src=place.remote,
        dst=place.src,
        flags=["--bwlimit=2M"],
    )
    eventually(lambda: rclones(up.work)[slow], "the copy runs")
    answer = vastai("cancel", "copy", f"C.{place.instance}")
    assert (answer.code, answer.err) == (0, "")
    assert "Remote copy canceled" in answer.out
    assert vastai.settled(place.instance) == "Cloud Copy Operation Canceled"
    assert tree(place.local) == {}
    refused = vastai("cancel", "copy", "C.999")
    assert refused.err == "Failed with error 404: Instance 999 is not yours or does not exist.\n"
