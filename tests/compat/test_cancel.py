"""`vastai cancel sync` in the middle of copies."""

import os
from functools import partial

from tests.compat.bare import result
from tests.compat.client import Vastai
from tests.compat.place import Place, Up, tree
from tests.journeys.stack import eventually, rclones

SIZE = 24 << 20
SLOW = ["--bwlimit=2M"]  # 12 s for each: much longer than the client needs to start


def test_it_stops_both_directions_and_leaves_nothing_behind(vastai: Vastai, place: Place, up: Up):
    content = os.urandom(SIZE)
    place.write({"up/big.bin": content})
    place.put({"source/big.bin": content})
    ids = {"instance": str(place.instance), "connection": str(up.in_parts), "flags": SLOW}
    upload, download = vastai.sdk(
        ("cloud_copy", {"src": f"{place.src}/up", "dst": f"{place.remote}/target", **ids}),
        (
            "cloud_copy",
            {
                "src": f"{place.remote}/source",
                "dst": f"{place.src}/down",
                "transfer": "Cloud To Instance",
                **ids,
            },
        ),
    )
    eventually(place.unfinished, "the upload in parts has begun")
    eventually(lambda: rclones(up.work).total() == 2, "both copies run")
    assert vastai.row(place.instance)["status_msg"].startswith("Cloud Copy: ")
    urls = [started["result_url"] for started in (upload, download)]
    assert [result(url) for url in urls] == [None, None]

    answer = vastai("cancel", "sync", str(place.instance))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        f"canceling remote copies to {place.instance} \n"
        "Remote copy canceled - check instance status bar for progress updates "
        "(~30 seconds delayed).\n"
    )
    assert vastai.settled(place.instance) == "Cloud Copy Operation Canceled"
    for url in urls:
        text = eventually(partial(result, url), "the result is there")
        assert text.splitlines()[0] == "Cloud Copy Operation Canceled"
    assert not rclones(up.work)
    assert place.unfinished() == []
    assert place.objects() == {"source/big.bin": content}
    assert tree(place.local) == {"up/big.bin": content}


def test_it_takes_a_path_behind_the_id_and_is_content_when_nothing_runs(vastai: Vastai, up: Up):
    answer = vastai("cancel", "sync", f"{up.ids['third']}:/workspace")
    assert (answer.code, answer.err) == (0, "")
    assert "Remote copy canceled" in answer.out


def test_it_is_told_of_an_instance_that_does_not_exist(vastai: Vastai):
    answer = vastai("cancel", "sync", "999")
    assert (answer.code, answer.out) == (0, "canceling remote copies to 999 \n")
    reason = "Instance 999 is not yours or does not exist."
    assert answer.err == f"Failed with error 404: {reason}\n"
