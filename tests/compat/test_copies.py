"""Cloud copies made by the public client, compared byte for byte."""

import os

from tests.compat.bare import fetched, result
from tests.compat.client import Vastai
from tests.compat.place import Place, Up, tree
from tests.journeys.stack import eventually

FINISHED = "Cloud Copy Operation Finished"
STARTED = (
    "Cloud Copy Started - check instance status bar for progress updates (~30 seconds delayed).\n"
    f"When the operation is finished you should see '{FINISHED}' in the instance status bar.\n"
)
FILES = {
    "a.txt": b"hello\n",
    "empty": b"",
    "big.bin": os.urandom(6 << 20),
    "deep/er/and er/ü {x}.dat": os.urandom(10_000),
    **{f"many/{number:03}": str(number).encode() for number in range(50)},
}


def test_files_go_to_the_cloud_and_back_byte_for_byte(vastai: Vastai, place: Place):
    place.write(FILES)
    answer = place.cloud_copy(vastai)
    told = f"copying {place.src} {place.remote} {place.instance} {place.up.connection} "
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"{told}Instance To Cloud\n{STARTED}"
    assert vastai.settled(place.instance) == FINISHED
    assert place.objects() == FILES
    lines = vastai("show", "instances", "-v").out.splitlines()
    [line] = [each for each in lines if f" {place.instance} " in each]
    assert f" {FINISHED} " in line

    back = {"src": place.remote, "dst": f"{place.src}/back/", "transfer": "cloud to instance"}
    answer = place.cloud_copy(vastai, **back)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith(STARTED)
    assert vastai.settled(place.instance) == FINISHED
    assert tree(place.local / "back") == FILES
    assert place.objects() == FILES


def test_one_file_lands_under_its_name_in_the_clients_own_destination(vastai: Vastai, place: Place):
    place.put({"one.bin": b"one", "two.bin": b"two"})
    place.cloud_copy(vastai, src=f"{place.remote}/one.bin", dst=None, transfer="Cloud To Instance")
    assert vastai.settled(place.instance) == FINISHED
    assert tree(place.up.roots["box"] / "workspace") == {"one.bin": b"one"}


def test_the_sdk_gets_a_result_url_that_needs_no_key(vastai: Vastai, place: Place, up: Up):
    place.write(FILES)
    # The SDK names the two ids its own way, and passes on what it is given: here, numbers.
    order = {"src": place.src, "dst": place.remote}
    ids = {"instance": place.instance, "connection": up.connection}
    [started] = vastai.sdk(("cloud_copy", {**order, **ids, "flags": ["--exclude", "many/**"]}))
    assert set(started) == {"success", "msg", "result_url"}
    assert (started["success"], started["msg"]) == (True, "Cloud copy started.")
    assert started["result_url"].startswith(f"{up.api.url}/")

    text = eventually(lambda: result(started["result_url"]), "the result is there")
    assert text.splitlines() == [FINISHED, "4 copied (6.0 MiB); verified by md5"]
    assert place.objects() == {k: v for k, v in FILES.items() if not k.startswith("many/")}
    bare, slashed = (fetched(started["result_url"].rstrip("/") + end) for end in ("", "/"))
    assert (bare.status, bare.kind, bare.body) == (slashed.status, slashed.kind, slashed.body)
