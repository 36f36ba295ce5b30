"""The served document: 3.1, with the seed operation as it was published."""

from typing import Any

import jsonschema
import pytest
from fastapi.routing import APIRoute
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
    assert {"200", "400", "401"} <= set(seed["responses"])

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


async def document(plane: Plane) -> dict[str, Any]:
    return dict((await plane.client.get("/openapi.json")).json())


async def operations(plane: Plane) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in (await document(plane))["paths"].items()
        for method, operation in methods.items()
    ]


def bodies(operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each content that goes in or comes out, with the name of its place."""
    said = [("request", operation.get("requestBody", {})), *operation["responses"].items()]
    return [
        (f"{place} {kind}", content)
        for place, each in said
        for kind, content in each.get("content", {}).items()
    ]


async def test_every_route_is_in_the_document(plane: Plane):
    paths = (await document(plane))["paths"]
    routes = [
        (route.path_format, method.lower())
        for route in plane.app.state.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]
    assert len(routes) > 50
    assert [route for route in routes if route[1] not in paths.get(route[0], {})] == []


async def test_every_operation_says_what_it_is_and_what_it_does(plane: Plane):
    names = [
        route.name.replace("_", " ").title()
        for route in plane.app.state.routes
        if isinstance(route, APIRoute)
    ]
    known = {tag["name"] for tag in (await document(plane))["tags"]}
    seen = set()
    for name, operation in await operations(plane):
        assert operation["summary"] not in names, name  # the framework's guess
        assert len(operation["description"]) > 10, name
        assert set(operation["tags"]) <= known, name
        assert operation["tags"], name
        seen.add(operation["operationId"])
    assert len(seen) == len(await operations(plane))


async def test_every_body_has_an_example_that_fits_its_schema(plane: Plane):
    whole = await document(plane)
    count = 0
    for name, operation in await operations(plane):
        for place, content in bodies(operation):
            shown = [content["example"]] if "example" in content else []
            shown += [each["value"] for each in content.get("examples", {}).values()]
            assert shown, f"{name}: {place}"
            schema = {**content["schema"], "components": whole["components"]}
            for each in shown:
                jsonschema.validate(each, schema, jsonschema.Draft202012Validator)
                count += 1
    assert count > 500


async def test_every_operation_has_an_answer_and_the_refusals_of_its_form(plane: Plane):
    for name, operation in await operations(plane):
        path = name.partition(" ")[2]
        answers = operation["responses"]
        assert any(status.startswith("2") for status in answers), name
        refusals = {status for status in answers if status[0] in "45"}
        expected = {"414", "431", "500", "503"}
        if operation.get("security"):
            expected |= {"401", "403", "429"}
        if operation.get("requestBody"):
            expected |= {"400", "413"}
        if operation.get("parameters"):
            expected |= {"400"} if path.startswith("/api/") else {"422"}
        assert expected <= refusals, name
        assert set(answers) == {each for each in answers if each.isdigit()}, name
        shape, kind = ("Refusal", "application/json")
        if not path.startswith("/api/"):
            shape, kind = ("Problem", "application/problem+json")
        for status in refusals:
            assert set(answers[status]["content"]) == {kind}, name
            model = answers[status]["content"][kind]["schema"]["$ref"].rpartition("/")[2]
            exists = path.startswith("/api/") and status == "422"  # has an id beside the words
            assert model == ("JobExists" if exists else shape), name
            assert len(answers[status]["description"]) > 15, name


async def test_no_body_of_the_compatible_api_requires_a_field(plane: Plane):
    """What is missing is refused at run time, with a 400 in words."""
    seen = 0
    for name, operation in await operations(plane):
        body = operation.get("requestBody")
        if "/api/" in name and body is not None:
            seen += 1
            assert body.get("required", False) is False, name
            assert body["content"]["application/json"]["schema"].get("required", []) == [], name
    assert seen >= 5


async def test_what_needs_no_key_is_known(plane: Plane):
    open_ = {name for name, operation in await operations(plane) if not operation.get("security")}
    assert open_ == {
        "GET /api/v0/results/{token}/",
        "GET /api/v0/instances/results/{token}/",
        "GET /api/v0/gpu_names/unique/",
        "GET /api/v0/gpu_types/",
        "POST /v1/machines/enrol",
        "GET /v1/receipt-key",
        "GET /v1/flags",
        "GET /v1/health",
        "GET /llms.txt",
        "GET /docs/{name}",
    }


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


async def test_the_compatible_api_documents_no_409(plane: Plane):
    """Every Conflict is a 400 there: its clients know no 409."""
    for name, operation in await operations(plane):
        assert "/api/" not in name or "409" not in operation["responses"], name


async def test_the_stream_of_events_is_documented_as_one(plane: Plane):
    paths = (await plane.client.get("/openapi.json")).json()["paths"]
    told = paths["/v1/transfers/{transfer_id}/events"]["get"]
    assert set(told["responses"]["200"]["content"]) == {"text/event-stream"}
    assert {"204", "429"} <= set(told["responses"])
    names = {each["name"] for each in told["parameters"]}
    assert names == {"transfer_id", "last-event-id", "after"}
