"""`cloudcopy mcp` with the real client library, over stdio, against a real server."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from tests.journeys.conftest import Up
from tests.journeys.stack import Api

PAGE = Path(__file__).parents[2] / "docs" / "mcp.md"
MAIN = ["-m", "cloudcopy.compose.main"]


class Model:
    """What a model can do: see the tools, and call them."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers."""
        answer = await self.client.call_tool(tool, arguments)
        assert not answer.is_error, answer
        assert answer.structured_content is not None
        return dict(answer.structured_content)

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Why a tool refuses."""
        answer = await self.client.call_tool(tool, arguments)
        assert answer.is_error, answer
        [said] = answer.content
        assert isinstance(said, TextContent)
        return said.text

    async def ended(self, id: str) -> dict[str, Any]:
        while not (seen := await self("transfer_status", id=id))["ended"]:
            pass
        return seen


@asynccontextmanager
async def connected(up: Up) -> AsyncIterator[Model]:
    """With a key of its own, as the documents say."""
    key = made_as_documented(up)
    parameters = StdioServerParameters(
        command=sys.executable, args=[*MAIN, "mcp"], env=environ(up, key)
    )
    async with Client(parameters) as client:
        yield Model(client)


def made_as_documented(up: Up) -> str:
    """By the command of docs/mcp.md, with the permissions that stand there."""
    page = PAGE.read_text()
    [command] = re.findall(r"^cloudcopy (key create model .*)$", page, re.MULTILINE)
    [permissions] = re.findall(r'^```json\n(\{"api": .*?)^```$', page, re.MULTILINE | re.DOTALL)
    (up.root / "model.json").write_text(permissions)
    return said(up, *command.split(), cwd=up.root)


def environ(up: Up, key: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "CLOUDCOPY_URL": up.api.url, "CLOUDCOPY_API_KEY": key}


def approved(up: Up, plan: str, deletions: int) -> str:
    """What a person gets who has seen the plan."""
    return said(up, "plan", "approve", plan, "--confirm-deletions", str(deletions))


def said(up: Up, *words: str, cwd: Path | None = None) -> str:
    """What a command of the person prints."""
    ran = subprocess.run(
        [sys.executable, *MAIN, *words],
        env=environ(up, up.api.key),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def objects(up: Up) -> set[str]:
    seen = up.api.ok("GET", "/v1/transfers?limit=1")["data"][0]["id"]
    up.api.wait(seen)
    check = up.download("mirror", "/back")
    up.api.wait(check, "succeeded")
    return {path.name for path in (up.root / "back").iterdir()}


async def test_a_model_plans_and_copies_and_deletes_only_what_a_person_approved(up: Up) -> None:
    async with connected(up) as model:
        await plans_and_copies(up, model)


async def plans_and_copies(up: Up, model: Model) -> None:
    tools = {each.name: each for each in (await model.client.list_tools()).tools}
    assert set(tools) == {
        "list_instances", "list_connections", "plan_copy", "get_plan", "start_copy",
        "transfer_status", "list_failed_files", "cancel",
    }  # fmt: skip
    assert all(each.description and each.output_schema for each in tools.values())
    reads = {name for name, each in tools.items() if each.annotations.read_only_hint}
    assert reads == set(tools) - {"plan_copy", "start_copy", "cancel"}

    [instance] = (await model("list_instances"))["instances"]
    [connection] = (await model("list_connections"))["connections"]
    assert (instance["id"], instance["label"], instance["connected"]) == (up.instance, "box", True)
    assert (connection["name"], connection["cloud_type"]) == ("store", "s3")
    source = f"{instance['address']}data"
    destination = f"{connection['address']}{up.bucket}/mirror"

    write(up.root / "data", "a", "b", "c")
    plan = await model("plan_copy", source=source, destination=destination)
    assert (plan["state"], plan["files_to_copy"], plan["files_to_delete"]) == ("succeeded", 3, 0)
    assert [each["path"] for each in plan["sample"]] == ["a", "b", "c"]
    assert plan["needs_approval"] is False
    assert up.api.ok("GET", "/v1/transfers?work=transfer")["data"] == []
    started = await model("start_copy", plan_id=plan["plan_id"])
    done = await model.ended(started["id"])
    assert (done["state"], done["files_copied"], done["failures"]) == ("succeeded", 3, [])

    for name in ("b", "c"):
        (up.root / "data" / name).unlink()
    asked = {"source": source, "destination": destination, "mirror": True}
    plan = await model("plan_copy", **asked)
    id = plan["plan_id"]
    assert (plan["files_to_delete"], plan["needs_approval"]) == (2, True)
    assert f"cloudcopy plan approve {id}" in plan["next"]
    assert "cca_" not in str(plan) + str(await model("get_plan", plan_id=id))

    assert f"cloudcopy plan approve {id}" in await model.refused("start_copy", plan_id=id)
    made_up = "cca_9999999999_" + "0" * 48
    for approval in (made_up, "yes", "2", up.api.key):
        assert "no approval of the plan" in await model.refused(
            "start_copy", plan_id=id, approval=approval
        )
    assert objects(up) == {"a", "b", "c"}
    other = await model("plan_copy", **asked)
    approval = approved(up, id, 2)
    assert "no approval of the plan" in await model.refused(
        "start_copy", plan_id=other["plan_id"], approval=approval
    )
    started = await model("start_copy", plan_id=id, approval=approval)
    assert (await model.ended(started["id"]))["state"] == "succeeded"
    assert (await model("start_copy", plan_id=id, approval=approval))["id"] == started["id"]
    (up.root / "back" / "b").unlink()
    (up.root / "back" / "c").unlink()
    assert objects(up) == {"a"}


def test_the_documented_key_approves_nothing_and_makes_no_other(up: Up) -> None:
    theirs = Api(up.api.url, made_as_documented(up))
    plan = up.api.ok(
        "POST",
        "/v1/plans",
        {"instance": "box", "connection": "store", "direction": "instance_to_cloud"}
        | {"src": "/", "dst": f"{up.bucket}/x", "mode": "mirror"},
    )["id"]
    for path, body in ((f"/v1/plans/{plan}/approve", None), ("/v1/keys", {"name": "more"})):
        reply = theirs.request("POST", path, json=body)
        assert (reply.status_code, reply.json()["code"]) == (403, "missing_permission")
    theirs.close()


async def test_what_goes_wrong_is_told_with_what_to_do(up: Up) -> None:
    async with connected(up) as model:
        await goes_wrong(up, model)


async def goes_wrong(up: Up, model: Model) -> None:
    store = f"store:{up.bucket}/x"
    write(up.root / "data", "a")
    for arguments, words in (
        ({"source": "/data", "destination": store}, "no ':' in it"),
        ({"source": "@box:/", "destination": "@box:/x"}, "one holds the other"),
        ({"source": "@nope:/", "destination": store}, "Yours are: "),
        ({"source": "@box:/", "destination": f"drive.{up.connection}:x"}, "is of type s3"),
        ({"source": "@box:/../x", "destination": store}, "climbs with '..'"),
        ({"source": "@box:/", "destination": store, "flags": ["--rc"]}, "is not accepted"),
    ):
        assert words in await model.refused("plan_copy", **arguments)
    failed = await model("plan_copy", source="@box:/nowhere", destination=store)
    assert (failed["state"], failed["needs_approval"]) == ("failed", False)
    assert "nowhere" in failed["reason"]
    assert "is failed" in await model.refused("start_copy", plan_id=failed["plan_id"])
    assert "is not yours" in await model.refused("transfer_status", id="t_nope")

    check = up.api.ok(
        "POST",
        "/v1/checks",
        {"instance": "box", "connection": "store", "direction": "instance_to_cloud"}
        | {"src": "/data", "dst": f"{up.bucket}/x"},
    )
    assert (await model.ended(check["id"]))["state"] == "partial"
    wrong = await model("list_failed_files", id=check["id"])
    assert wrong["more"] is False
    assert [(each["path"], each["outcome"]) for each in wrong["files"]] == [("a", "missing")]

    write(up.root / "slow", "big", content=os.urandom(8 << 20))
    slow = up.upload("/slow", "slow", "--bwlimit=1M")
    assert (await model("cancel", id=slow))["state"] in {"cancelling", "cancelled"}
    assert (await model.ended(slow))["state"] == "cancelled"


def write(directory: Path, *names: str, content: bytes = b"x") -> None:
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).write_bytes(content)
