"""One real server with three instances and a real S3 store, for all of these tests."""

import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.seaweed import S3
from tests.compat.client import MISSING, Vastai, installed
from tests.compat.place import Place, Up
from tests.journeys.conftest import s3
from tests.journeys.stack import Api, Program

__all__ = ["s3"]  # the journeys' fixture, as it is

LABELS = ("box", "spare", "third")


@pytest.fixture(scope="session")
def up(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    directory = tmp_path_factory.mktemp("compat")
    roots = {label: directory / label for label in LABELS}
    for root in roots.values():
        root.mkdir()
    data_dir = directory / "data"
    words = ["up", "--json", f"--data-dir={data_dir}", "--listen=127.0.0.1:0"]
    words += [f"--instance={label}={root}" for label, root in roots.items()]
    program = Program(words, directory / "stdout", directory / "stderr")
    try:
        told = json.loads(program.line())
        api = Api(told["url"], told["api_key"])
        yield Up(
            program=program,
            api=api,
            data_dir=data_dir,
            ids={each["label"]: each["id"] for each in told["instances"]},
            roots=roots,
            connection=api.connect("store", s3.parameters),
            in_parts=api.connect(
                "in-parts", {**s3.parameters, "upload_cutoff": "5Mi", "chunk_size": "5Mi"}
            ),
            bucket=s3.create_bucket(f"b{secrets.token_hex(6)}"),
            s3=s3,
        )
        api.close()
    finally:
        program.kill()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def vastai(up: Up, tmp_path: Path, compiled: Path) -> Vastai:
    if not installed():
        pytest.fail(MISSING, pytrace=False)
    home = tmp_path / "home"
    for each in (".config", ".cache", ".local/state"):
        # It makes these itself, and fails when another of it does so at that moment.
        (home / each / "vastai").mkdir(parents=True)
    return Vastai(
        url=up.api.url, key=up.api.key, home=home, compiled=compiled, forbidden=up.secrets
    )


@pytest.fixture
def place(up: Up) -> Iterator[Place]:
    made = Place(up, f"p{secrets.token_hex(4)}")
    made.local.mkdir()
    yield made
    shutil.rmtree(made.local)
