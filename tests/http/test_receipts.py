"""Receipts over HTTP, and the key that they are verified by."""

import json
from base64 import b64decode

import rfc8785

from cloudcopy.sdk.receipts import verify
from tests.http.conftest import Plane
from tests.http.shipped import ended


async def test_a_receipt_is_verified_with_the_published_key_and_the_served_list(plane: Plane):
    id = await ended(plane)
    key = (await plane.client.get("/v1/receipt-key")).json()["public_key"]
    answer = await plane.ask("GET", f"/v1/transfers/{id}/receipt")
    files = await plane.ask("GET", f"/v1/transfers/{id}/files")

    checked = verify(answer.content, key=key, rows=files.content.splitlines())

    assert (checked.key_known, checked.files) == (True, 3)
    assert (checked.receipt.transfer, checked.receipt.state) == (id, "partial")
    assert len(b64decode(key)) == 32


async def test_a_receipt_is_canonical_and_the_same_each_time(plane: Plane):
    id = await ended(plane, "succeeded")
    first = await plane.ask("GET", f"/v1/transfers/{id}/receipt")
    again = await plane.ask("GET", f"/v1/transfers/{id}/receipt")
    assert first.content == again.content == rfc8785.dumps(json.loads(first.content))
    assert first.headers["content-type"] == "application/json"


async def test_what_copied_and_verified_nothing_has_no_receipt_and_says_why(plane: Plane):
    live = await plane.submitted()
    failed = await ended(plane, "failed")
    dry = await plane.submitted(flags=["--dry-run"])
    await plane.report("succeeded", found=1, copied=1, dry_run=True)
    plan = (await plane.ask("POST", "/v1/plans", plane.native())).json()["id"]
    for id, word in (
        (live, "has not ended"),
        (failed, "has failed"),
        (dry, "dry run"),
        (plan, "a plan copies nothing"),
    ):
        answer = await plane.ask("GET", f"/v1/transfers/{id}/receipt")
        assert (answer.status_code, answer.json()["code"]) == (409, "no_receipt")
        assert word in answer.json()["detail"]


async def test_the_receipt_of_somebody_else_does_not_exist(plane: Plane):
    assert (await plane.ask("GET", "/v1/transfers/t_other/receipt")).status_code == 404
    id = await ended(plane)
    assert (await plane.client.get(f"/v1/transfers/{id}/receipt")).status_code == 401
