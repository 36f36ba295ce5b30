"""The served document held against a running server: made-up requests over both surfaces.

Every answer must be one that the document names, in its media type and its schema, and none a
defect of the server.
"""

import json
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloudcopy.http.v0.examples import PUBLIC_KEY
from tests.journeys.stack import Api, Program, eventually

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OFFER = 10000001
CANNOT_SUCCEED = {
    "PUT /api/v0/commands/rsync/",  # it is always refused
    "POST /v1/machines/enrol",  # its token is an example
}
SIDES = {
    "instance": "box",
    "connection": "lab",
    "direction": "instance_to_cloud",
    "src": "/",
    "dst": "x",
}
COPY = {
    "instance_id": "101",
    "selected": "1002",
    "src": "/",
    "dst": "y",
    "transfer": "Instance To Cloud",
}
EACH = settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server whose first instance and connection are those of the document's examples."""
    directory = tmp_path_factory.mktemp("document")
    (directory / "box").mkdir()
    (directory / "box" / "a.txt").write_text("hello")
    words = ["up", "--json", f"--data-dir={directory / 'data'}", "--listen=127.0.0.1:0"]
    words += [f"--instance=box={directory / 'box'}", "--runtime=process", "--allow-same-user"]
    program = Program(words, directory / "stdout", directory / "stderr")
    try:
        told = json.loads(program.line())
        api = Api(told["url"], told["api_key"])
        nowhere = {"endpoint": "http://127.0.0.1:9", "access_key_id": "a", "secret_access_key": "b"}
        (directory / "data" / "local-store").mkdir()
        here = {"path": str(directory / "data" / "local-store")}
        for name, kind, parameters in (
            ("lab", "s3", nowhere),
            ("disk", "local", here),
            ("spare", "local", here),
        ):
            body = {"name": name, "cloud_type": kind, "parameters": parameters}
            api.ok("POST", "/v1/connections?test=false", body)
        eventually(lambda: api.ok("GET", "/v1/offers")["data"], "there is an offer")
        assert created(api) == 102  # of the examples
        yield api
        api.close()
    finally:
        program.kill()


@pytest.fixture(scope="module")
def operations(api: Api) -> list[schemathesis.APIOperation]:
    schema = schemathesis.openapi.from_dict(api.ok("GET", "/openapi.json"))
    return [each.ok() for each in schema.get_all_operations()]


def send(case: schemathesis.Case, api: Api, **headers: str) -> schemathesis.Response:
    if case.operation.label == "POST /v1/connections":
        case.query = {**(case.query or {}), "test": "false"}  # else it would ask the network
    sent = {"Authorization": f"Bearer {api.key}", **headers}
    # A stream's schema is of all its text; this check would hold each event against it.
    streams = case.operation.path.endswith("/events")
    checks = [each for each in CHECKS if not streams or each is not response_schema_conformance]
    return case.call_and_validate(base_url=api.url, headers=sent, checks=checks, timeout=20)


def failures(
    operations: Iterable[schemathesis.APIOperation],
    attempt: Callable[[schemathesis.APIOperation], None],
) -> list[str]:
    """What is wrong with each operation; nothing stops at the first."""
    found = []
    for operation in operations:
        try:
            attempt(operation)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all are told at the end
            found.append("".join(traceback.format_exception_only(error)))
    return found


def test_every_example_of_the_document_is_answered_as_it_says(
    operations: list[schemathesis.APIOperation], api: Api
) -> None:
    """With things that exist in its paths, so that there is more to answer than refusals."""
    known = things(api)
    succeeded = set()

    def attempt(operation: schemathesis.APIOperation) -> None:
        ids = known | live(api, operation)
        if operation.path.endswith("/approve"):
            ids["plan_id"] = known["of_a_program"]
        path = {each["name"]: ids[each["name"]] for each in parameters(operation, "path")}
        for body in bodies(operation) or [NOT_SET]:
            media_type = None if body is NOT_SET else "application/json"
            case = operation.Case(path_parameters=path, body=body, media_type=media_type)
            if send(case, api).status_code < 300:
                succeeded.add(operation.label)

    last = [each for each in operations if each.method in {"delete", "patch"}]
    first = [each for each in operations if each not in last]
    assert failures([*first, *last], attempt) == []
    assert {each.label for each in operations} - succeeded == CANNOT_SUCCEED


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_every_answer_to_what_is_made_up_is_one_that_the_document_names(
    operations: list[schemathesis.APIOperation], api: Api, mode: schemathesis.GenerationMode
) -> None:
    tried = set()

    def attempt(operation: schemathesis.APIOperation) -> None:
        @EACH
        @given(operation.as_strategy(generation_mode=mode))
        def holds(case: schemathesis.Case) -> None:
            tried.add(operation.label)
            send(case, api)

        with suppress(Unsatisfiable):  # nothing can be wrong there, as where all is one text
            holds()

    assert failures(operations, attempt) == []
    assert len(tried) > 75


