"""The documents, served by the version that they describe; from a checkout and from a wheel."""

import json
import re
import subprocess
import sys
from pathlib import Path
from posixpath import dirname, join, normpath
from zipfile import ZipFile

from cloudcopy.adapters import documents
from tests.http.conftest import Plane

ROOT = Path(__file__).parents[2]
PAGES = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
UNSERVED = {"ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "NOTICE"} | {
    "performance.svg"  # the plot; pages alone are served
}


async def test_every_page_is_served_as_markdown_without_a_key(plane: Plane):
    assert len(PAGES) > 20
    for name in PAGES | {"README.md", "SKILL.md"}:
        reply = await plane.client.get(f"/docs/{name}")
        assert reply.status_code == 200, name
        assert reply.headers["content-type"] == "text/markdown; charset=utf-8"
        assert reply.text.count("\n") > 10
    assert "swagger" in (await plane.client.get("/docs")).text  # the page of the API is beside them
    assert (await plane.client.get("/docs/cli.md")).text == (ROOT / "docs/cli.md").read_text()


async def test_the_index_names_every_page_by_an_address_that_answers(plane: Plane):
    index = await plane.client.get("/llms.txt")
    assert index.headers["content-type"] == "text/plain; charset=utf-8"
    lines = index.text.splitlines()
    assert lines[0] == "# cloudcopy"
    assert lines[2].startswith("> cloudcopy copies data")
    found = re.findall(r"^- \[([^\]]+)\]\((http://plane/([^)]+))\)", index.text, re.MULTILINE)
    names = {place.removeprefix("docs/") for _, _, place in found if place.startswith("docs/")}
    assert names == PAGES | {"README.md", "SKILL.md"}
    for title, url, _ in found:
        assert title
        assert (await plane.client.get(url)).status_code == 200, url
    assert "- [Commands](http://plane/docs/cli.md): `cloudcopy" not in index.text
    assert index.text.index("docs/cli.md") < index.text.index("## Optional")
    assert index.text.index("## Optional") < index.text.index("docs/adr/")


async def test_what_is_no_page_is_a_problem_that_says_where_they_are(plane: Plane):
    for name in ("nope.md", "../pyproject.toml", "%2e%2e/pyproject.toml", "cli", "adr", ""):
        reply = await plane.client.get(f"/docs/{name}")
        assert reply.status_code == 404, name
    body = (await plane.client.get("/docs/nope.md")).json()
    assert (body["code"], body["next"]) == (
        "no_such_document",
        ["See what there is: GET /llms.txt"],
    )


def test_every_link_between_served_pages_leads_to_one():
    pages = documents.load()
    for name, page in pages.items():
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.text):
            place = normpath(join(dirname(name), target))
            assert place in pages or place in UNSERVED, f"{name}: {target}"


def test_a_wheel_has_them_too(tmp_path: Path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import cloudcopy, json; from cloudcopy.adapters import documents; "
        "found = documents.load(); "
        "print(json.dumps([cloudcopy.__file__, {n: d.text for n, d in found.items()}]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    place, found = json.loads(ran.stdout)
    assert place.startswith(str(tmp_path))
    assert found == {name: page.text for name, page in documents.load().items()}
