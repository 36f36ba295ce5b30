"""What the documents promise about the code, held against the code."""

import ast
import re
from pathlib import Path

import pytest

from cloudcopy import SyncClient
from cloudcopy.cli.exits import EXIT_CODES
from cloudcopy.domain.connection import ALIASES, OFFERED, PROVIDERS
from cloudcopy.domain.errors import CloudCopyError
from cloudcopy.domain.flags import KNOWN, PUBLISHED_LIST, Flags
from cloudcopy.domain.order import Work
from cloudcopy.domain.transfer import State

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = sorted((ROOT / "src").rglob("*.py"))
DECISIONS = sorted((DOCS / "adr").glob("[0-9]*.md"))


def text(name: str) -> str:
    return (DOCS / name).read_text()


def first_column(document: str) -> set[str]:
    """Every `code` in the first cell of a table row."""
    rows = re.findall(r"^\| (`[^|]*?) \|", document, re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def test_the_document_of_flags_says_where_a_server_publishes_them():
    assert f"`GET {PUBLISHED_LIST}`" in text("flags.md")


def test_the_documented_flags_are_exactly_those_that_are_accepted():
    accepted = {word for word in first_column(text("flags.md")) if word.startswith("--")}
    assert accepted == set(KNOWN)


def test_no_flag_that_is_documented_as_refused_is_accepted():
    refused = text("flags.md").partition("## What is refused")[2]
    words = set(re.findall(r"`(--?[a-z0-9-]+)`", refused)) - {"--no-unicode-normalization"}
    assert len(words) > 20
    for word in words:
        with pytest.raises(Exception, match="is not accepted"):
            Flags.parse([word, "1"])


def sections(document: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", document, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", sorted(OFFERED))
def test_every_provider_is_documented_with_each_of_its_options(name: str):
    section = sections(text("connections.md"))[name].partition("```")[0]
    provider = PROVIDERS[name]
    missing = {
        option
        for option in provider.required | provider.optional
        if not re.search(rf"\b{option}\b", section)
    }
    assert missing == set()


@pytest.mark.parametrize("name", sorted(OFFERED))
def test_every_secret_option_is_shown_as_one_and_no_other_is(name: str):
    section = sections(text("connections.md"))[name]
    tables = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    assert set(re.findall(r"\*([a-z_]+)\*", tables)) == set(PROVIDERS[name].secret)


@pytest.mark.parametrize(("alias", "name"), sorted(ALIASES.items()))
def test_every_other_name_of_a_provider_is_documented(alias: str, name: str):
    assert f"`{alias}`" in sections(text("connections.md"))[name]


def error_codes() -> set[str]:
    """Every code that can reach a client, wherever it is written down."""
    found = {each.code for each in descendants(CloudCopyError)} - {"error", "conflict"}
    for path in SOURCES:
        source = path.read_text()
        found |= set(re.findall(r'\bcode ?= ?"([a-z_]+)"', source))
        found |= set(re.findall(r'\bReason\(\s*"([a-z_]+)"', source))
        found |= {f"no_such_{kind}" for kind in re.findall(r'NotFound\(\s*"([a-z]+)"', source)}
    found |= {f"transfer_{state}" for state in State}
    found |= {f"no_such_{work}" for work in Work}
    return found


def descendants(kind: type[CloudCopyError]) -> set[type[CloudCopyError]]:
    below = set(kind.__subclasses__())
    return below.union(*(descendants(each) for each in below))


def test_every_error_code_is_documented():
    assert error_codes() - first_column(text("errors.md")) == set()


def test_every_exit_code_is_documented_in_the_words_of_the_help():
    assert EXIT_CODES
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", text("cli.md"), re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == dict(EXIT_CODES)


def test_every_decision_says_why_what_and_what_follows():
    assert len(DECISIONS) >= 8
    for path in DECISIONS:
        found = sections(path.read_text())
        assert {"Context", "Decision", "Consequences"} <= found.keys(), path.name


def test_every_decision_is_in_the_list_of_them():
    listed = set(re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", text("adr/README.md")))
    assert listed == {path.name for path in DECISIONS}


def test_every_link_between_the_documents_leads_somewhere():
    documents = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_make_target_that_a_document_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        code = re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL)
        inline = re.findall(r"`(make [a-z]+)", path.read_text())
        named = set(re.findall(r"^make ([a-z]+)", "\n".join([*code, *inline]), re.MULTILINE))
        assert named
        assert named <= targets, path.name


def test_the_document_of_the_client_names_every_method_of_every_noun():
    rows = re.findall(r"^\| `client\.([a-z_]+)` \| `([^`]+)` \|", text("sdk.md"), re.MULTILINE)
    client = SyncClient("http://server.test", "cck_x")
    known = {name: value for name, value in vars(client).items() if not name.startswith("_")}
    assert {name for name, _ in rows} == set(known)
    for name, methods in rows:
        public = {each for each in dir(known[name]) if not each.startswith("_")}
        assert set(methods.split()) == public, name


def test_every_example_of_the_client_is_python():
    blocks = re.findall(r"```python\n(.*?)```", text("sdk.md"), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "sdk.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_document_for_models_names_every_tool():
    from cloudcopy.cli.tools import Tools

    tools = {name for name in dir(Tools) if not name.startswith("_")}
    table = text("mcp.md").partition("## What it cannot do")[0]
    assert {word for word in first_column(table) if "_" in word or word == "cancel"} == tools