def test_a_wrong_key_is_refused_everywhere_as_the_document_says(
    operations: list[schemathesis.APIOperation], api: Api
) -> None:
    def attempt(operation: schemathesis.APIOperation) -> None:
        @settings(EACH, max_examples=1)
        @given(operation.as_strategy())
        def holds(case: schemathesis.Case) -> None:
            send(case, api, Authorization="Bearer cck_wrong")

        holds()

    assert failures(operations, attempt) == []


def parameters(operation: schemathesis.APIOperation, place: str) -> list[dict[str, Any]]:
    found = operation.definition.raw.get("parameters", [])
    return [each for each in found if each["in"] == place]


def bodies(operation: schemathesis.APIOperation) -> list[Any]:
    content = operation.definition.raw.get("requestBody", {}).get("content", {})
    shown = content.get("application/json", {})
    named = [each["value"] for each in shown.get("examples", {}).values()]
    return named or ([shown["example"]] if "example" in shown else [])


def things(api: Api) -> dict[str, Any]:
    """An id of everything that a path names; what was ordered has succeeded."""
    ids: dict[str, Any] = {}
    for kind in ("transfer", "plan", "check"):
        made = api.ok("POST", f"/v1/{kind}s", SIDES | {"connection": "disk"})["id"]
        ids[f"{kind}_id"] = api.wait(made, "succeeded", "partial")["id"]
    key = api.ok("POST", "/v1/keys", {"name": "short-lived"})["id"]
    nightly = SIDES | {"connection": "disk", "cron": "0 3 1 1 *"}
    started = api.ok("POST", "/api/v0/commands/rclone/", COPY)
    token = started["result_url"].rstrip("/").rpartition("/")[2]
    api.wait(token.partition(".")[0])
    return ids | {
        "of_a_program": planned_by_a_program(api),
        "key_id": key,
        "token": token,
        "instance_id": 101,
        "connection_id": 1003,
        "schedule_id": api.ok("POST", "/v1/schedules", nightly)["id"],
        "ask_id": OFFER,
        "machine_id": 1,
        "name": "cli.md",
    }


def live(api: Api, operation: schemathesis.APIOperation) -> dict[str, Any]:
    """What the operation is about, where it needs a state of its own: of the store that does
    not answer."""
    if operation.path.endswith("/test"):
        return {"connection_id": 1001}
    if "{job_id}" in operation.path:  # the one that the example made
        jobs = api.ok("GET", "/api/v0/commands/schedule_job/")
        path = "/workspace/checkpoints"
        return {"job_id": next(each["id"] for each in jobs if each["request_body"]["src"] == path)}
    if operation.path.startswith("/api/v0/auth/"):
        return {"key_id": api.ok("POST", "/api/v0/auth/apikeys/", {"name": "number"})["id"]}
    if "/ssh" in operation.path or "/instances/" in operation.path:
        return of_an_instance(api, operation)
    verb = operation.path.rpartition("/")[2] if operation.method != "patch" else "limit"
    if verb not in {"cancel", "pause", "resume", "retry", "limit"}:
        return {}
    made = api.ok("POST", "/v1/transfers", SIDES | {"dst": f"bucket/{verb}"})["id"]
    if verb == "resume":
        api.ok("POST", f"/v1/transfers/{made}/pause")
        api.wait(made, "paused")
    if verb == "retry":
        api.ok("POST", f"/v1/transfers/{made}/cancel")
        api.wait(made, "cancelled")
    return {"transfer_id": made}


def created(api: Api) -> int:
    return int(api.ok("POST", "/v1/instances", {"offer": OFFER})["id"])


def of_an_instance(api: Api, operation: schemathesis.APIOperation) -> dict[str, Any]:
    """One that was created, with a key and a question of its own."""
    id = created(api) if "{instance_id}" in operation.path else 102
    keys = "ssh-keys" if "{instance_id}" not in operation.path else f"instances/{id}/ssh-keys"
    ids: dict[str, Any] = {"instance_id": id}
    if "{key_id}" in operation.path:
        ids["key_id"] = api.ok("POST", f"/v1/{keys}", {"public_key": PUBLIC_KEY})["id"]
    if "{answer_id}" in operation.path:
        ids["answer_id"] = api.ok("POST", f"/v1/instances/{id}/logs", {})["id"]
    if "{token}" in operation.path:
        url = api.ok("PUT", "/api/v0/instances/request_logs/102/", {})["result_url"]
        eventually(lambda: api.request("GET", url).is_success, "the machine has answered")
        ids["token"] = url.rstrip("/").rpartition("/")[2]
    return ids


def planned_by_a_program(api: Api) -> str:
    """A plan that this key may approve, because another key made it."""
    program = Api(api.url, api.ok("POST", "/v1/keys", {"name": "program"})["key"])
    made = str(program.ok("POST", "/v1/plans", SIDES | {"connection": "disk"})["id"])
    program.close()
    return str(api.wait(made, "succeeded")["id"])
