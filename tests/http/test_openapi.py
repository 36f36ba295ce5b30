"""The served document: 3.1, with the seed operation as it was published."""

from typing import Any

import pytest
from pydantic import BaseModel

from cloudcopy.http.v1 import examples, schedule_examples
from cloudcopy.wire import v1
from tests.http.conftest import Plane

FIELDS = {"instance_id", "src", "dst", "selected", "transfer", "flags", "api_key"}


async def test_the_document_holds_the_seed_operation(plane: Plane):
    document = (await plane.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    seed = document["paths"]["/api/v0/commands/rclone/"]["post"]
    assert (seed["tags"], seed["summary"]) == (["Instances"], "cloud copy")
    body = seed["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == FIELDS
    assert body.get("required", []) == []
    kinds = {name: each["type"] for name, each in body["properties"].items()}
    assert kinds.pop("flags") == "array"
    assert body["properties"]["flags"]["items"] == {"type": "string"}
    assert set(kinds.values()) == {"string"}
    assert set(seed["responses"]) == {"200", "400"}

    def properties(status: str) -> set[str]:
        schema = seed["responses"][status]["content"]["application/json"]["schema"]
        name = schema["$ref"].rpartition("/")[2]
        return set(document["components"]["schemas"][name]["properties"])

    assert properties("200") == {"success", "msg", "result_url"}
    assert {"success", "msg"} <= properties("400")
    assert seed["security"] == [{"BearerAuth": []}]
    scheme = document["components"]["securitySchemes"]["BearerAuth"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


async def test_the_compatible_api_documents_a_422_only_for_a_job_that_exists(plane: Plane):
    document = (await plane.client.get("/openapi.json")).json()
    found = {
        (method, path): operation["responses"]["422"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/api") and "422" in operation["responses"]
    }
    job = "/api/v0/commands/schedule_job/"
    assert set(found) == {("post", job), ("put", f"{job}{{job_id}}/")}
    assert all("JobExists" in str(each) for each in found.values())


async def test_the_document_is_open_and_so_is_what_clients_ask_first(plane: Plane):
    assert (await plane.client.get("/openapi.json")).status_code == 200
    assert (await plane.client.get("/v1/health")).json() == {"status": "ok"}
    names = await plane.client.get("/api/v0/gpu_names/unique")
    assert (names.status_code, set(names.json())) == (200, {"gpu_names"})


async def test_the_list_of_flags_is_open_and_a_refusal_says_where_it_is(plane: Plane):
    from cloudcopy.domain.flags import KNOWN

    listed = await plane.client.get("/v1/flags")
    assert (listed.status_code, tuple(listed.json())) == (200, KNOWN)
    order = plane.order(flags=["--rc"])
    refused = await plane.ask("POST", "/api/v0/commands/rclone/", order)
    assert "/v1/flags" in refused.json()["msg"]


NATIVE = {
    "/v1/transfers": {"get", "post"},
    "/v1/transfers/{transfer_id}": {"get", "patch"},
    "/v1/transfers/{transfer_id}/cancel": {"post"},
    "/v1/transfers/{transfer_id}/pause": {"post"},
    "/v1/transfers/{transfer_id}/resume": {"post"},
    "/v1/transfers/{transfer_id}/retry": {"post"},
    "/v1/transfers/{transfer_id}/log": {"get"},
    "/v1/transfers/{transfer_id}/events": {"get"},
    "/v1/transfers/{transfer_id}/files": {"get"},
    "/v1/transfers/{transfer_id}/receipt": {"get"},
    "/v1/plans": {"get", "post"},
    "/v1/plans/{plan_id}": {"get"},
    "/v1/plans/{plan_id}/apply": {"post"},
    "/v1/checks": {"get", "post"},
    "/v1/checks/{check_id}": {"get"},
    "/v1/schedules": {"get", "post"},
    "/v1/schedules/{schedule_id}": {"get", "patch", "delete"},
    "/v1/schedules/{schedule_id}/pause": {"post"},
    "/v1/schedules/{schedule_id}/resume": {"post"},
    "/v1/schedules/{schedule_id}/run": {"post"},
}


async def test_every_route_of_a_copy_is_documented_with_how_it_refuses(plane: Plane):
    paths = (await plane.client.get("/openapi.json")).json()["paths"]
    for path, methods in NATIVE.items():
        assert set(paths.get(path, {})) == methods, path
        for method in methods:
            operation = paths[path][method]
            assert {"401", "404", "409", "422"} <= set(operation["responses"]), path
            assert operation["description"], path
            assert operation["security"] == [{"BearerAuth": []}]


async def test_every_body_of_a_copy_has_examples(plane: Plane):
    paths = (await plane.client.get("/openapi.json")).json()["paths"]
    seen = 0
    for path in NATIVE:
        for operation in paths[path].values():
            body = operation.get("requestBody")
            if body:
                seen += 1
                assert body["content"]["application/json"]["examples"], path
    assert seen == 8


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (v1.NewTransfer, examples.NEW_TRANSFER),
        (v1.NewPlan, examples.NEW_PLAN),
        (v1.NewCheck, examples.NEW_CHECK),
        (v1.Apply, examples.APPLY),
        (v1.Retry, examples.RETRY),
        (v1.Change, examples.CHANGE),
        (v1.NewSchedule, schedule_examples.NEW),
        (v1.ChangeSchedule, schedule_examples.CHANGE),
    ],
)
def test_an_example_of_a_body_is_one(model: type[BaseModel], values: dict[str, Any]):
    for each in values.values():
        model.model_validate(each["value"])


def test_an_example_of_a_schedule_is_one():
    shown = schedule_examples.SCHEDULE
    assert v1.ScheduleView.model_validate(shown).model_dump(mode="json") == shown


@pytest.mark.parametrize(
    "shown", [examples.TRANSFER, examples.PLAN, examples.CHECK, examples.APPLIED]
)
def test_an_example_of_an_answer_is_one(shown: dict[str, Any]):
    assert v1.TransferView.model_validate(shown).model_dump(mode="json") == shown


async def test_the_stream_of_events_is_documented_as_one(plane: Plane):
    paths = (await plane.client.get("/openapi.json")).json()["paths"]
    told = paths["/v1/transfers/{transfer_id}/events"]["get"]
    assert set(told["responses"]["200"]["content"]) == {"text/event-stream"}
    assert {"204", "429"} <= set(told["responses"])
    names = {each["name"] for each in told["parameters"]}
    assert names == {"transfer_id", "last-event-id", "after"}
