"""Rules of the house that no linter knows."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LONGEST = 350  # lines; a longer file holds more than one noun
HOMELESS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "service"}


def test_no_file_is_too_long():
    long = {str(path.relative_to(ROOT)): lines(path) for path in SOURCES if lines(path) > LONGEST}
    assert long == {}


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_no_module_is_named_for_having_no_home():
    assert [path for path in SOURCES if path.stem in HOMELESS or path.parent.name in HOMELESS] == []


def test_nothing_is_left_to_do():
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    assert [path for path in SOURCES if marks.search(path.read_text())] == []


@pytest.mark.parametrize("name", ["runtime", "dev", "compat", "bench"])
def test_every_requirement_has_a_hash_and_no_lock_names_an_index(name: str):
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert len(entries) > 20
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "--index" not in text


def test_every_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locks = {
        "runtime": project["project"]["dependencies"],
        "dev": project["project"]["dependencies"] + project["dependency-groups"]["dev"],
        "compat": project["dependency-groups"]["compat"],
        "bench": project["dependency-groups"]["bench"],
    }
    for name, wanted in locks.items():
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        locked = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
        assert {re.split(r"[\[=<>]", each)[0] for each in wanted} <= locked, name


def test_what_is_installed_to_run_is_what_is_installed_to_develop():
    pins = {
        name: set(
            re.findall(
                r"^[a-z0-9-]+==[^ ]+", (ROOT / "requirements" / f"{name}.txt").read_text(), re.M
            )
        )
        for name in ("runtime", "dev")
    }
    assert pins["runtime"] <= pins["dev"]
