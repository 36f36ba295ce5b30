"""What became of each file, over HTTP."""

import csv
import io
import json

import httpx2
import pytest

from cloudcopy.wire.v1 import FileView
from tests.http.conftest import Plane
from tests.http.shipped import ROWS, end, ended, ship


def paths(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line)["path"] for line in answer.text.splitlines()]


async def test_every_file_is_a_line_of_json(plane: Plane):
    id = await ended(plane)
    answer = await plane.ask("GET", f"/v1/transfers/{id}/files")
    assert answer.headers["content-type"] == "application/x-ndjson"
    views = [FileView.model_validate_json(line) for line in answer.content.splitlines()]
    assert [each.path for each in views] == [row.path for row in ROWS]
    assert views[1] == FileView(
        path="a/2",
        outcome="failed",
        size=2,
        code="access_denied",
        why='says "no", twice\nand again',
        hash="",
        verified="nothing",
    )


async def test_files_are_chosen_by_outcome_and_prefix(plane: Plane):
    id = await ended(plane)
    for query, wanted in (
        ("outcome=failed", ["a/2"]),
        ("outcome=failed,unchanged", ["a/2", "b"]),
        ("prefix=a/", ["a/1", "a/2"]),
        ("prefix=a/&outcome=copied", ["a/1"]),
        ("prefix=none", []),
    ):
        assert paths(await plane.ask("GET", f"/v1/transfers/{id}/files?{query}")) == wanted


@pytest.mark.parametrize(
    ("query", "accept"), [("?format=csv", "*/*"), ("", "text/csv"), ("", "text/CSV; q=1")]
)
async def test_files_are_csv_where_that_is_asked_for(plane: Plane, query: str, accept: str):
    id = await ended(plane)
    answer = await plane.ask(
        "GET", f"/v1/transfers/{id}/files{query}", headers=plane.auth | {"Accept": accept}
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{id}-attempt-1.csv"'
    assert answer.content.startswith(b"path,outcome,size,code,why,hash,verified\r\n")
    read = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert [each["path"] for each in read] == [row.path for row in ROWS]
    assert read[1]["why"] == ROWS[1].why
    assert answer.content.count(b"\r\n") == 1 + len(ROWS)


async def test_json_lines_win_over_accept_where_they_are_asked_for(plane: Plane):
    id = await ended(plane)
    answer = await plane.ask(
        "GET",
        f"/v1/transfers/{id}/files?format=jsonl",
        headers=plane.auth | {"Accept": "text/csv"},
    )
    assert len(paths(answer)) == len(ROWS)


async def test_where_there_is_no_list_the_answer_says_so(plane: Plane):
    id = await plane.submitted()
    live = await plane.ask("GET", f"/v1/transfers/{id}/files")
    assert (live.status_code, live.json()["code"]) == (404, "no_ledger")
    assert live.json()["next"] == ["Ask again when it has ended."]
    await plane.report("failed", "wrong credentials")
    gone = await plane.ask("GET", f"/v1/transfers/{id}/files")
    assert (gone.status_code, gone.json()["code"]) == (404, "no_ledger")
    assert "before anything was listed" in gone.json()["next"][0]


async def test_a_list_that_is_still_coming_is_not_shown(plane: Plane):
    id = await plane.submitted()
    await ship(plane)
    assert (await plane.ask("GET", f"/v1/transfers/{id}/files")).status_code == 404


async def test_a_retry_leaves_the_list_of_the_attempt_before(plane: Plane):
    id = await ended(plane)
    await plane.ask("POST", f"/v1/transfers/{id}/retry")
    address = f"/v1/transfers/{id}/files"
    assert len(paths(await plane.ask("GET", address))) == 4
    refused = await plane.ask("GET", f"{address}?attempt=2")
    assert (refused.status_code, refused.json()["code"]) == (404, "no_ledger")
    assert refused.json()["next"] == ["Attempts with one: 1."]
    await ship(plane, ROWS[:1])
    await end(plane, "succeeded", ROWS[:1])
    assert paths(await plane.ask("GET", address)) == ["a/1"]
    assert len(paths(await plane.ask("GET", f"{address}?attempt=1"))) == 4


async def test_an_outcome_or_a_form_that_does_not_exist_is_refused_in_words(plane: Plane):
    id = await ended(plane)
    for query, word in (("outcome=lost", "copied"), ("format=xml", "jsonl"), ("attempt=x", "")):
        answer = await plane.ask("GET", f"/v1/transfers/{id}/files?{query}")
        assert answer.status_code == 422
        assert word in answer.json()["detail"]


async def test_the_files_of_somebody_else_do_not_exist(plane: Plane):
    assert (await plane.ask("GET", "/v1/transfers/t_other/files")).status_code == 404
    id = await ended(plane)
    assert (await plane.client.get(f"/v1/transfers/{id}/files")).status_code == 401


async def test_plans_and_checks_have_lists_at_their_own_addresses(plane: Plane):
    for kind in ("plans", "checks"):
        made = await plane.ask("POST", f"/v1/{kind}", plane.native())
        assert made.status_code == 202, made.text
        id = made.json()["id"]
        await ship(plane)
        await end(plane)
        assert len(paths(await plane.ask("GET", f"/v1/{kind}/{id}/files"))) == 4
        assert len(paths(await plane.ask("GET", f"/v1/transfers/{id}/files"))) == 4
        other = {"plans": "checks", "checks": "plans"}[kind]
        assert (await plane.ask("GET", f"/v1/{other}/{id}/files")).status_code == 404


async def test_the_document_says_what_a_line_is(plane: Plane):
    document = (await plane.client.get("/openapi.json")).json()
    content = document["paths"]["/v1/transfers/{transfer_id}/files"]["get"]["responses"]["200"][
        "content"
    ]
    assert set(content) == {"application/x-ndjson", "text/csv"}
    line = content["application/x-ndjson"]["schema"]
    assert set(line["properties"]) == set(FileView.model_fields)
