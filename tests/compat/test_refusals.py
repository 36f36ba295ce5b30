"""What the public client tells its user when we refuse: our reason, and never "Started".

Its exit code is 0 after every refusal of a server; that is the client's own way.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.compat.bare import result
from tests.compat.client import Answer, Vastai
from tests.compat.place import Place
from tests.journeys.stack import eventually

DOWN = "Cloud To Instance"
FAILED = "Cloud Copy Operation Failed: "
WRONG = "cck_AAAAAAAAAAAA_" + "A" * 43 + "_00000000"


def refused(answer: Answer) -> str:
    """The reason that the client printed; asserts that it is the only thing it says."""
    assert "Started" not in answer.out
    assert len(answer.out.splitlines()) == 1  # "copying SRC DST …", written before it asks
    assert answer.code == 0
    return answer.err


BAD_ORDERS: list[tuple[dict[str, Any], str]] = [
    ({"instance": 999}, "Instance 999 is not yours or does not exist."),
    ({"connection": 9}, "Connection 9 is not yours or does not exist."),
    ({"transfer": "sideways"}, "must be 'Instance To Cloud' or 'Cloud To Instance'"),
    ({"src": None}, "src: is missing"),
    ({"src": "/a/../../etc"}, "src: '/a/../../etc' climbs with '..'"),
    ({"dst": "bucket/../other"}, "dst: 'bucket/../other' climbs with '..'"),
]


def test_every_bad_order_is_refused_with_our_reason(vastai: Vastai, place: Place):
    before = place.up.transfers()
    with ThreadPoolExecutor(2) as pool:  # a start of the client takes a second
        running = [pool.submit(place.cloud_copy, vastai, **changes) for changes, _ in BAD_ORDERS]
    for answer, (_, reason) in zip(running, BAD_ORDERS, strict=True):
        told = refused(answer.result())
        assert told.startswith("Failed with error 400: ")
        assert reason in told
    assert place.up.transfers() == before


def test_without_a_connection_the_client_is_told_which_there_are(vastai: Vastai, place: Place):
    told = refused(place.cloud_copy(vastai, connection=None))
    up = place.up
    known = f"{up.in_parts} (in-parts), {up.connection} (store)"
    assert told == f"Failed with error 400: selected: is missing. Your connections: {known}.\n"


def test_with_raw_the_reason_is_json(vastai: Vastai, place: Place):
    answer = place.cloud_copy(vastai, "--raw", instance=999)
    told = refused(answer)
    assert told.startswith('{"error": true, "status_code": 400, "msg": "')
    assert "Instance 999 is not yours or does not exist." in told


def test_a_wrong_key_is_said_to_be_wrong_and_whose_it_was(vastai: Vastai, place: Place):
    told = refused(place.cloud_copy(vastai.with_key(WRONG)))
    assert told.startswith("Failed with error 401: This API key is unknown, revoked or mistyped.")
    assert "Sent key from $VAST_API_KEY (ends in ...0000)." in told


def test_without_a_key_the_client_is_told_to_send_one(vastai: Vastai, place: Place):
    keyless = vastai.with_key(None)
    told = refused(place.cloud_copy(keyless))
    assert told.startswith("Failed with error 401: No API key was sent.")
    assert "No API key is configured." in told


def test_nothing_is_shown_without_the_right_key(vastai: Vastai):
    answer = vastai.with_key(WRONG)("show", "connections")
    assert answer.out == ""
    assert answer.err.startswith("Failed with error 401: This API key is unknown")


def test_the_sdk_raises_with_the_same_reasons(vastai: Vastai, place: Place):
    order = {
        "src": place.src,
        "dst": place.remote,
        "instance": place.instance,
        "connection": place.up.connection,
    }
    before = place.up.transfers()
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"flags": ["--config=/etc/x"]}, "bad_flag", "'--config' is not accepted"),
        ({"flags": ["--dry-run", "--s3-endpoint", "x"]}, "bad_flag", "'--s3-endpoint' is not"),
        ({"flags": ["--bwlimit=fast"]}, "bad_flag", "--bwlimit must be a size"),
        ({"flags": ["--delete-excluded=yes"]}, "bad_flag", "takes no value"),
        ({"instance": 999}, "no_such_instance", "Instance 999 is not yours"),
        ({"instance": None}, "missing_instance_id", "instance_id: is missing"),
        ({"connection": 9}, "no_such_connection", "Connection 9 is not yours"),
        ({"connection": None}, "missing_selected", "Your connections: "),
        ({"transfer": ""}, "bad_transfer", "'Cloud To Instance'"),
        ({"src": "/../x"}, "bad_path", "climbs with '..'"),
        ({"dst": "/x/../.."}, "bad_path", "climbs with '..'"),
        ({"dst": "../x", "src": "b/y", "transfer": DOWN}, "bad_path", "dst: '../x' climbs"),
        ({"dst": "/x", "src": "b/../y", "transfer": DOWN}, "bad_path", "src: 'b/../y' climbs"),
        ({"dst": ":local:/etc"}, "bad_path", "not an rclone connection string"),
        ({"dst": "/"}, "no_bucket", "Write it as BUCKET/path."),
    ]
    answers = vastai.sdk(*(("cloud_copy", {**order, **changes}) for changes, _, _ in cases))
    for answer, (_, code, words) in zip(answers, cases, strict=True):
        assert (answer["status"], answer["success"], answer["error"]) == (400, False, code)
        assert words in answer["msg"]
    assert place.up.transfers() == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"src": "/nowhere"}, "nowhere"),
        ({"dst": "no-such-bucket/x"}, "the bucket no-such-bucket does not exist"),
        ({"src": "{bucket}/nowhere", "dst": "/x", "transfer": DOWN}, "nowhere"),
        ({"src": "no-such-bucket/x", "dst": "/x", "transfer": DOWN}, "no-such"),
    ],
)
def test_a_source_or_bucket_that_is_missing_fails_in_words(
    place: Place, changes: dict[str, str], reason: str
):
    place.write({"a": b"a"})
    words = {name: text.format(bucket=place.up.bucket) for name, text in changes.items()}
    started = place.up.api.ok("POST", "/api/v0/commands/rclone/", place.order(**words))
    text = eventually(lambda: result(started["result_url"]), "the result is there")
    row = place.up.api.ok("GET", f"/api/v0/instances/{place.instance}/")["instances"]
    assert row["status_msg"] == text.splitlines()[0]
    assert row["status_msg"].startswith(FAILED)
    assert reason in row["status_msg"]
    assert "Finished" not in text


def test_the_client_says_started_and_the_status_says_why_it_failed(vastai: Vastai, place: Place):
    answer = place.cloud_copy(vastai, src="/nowhere")
    assert answer.out.splitlines()[1].startswith("Cloud Copy Started")
    told = vastai.settled(place.instance)
    assert told.startswith(FAILED)
    assert "/nowhere" in told
