"""The served document: 3.1, with the seed operation as it was published."""

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


async def test_the_compatible_api_documents_no_422(plane: Plane):
    document = (await plane.client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert path.startswith("/v1") or "422" not in operation["responses"], path


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
